/** A call is done and its answer is lost: the resource is found, or the call is made again; nothing is there twice. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Account, changesOf } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { type Kind, kinds, type Surroundings } from "./kinds.ts";
import { countOf, Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
});
afterAll(async () => await account?.stop());

const table = kinds.map((kind) => [kind.type, kind] as const);
const isFirst = (action: string, index: number, all: readonly string[]) => all.indexOf(action) === index;

type Step = "created" | "updated" | "deleted";

/** The calls of the life of one resource; `before` is run ahead of each of its steps. */
async function live(kind: Kind, around: Surroundings, before: (step: Step) => Promise<void>) {
  const urn = urnOf(`cloud:${kind.type}`, `lost-${around.number}`);
  const step = async (name: Step, work: () => Promise<Resource>): Promise<[Resource, string[]]> => {
    await before(name);
    const { result, calls } = await account.watch(work);
    return [result, changesOf(calls)];
  };
  const expectThere = async (resource: Resource) => {
    expect(await plugin.read(resource)).toEqual(resource);
    if (kind.listed === undefined) return;
    expect(await countOf(account.client, kind, String(resource.properties.name))).toBe(1);
  };
  const [made, created] = await step("created", () => plugin.create(urn, kind.inputs(around)));
  await expectThere(made);
  const { changed } = kind;
  const [last, updated] =
    changed === undefined ? [made, []] : await step("updated", () => plugin.update(made, changed(around)));
  await expectThere(last);
  const [, deleted] = await step("deleted", async () => {
    await plugin.delete(last);
    return last;
  });
  expect(await plugin.read(last)).toBeUndefined();
  return { created, updated, deleted };
}

/** How the cloud answers a call that it has done already; absent: as the first time. */
const again: Readonly<Record<string, number>> = {
  ...{ ReleaseEips: 2100, DeleteSecurityGroups: 2100, DeleteSecurityGroupRules: 2100, DeleteKeyPairs: 2100 },
  ...{ DeleteRouters: 2100, DeleteVxnets: 2100, DeleteRouterStatics: 2100, TerminateInstances: 2100 },
  ...{ DeleteVolumes: 2100, DeleteTags: 2100, JoinVxnet: 2110, ResizeVolumes: 1101 },
  ...{ JoinRouter: 1400, LeaveRouter: 1400, AttachVolumes: 1400, DetachVolumes: 1400, LeaveVxnet: 1400 },
  ...{ AttachKeyPairs: 1400, DetachKeyPairs: 1400, StopInstances: 1400, StartInstances: 1400 },
};
const makes = /^(Add|Allocate|Create|Run)/;

/** The calls of a step in which the first call of each action loses its answer: what makes something is sent once. */
function lostCalls(kind: Kind, step: Step): string[] {
  return kind[step].flatMap((action, index, all) => {
    if (!isFirst(action, index, all)) return [action];
    if (makes.test(action)) return [action];
    return [action, [action, again[action]].filter((part) => part !== undefined).join(" ")];
  });
}

test.each(table)("%s: the table has the calls of a life in which nothing is lost", async (_, kind) => {
  const { created, updated, deleted } = kind;
  expect(await live(kind, await grounds.around(kind), async () => {})).toEqual({ created, updated, deleted });
});

test.each(table)(
  "%s: every call loses its answer once; it is made once, as wanted, and goes",
  async (_, kind) => {
    const calls = await live(kind, await grounds.around(kind), async (step) => {
      for (const action of kind[step].filter(isFirst)) {
        await account.cloud.fault({ action, kind: "lose-answer" });
      }
    });
    const [created, updated, deleted] = [
      lostCalls(kind, "created"),
      lostCalls(kind, "updated"),
      lostCalls(kind, "deleted"),
    ];
    expect(calls).toEqual({ created, updated, deleted });
  },
);
