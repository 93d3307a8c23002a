/**
 * A mesh over an intranet that version 0.2.0 has made, with a resource a firewall rule: this version's lists take the
 * rules over, and at no moment is one missing.
 */
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { stateFile } from "../../scripts/dev/state-file.ts";
import { type Stack, up } from "../harness/stack.ts";
import { importStored, type StoredStack } from "./stored-stack.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let made: Stack | undefined;
let stored: StoredStack;
let before: readonly Found[];
beforeEach(async () => {
  stored = await importStored("0.2.0-intranet-mesh", (stack) => {
    made = stack;
  });
  before = await rulesInCloud();
});
afterEach(async () => await made?.remove());

interface Found {
  readonly security_group_rule_id: string;
  readonly security_group_rule_name: string;
}

/** All rules that are in the zones' groups, by their ids. */
async function rulesInCloud(): Promise<Found[]> {
  const found = await Promise.all(
    ["gpu1a", "gpu2a"].map(async (zone) => {
      const answer = await stored.stack.cloud.client.ok("DescribeSecurityGroupRules", { zone, limit: "100" });
      return answer.security_group_rule_set as Found[];
    }),
  );
  return found.flat().toSorted((a, b) => (a.security_group_rule_id < b.security_group_rule_id ? -1 : 1));
}

const nameless = (rules: readonly Found[]) =>
  rules.map(({ security_group_rule_name: _, ...content }) => content);
const rulesInState = () => stored.stack.resources(":SecurityGroupRule");
const listsInState = () => stored.stack.resources(":SecurityGroupRules");
/** Actions by their number, of the changes of `work`. */
async function actionsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const changes = await stored.stack.cloud.changesBy(work);
  const counts = Map.groupBy(changes, ([action]) => action);
  return Object.fromEntries([...counts].map(([action, all]) => [action, all.length]));
}
const upgrade = (...more: string[]) => stored.stack.ok(...up, ...stored.configuration, ...more);

/** All rules are those that there were: none was added, deleted or changed but for its name; no two resources have one. */
async function expectTakenOver(): Promise<void> {
  const after = await rulesInCloud();
  expect(nameless(after)).toEqual(nameless(before));
  const names = after.map(({ security_group_rule_name: name }) => name).filter((name) => name !== "");
  const lists = listsInState().map(({ outputs }) => outputs?.name);
  expect([...new Set(names)].toSorted()).toEqual(["inline", ...lists].toSorted());
  expect(rulesInState()).toEqual([]);
}

test("its rules stay where they are and get other names; the old resources go without a call", async () => {
  expect(await actionsOf(() => upgrade())).toEqual({
    ModifySecurityGroupRuleAttributes: 16,
    ApplySecurityGroup: 4,
  });
  await expectTakenOver();
  expect(listsInState().map(({ inputs }) => inputs?.rules)).toEqual([expect.any(Array), expect.any(Array)]);
  const preview = [
    "preview",
    "--refresh",
    "--expect-no-changes",
    "--color",
    "never",
    ...stored.configuration,
  ];
  expect(await actionsOf(() => stored.stack.ok(...preview))).toEqual({});
  const texts = readFileSync(stateFile(stored.stack.workspace), "utf8");
  for (const secret of ["private key of operator", "pre-shared-key-of-the-tunnel"]) {
    expect(texts).not.toContain(secret);
  }
  await stored.stack.ok("destroy", "--yes", "--skip-preview", "--color", "never", ...stored.configuration);
  expect(await stored.stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
});

test("with --target a list takes over the rules of its zone alone; the next run takes the others, also one that goes on after a kill when a list has taken its rules: nothing was missing", async () => {
  const { cloud } = stored.stack;
  const parents = "crosszone:network:Network$crosszone:network:Zone";
  const urn = `urn:pulumi:dev::crosszone::${parents}$qingcloud:cloud:SecurityGroupRules::beijing-peers`;
  expect(await actionsOf(() => upgrade("--target", urn))).toEqual({
    ModifySecurityGroupRuleAttributes: 3,
    ApplySecurityGroup: 1,
  });
  expect(nameless(await rulesInCloud())).toEqual(nameless(before));
  // Their resources stay: what is not targeted depends on them.
  expect([rulesInState().length, listsInState().length]).toEqual([16, 1]);

  // The groups' own rules are applied first, then those of the other list.
  await cloud.hold("ApplySecurityGroup", 3);
  const count = (name: string) => cloud.calls().filter(({ action }) => action === name).length;
  const killed = await actionsOf(async () => {
    const running = stored.stack.start(...up, ...stored.configuration);
    await vi.waitFor(() => expect(count("ApplySecurityGroup")).toBe(4), { timeout: 60_000, interval: 50 });
    await stored.stack.kill(running);
  });
  expect(killed).toEqual({ ModifySecurityGroupRuleAttributes: 13, ApplySecurityGroup: 3 });
  expect(nameless(await rulesInCloud())).toEqual(nameless(before));
  expect([rulesInState().length, listsInState().length]).toEqual([16, 1]);

  await cloud.letGo();
  expect(await actionsOf(() => upgrade())).toEqual({});
  await expectTakenOver();
  expect(count("AddSecurityGroupRules") + count("DeleteSecurityGroupRules")).toBe(0);
});
