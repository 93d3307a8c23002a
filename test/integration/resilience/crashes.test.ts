/** A provider that dies between a change and what applies it: the next run applies. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, changesOf, failureOf, halfMadeOf, own } from "../../harness/account.ts";
import { firstId } from "../../local-cloud/support.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { kindOf } from "./kinds.ts";
import { Grounds } from "./surroundings.ts";

/** What is inert until it is applied. */
const types = [
  ...["PortForward", "IpsecTunnel", "GreTunnel", "RouterStatic", "VpcEip", "Vpc"],
  ...["SecurityGroup", "SecurityGroupRule", "SecurityGroupRules"],
] as const;
const applies = ["UpdateRouters", "ApplySecurityGroup"] as const;

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
beforeAll(async () => {
  account = await Account.start();
  grounds = await Grounds.make(account.client);
});
afterAll(async () => await account?.stop());

interface Wanted {
  readonly type: string;
  readonly urn: string;
  readonly inputs: Properties;
}

async function wantAll(): Promise<Wanted[]> {
  return await Promise.all(
    types.map(async (type) => {
      const around = await grounds.around(kindOf(type));
      const urn = urnOf(`cloud:${type}`, `crash-${around.number}`);
      return { type, urn, inputs: kindOf(type).inputs(around) };
    }),
  );
}

/**
 * Does `work` until nothing but applying is left, which the cloud refuses meanwhile; then ends the provider.
 * @param changes how many calls change something before that
 */
async function untilOnlyApplying<Result>(
  plugin: Plugin,
  changes: number,
  work: () => Promise<Result>[],
  end: (plugin: Plugin) => Promise<void>,
): Promise<Result[]> {
  for (const action of applies) {
    await account.cloud.fault({ action, kind: "refuse", code: 5100, message: "not now", times: 1000 });
  }
  const before = account.calls().length;
  const all = work();
  await vi.waitFor(
    () => {
      const done = changesOf(account.calls().slice(before)).filter((each) => !each.endsWith("5100"));
      expect(done).toHaveLength(changes);
    },
    { timeout: 20_000, interval: 50 },
  );
  await end(plugin);
  const results = await Promise.all(all);
  await account.clearFaults();
  return results;
}

/** Nothing waits to be applied. */
async function expectAllApplied(): Promise<void> {
  for (const [action, set] of [
    ["DescribeRouters", "router_set"],
    ["DescribeRouterStatics", "router_static_set"],
    ["DescribeSecurityGroups", "security_group_set"],
  ] as const) {
    const items = (await account.client.ok(action, { limit: "100" }))[set] as Record<string, unknown>[];
    expect(items.filter(({ is_applied, status }) => is_applied === 0 && status !== "deleted")).toEqual([]);
  }
}

/** Calls of one of each before applying: what makes it, and what else is set. */
const creating = types.reduce(
  (sum, type) =>
    sum + kindOf(type).created.filter((action) => !applies.some((each) => each === action)).length,
  0,
);

describe.each([
  ["kill -9", () => account.process(), (plugin: Plugin) => plugin.stop("SIGKILL")],
  ["Ctrl-C", () => account.plugin(), (plugin: Plugin) => plugin.cancel()],
] as const)("%s", (how, start, end) => {
  let wanted: Wanted[];
  let made: Resource[];

  test("between what is made and its applying: the next run applies it and makes nothing twice", async () => {
    wanted = await wantAll();
    const first = await start();
    const errors = await untilOnlyApplying(
      first,
      creating,
      () => wanted.map(({ urn, inputs }) => failureOf(first.create(urn, inputs))),
      end,
    );
    const next = await account.plugin();
    const { result, calls } = await account.watch(() =>
      Promise.all(
        wanted.map(({ urn, inputs }, index) =>
          how === "Ctrl-C"
            ? next.update(halfMadeOf(errors[index] ?? new Error("no error")), inputs)
            : next.create(urn, inputs),
        ),
      ),
    );
    expect(changesOf(calls).filter((each) => /^(Add|Allocate|Create|Run)/.test(each))).toEqual([]);
    made = result;
    await expectAllApplied();
    for (const resource of made) expect(await next.read(resource)).toEqual(resource);
    await next.stop();
    await first.stop();
  });

  test("between what is deleted and its applying: the next run applies that", async () => {
    const ending = made.filter((_, index) => wanted[index]?.type !== "SecurityGroup");
    const first = await start();
    await untilOnlyApplying(
      first,
      ending.length,
      () => ending.map((resource) => failureOf(first.delete(resource))),
      end,
    );
    const next = await account.plugin();
    const { calls } = await account.watch(async () => {
      await Promise.all(ending.map((resource) => next.delete(resource)));
      // As the CLI does, after the rule that depends on it.
      await Promise.all(made.filter((each) => !ending.includes(each)).map((group) => next.delete(group)));
    });
    const again = changesOf(calls).filter((each) => each.endsWith(" 2100"));
    expect(again.toSorted()).toEqual(
      [...Array(4).fill("DeleteRouterStatics 2100"), "DeleteSecurityGroupRules 2100"].toSorted(),
    );
    await expectAllApplied();
    for (const resource of made) expect(await next.read(resource)).toBeUndefined();
    await next.stop();
    await first.stop();
  });
});

test("twenty statics of a router that are made, and deleted, at the same time take two UpdateRouters at most", async () => {
  // Its pauses are what gathers the statics.
  const plugin = await account.process();
  const vpcId = firstId(
    (await account.client.done("CreateRouters", { vpc_network: "192.168.0.0/16" })).routers,
  );
  const inputs = (index: number) => ({
    ...own,
    vpcId,
    sourcePort: 3000 + index,
    targetAddress: "192.168.1.2",
    targetPort: 22,
  });
  const all = Array.from({ length: 20 }, (_, index) => index);
  const count = (changes: readonly string[], name: string) => changes.filter((each) => each === name).length;
  const statics = async () =>
    (await account.client.ok("DescribeRouterStatics", { router: vpcId, limit: "100" })).router_static_set as {
      is_applied: number;
    }[];

  const { result: forwards, calls } = await account.watch(() =>
    Promise.all(
      all.map((index) => plugin.create(urnOf("cloud:PortForward", `many-${index}`), inputs(index))),
    ),
  );
  const made = changesOf(calls);
  expect([made.length - count(made, "UpdateRouters"), count(made, "AddRouterStatics")]).toEqual([20, 20]);
  expect(count(made, "UpdateRouters")).toBeLessThanOrEqual(2);
  expect((await statics()).map(({ is_applied }) => is_applied)).toEqual(all.map(() => 1));

  const deleted = changesOf(
    await account.callsBy(() => Promise.all(forwards.map((each) => plugin.delete(each)))),
  );
  expect([deleted.length - count(deleted, "UpdateRouters"), count(deleted, "DeleteRouterStatics")]).toEqual([
    20, 20,
  ]);
  expect(count(deleted, "UpdateRouters")).toBeLessThanOrEqual(2);
  expect(await statics()).toEqual([]);
  await expectAllApplied();
});
