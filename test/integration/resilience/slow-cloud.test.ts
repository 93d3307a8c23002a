/**
 * Claims that wait on the real clock: few calls a second, leases that come late, jobs that do not end. Each test has an account
 * of its own, and all wait at the same time.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Account, changesOf, failureOf, halfMadeOf, own } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import { HalfMade } from "../plugin-answers.ts";
import { kindOf } from "./kinds.ts";
import { finish, prepare, slowKinds, timesMade, untilAllWait, type Wanted } from "./slow-jobs.ts";
import { Grounds } from "./surroundings.ts";

/** The statics share a router's update, the rules of three groups are applied: one job each. */
const jobs = new Set(slowKinds.map(({ type }) => (/Forward|Tunnel|Static/.test(type) ? "statics" : type)))
  .size;
/** The progress that each kind reports while its job is under way. */
const job = /^waiting for job j-\w+ \d s$/;
const group = /^waiting for security group sg-\w+ to be applied \d s$/;
const waitOf: Readonly<Record<string, RegExp>> = {
  ...{ Vpc: job, Vxnet: job, Instance: job, Volume: job, VolumeAttachment: job },
  ...{ SecurityGroup: group, SecurityGroupRule: group, SecurityGroupRules: group },
};
const ephemeral = (urn: string, message: RegExp) => ({
  severity: "info",
  urn,
  message: expect.stringMatching(message),
  ephemeral: true,
});
const busyRouter =
  /^UpdateRouters was refused with 1400 .* router \[rtr-\w+\] is updating, can not be updated\.$/;
const late =
  /^Job j-\w+ in zone gpu1a is still working after \d s\. It may end later: run the same command again\.$/;
const onceEach = (wanted: readonly Wanted[]) => ({
  ...timesMade([], wanted),
  ...Object.fromEntries(wanted.map(({ kind: { created } }) => [created[0], 1])),
  AddRouterStatics: 4,
  // The group's, the rule's and the list's.
  AddSecurityGroupRules: 3,
  // The router's own EIP's and the VpcEip's.
  ModifyRouterAttributes: 2,
});

const leaseSeconds = 5;

/** Made one after the other, so that each test has the machine for what it measures by timeouts. */
let held: Awaited<ReturnType<typeof prepare>>[];
let leased: { account: Account; grounds: Grounds; plugin: Plugin }[];
let limited: { account: Account; vpcId: string; plugin: Plugin };
beforeAll(async () => {
  held = [await prepare(), await prepare()];
  leased = [await lateLeases(), await lateLeases()];
  const account = await Account.start();
  const vpcId = (await Grounds.make(account.client)).shared.router;
  await account.restart({ rateLimit: "5/1" });
  limited = { account, vpcId, plugin: await account.plugin() };
});
afterAll(async () => {
  for (const { account } of [...(held ?? []), ...(leased ?? []), ...(limited ? [limited] : [])])
    await account.stop();
});

async function lateLeases() {
  const account = await Account.start({ jobs: { lease: leaseSeconds } });
  const [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
  return { account, grounds, plugin };
}

const nth = <Value>(values: readonly Value[], index: number): Value => {
  const value = values[index];
  if (value === undefined) throw new Error(`there is no ${index}`);
  return value;
};

describe.concurrent("resources whose jobs do not end", () => {
  test("Ctrl-C answers all of them at once, half made, and the next run finishes each without making any twice", async () => {
    const { account, plugin: cancelled, wanted } = nth(held, 0);
    const before = account.calls().length;
    await account.hold("*");
    const answers = wanted.map(({ urn, inputs }) => failureOf(cancelled.create(urn, inputs)));
    await untilAllWait(account, jobs);
    for (const { kind, urn } of wanted) {
      const wait = waitOf[kind.type];
      if (wait === undefined) continue;
      await vi.waitFor(() => expect(account.engine.told).toContainEqual(ephemeral(urn, wait)), {
        timeout: 20_000,
      });
    }
    await cancelled.cancel();
    const errors = await Promise.all(answers);
    const { job_set } = await account.client.ok("DescribeJobs", { "status.1": "working", limit: "100" });
    expect(job_set).toHaveLength(jobs);
    expect(errors.map(({ message }) => message)).toEqual(
      wanted.map(() => "cancelled; the next run finishes what was begun"),
    );
    const halfMade = errors.map(halfMadeOf);
    expect(halfMade.map(({ inputs }) => inputs)).toEqual(wanted.map(({ inputs }) => inputs));
    await cancelled.stop();

    const next = await account.plugin();
    const finished = await account.letGo(() => finish(next, halfMade, wanted));
    expect(finished.map(({ id }) => id)).toEqual(halfMade.map(({ id }) => id));
    expect(timesMade(account.calls().slice(before), wanted)).toEqual(onceEach(wanted));
  });

  test("a timeout ends each with what it waited for, keeps it half made, and the next run finishes it", async () => {
    const { account, plugin, wanted } = nth(held, 1);
    const before = account.calls().length;
    await account.hold("*");
    const errors = await Promise.all(
      wanted.map(({ urn, inputs }) => failureOf(plugin.create(urn, inputs, { timeout: 5 }))),
    );
    for (const [index, error] of errors.entries()) {
      const type = wanted[index]?.kind.type ?? "";
      // Only the update of a router's first statics is under way, the others' waits for its end.
      const isStatic = /Forward|Tunnel|Static/.test(type) && !late.test(error.message);
      expect([type, error.name, error.message]).toEqual([
        type,
        HalfMade.name,
        expect.stringMatching(isStatic ? busyRouter : late),
      ]);
    }
    const finished = await account.letGo(() => finish(plugin, errors.map(halfMadeOf), wanted));
    expect(finished).toHaveLength(slowKinds.length);
    expect(timesMade(account.calls().slice(before), wanted)).toEqual(onceEach(wanted));
  });
});

test.concurrent("five calls in a second are enough: everything is made, once, and the user hears what is waited for", async () => {
  const { account, vpcId, plugin } = limited;
  const make = (index: number) => {
    const target = { targetAddress: "192.168.1.2", targetPort: 22 };
    const inputs = { ...own, vpcId, sourcePort: 2200 + index, ...target };
    return plugin.create(urnOf("cloud:PortForward", `limited-${index}`), inputs);
  };
  const { result, calls } = await account.watch(() => Promise.all([1, 2, 3, 4, 5, 6].map(make)));
  const made = changesOf(calls).filter((each) => each === "AddRouterStatics");
  expect(made).toHaveLength(6);
  expect(calls.some(({ ret_code }) => ret_code === 2500)).toBe(true);
  expect(account.engine.told.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(
      /^\w+ was refused with 2500 \(quota exceeded\): QuotasExceeded, more than 5 API calls in 1 s\. Asked again in \d+\.\d s\.$/,
    ),
  );
  expect(new Set(result.map(({ id }) => id)).size).toBe(6);
});

describe.concurrent("what has no lease yet", () => {
  test("EIPs, routers, instances and volumes that are just made wait for their leases, then go by one call each", async () => {
    const { account, grounds, plugin } = nth(leased, 0);
    const kinds = ["Eip", "Vpc", "Instance", "Volume"].map(kindOf);
    const made = await Promise.all(
      kinds.map(async (kind) => {
        const around = await grounds.around(kind);
        return await plugin.create(
          urnOf(`cloud:${kind.type}`, `leased-${around.number}`),
          kind.inputs(around),
        );
      }),
    );
    const calls = await account.callsBy(() => Promise.all(made.map((resource) => plugin.delete(resource))));
    expect(changesOf(calls).toSorted()).toEqual(kinds.flatMap(({ deleted }) => deleted).toSorted());
    for (const { id, urn } of made) {
      const looks = calls.filter(
        ({ action, parameters }) => action === "GetLeaseInfo" && parameters.resource === id,
      );
      expect(looks.length).toBeGreaterThan(1);
      expect(account.engine.toldOf(urn)).toContainEqual(
        expect.stringMatching(new RegExp(`^waiting for the lease of ${id} \\d s$`)),
      );
    }
    for (const resource of made) expect(await plugin.read(resource)).toBeUndefined();
  });

  test("the price of a router that is just made is known once it has its lease", async () => {
    const { account, grounds, plugin } = nth(leased, 1);
    const kind = kindOf("Vpc");
    const around = await grounds.around(kind);
    const made = await plugin.create(urnOf("cloud:Vpc", `priced-${around.number}`), kind.inputs(around));
    let prices: object = {};
    const calls = await account.callsBy(async () => {
      prices = await plugin.invoke("qingcloud:cloud:getPrices", { zone: "gpu1a", resources: [made.id] });
    });
    expect(prices).toEqual({ perHour: [0.05] });
    const looks = calls.filter(({ action }) => action === "GetLeaseInfo");
    expect(looks.length).toBeGreaterThan(1);
    await plugin.delete(made);
  });
});
