/** Ctrl-C, or a timeout, in the middle of a job: what is half made is kept, and the next run finishes it. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { HalfMade } from "../plugin.ts";
import { type Account, failureOf, halfMadeOf } from "./account.ts";
import { finish, prepare, slowKinds, timesMade, untilAllWait, type Wanted } from "./slow-jobs.ts";

const jobSeconds = 4;
let account: Account;
let rounds: Wanted[][];
beforeAll(async () => {
  ({ account, rounds } = await prepare(2));
});
afterAll(async () => await account?.stop());

/** The statics share a router's update, the rules of two groups are applied: one job each. */
const jobs = new Set(slowKinds.map(({ type }) => (/Forward|Tunnel|Static/.test(type) ? "statics" : type)))
  .size;
/** What the user of each kind hears while its job is under way. */
const job = /^waiting for job j-\w+ \d s$/;
const group = /^waiting for security group sg-\w+ to be applied \d s$/;
const waitOf: Readonly<Record<string, RegExp>> = {
  ...{ Vpc: job, Vxnet: job, Instance: job, Volume: job, VolumeAttachment: job },
  ...{ SecurityGroup: group, SecurityGroupRule: group },
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
  // Of the group and of the rule.
  AddSecurityGroupRules: 2,
  // Of the router's own EIP and of the VpcEip.
  ModifyRouterAttributes: 2,
});

describe.sequential("resources whose jobs take seconds", () => {
  test("Ctrl-C answers all of them at once, half made, and the next run finishes each without making any twice", async () => {
    const wanted = rounds[0] ?? [];
    const before = account.calls().length;
    await account.restart({ jobs: { default: jobSeconds } });
    const cancelled = await account.plugin();
    const answers = wanted.map(({ urn, inputs }) => failureOf(cancelled.create(urn, inputs)));
    await untilAllWait(account, jobs);
    for (const { kind, urn } of wanted) {
      const wait = waitOf[kind.type];
      if (wait === undefined) continue;
      await vi.waitFor(
        () => expect(account.engine.told).toContainEqual(ephemeral(urn, wait)),
        jobSeconds * 1000,
      );
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

    // What is under way takes its time; what is begun from now on ends at once.
    await account.restart();
    const next = await account.plugin();
    const finished = await finish(next, halfMade, wanted);
    expect(finished.map(({ id }) => id)).toEqual(halfMade.map(({ id }) => id));
    expect(timesMade(account.calls().slice(before), wanted)).toEqual(onceEach(wanted));
    await next.stop();
  });

  test("a timeout ends each with what it waited for, keeps it half made, and the next run finishes it", async () => {
    const wanted = rounds[1] ?? [];
    const before = account.calls().length;
    await account.restart({ jobs: { default: jobSeconds } });
    const plugin = await account.plugin();
    const errors = await Promise.all(
      wanted.map(({ urn, inputs }) => failureOf(plugin.create(urn, inputs, { timeout: 2 }))),
    );
    for (const [index, error] of errors.entries()) {
      const type = wanted[index]?.kind.type ?? "";
      // Of the statics of a router only the first ones' update is under way, the others' waits for its end.
      const isStatic = /Forward|Tunnel|Static/.test(type) && !late.test(error.message);
      expect([type, error.name, error.message]).toEqual([
        type,
        HalfMade.name,
        expect.stringMatching(isStatic ? busyRouter : late),
      ]);
    }
    await account.restart();
    const finished = await finish(plugin, errors.map(halfMadeOf), wanted);
    expect(finished).toHaveLength(slowKinds.length);
    expect(timesMade(account.calls().slice(before), wanted)).toEqual(onceEach(wanted));
  });
});
