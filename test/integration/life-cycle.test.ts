/** Every kind of resource through its whole life: the real provider process against a real local cloud. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { definitions } from "../../provider/definitions.ts";
import { type Properties, unknownValue } from "../../provider/rpc/values.ts";
import { startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { type Case, cases as outerCases, zone } from "./cases.ts";
import { insideCases, keys, userData } from "./inside-cases.ts";
import { joiningCases } from "./joining-cases.ts";
import { type Change, callsOf, changesAmong, Provider, urnOf } from "./support.ts";

interface Made {
  readonly id: string;
  inputs: Properties;
  properties: Properties;
}

const cases = [...outerCases, ...insideCases, ...joiningCases];
const made = new Map<string, Made>();
let cloud: TestCloud;
let provider: Provider;

beforeAll(async () => {
  cloud = await startTestCloud();
  provider = await Provider.start(join(cloud.home, "config.yaml"));
});

afterAll(async () => {
  await provider?.stop();
  await cloud?.stop();
});

const idOf = (name: string): string => madeOf(name).id;

function madeOf(name: string): Made {
  const resource = made.get(name);
  if (resource === undefined) throw new Error(`"${name}" was not made`);
  return resource;
}

/** What `work` changed in the cloud; each call must have been accepted. */
async function changesBy(work: () => Promise<unknown>): Promise<readonly Change[]> {
  const before = callsOf(cloud.home).length;
  await work();
  const calls = callsOf(cloud.home).slice(before);
  expect(calls.filter((each) => each.ret_code !== 0)).toEqual([]);
  expect(new Set(calls.map((each) => each.zone)).difference(new Set([zone]))).toEqual(new Set());
  return changesAmong(calls).map(([action, parameters]) => [
    action,
    // Ids of rules are the cloud's alone.
    Object.fromEntries(
      Object.entries(parameters).map(([name, value]) => [name, value.replace(/^sgr-.*/, "RULE")]),
    ),
  ]);
}

const title = "$type $name";
const withUpdate = cases.filter((each) => each.update !== undefined);

test("the cases cover every kind that needs no data plane", () => {
  const kinds = definitions.map(({ type }) => type).filter((type) => !type.startsWith("qingcloud:link:"));
  expect([...new Set(cases.map(({ type }) => type))].sort()).toEqual([...kinds].sort());
});

test.each(cases)(`${title}: a preview with unknown inputs asks the cloud nothing`, async (each) => {
  const urn = urnOf(each.type, each.name);
  const unknowns = Object.fromEntries((each.unknowns ?? []).map((name) => [name, unknownValue]));
  // Dependencies are not made yet: every id is unknown or any text.
  const inputs = { ...each.inputs(() => "any-id"), ...unknowns };
  const before = callsOf(cloud.home).length;
  const checked = await provider.check(urn, inputs);
  expect(checked).toEqual({ inputs: { ...each.defaults, ...inputs }, failures: [] });
  const previewed = await provider.create(urn, checked.inputs, { preview: true });
  expect(previewed.id).toBe("");
  const outputs = Object.fromEntries(each.outputs.map((name) => [name, unknownValue]));
  expect(previewed.properties).toEqual({ ...outputs, ...checked.inputs });
  expect(callsOf(cloud.home).slice(before)).toEqual([]);
});

test.each(cases)(`${title}: is made by exactly these calls and is then without drift`, async (each) => {
  const urn = urnOf(each.type, each.name);
  const inputs = each.inputs(idOf);
  const checked = await provider.check(urn, inputs);
  expect(checked).toEqual({ inputs: { ...each.defaults, ...inputs }, failures: [] });
  const changes = await changesBy(async () => {
    const { id, properties, secrets } = await provider.create(urn, checked.inputs);
    expect(id).not.toBe("");
    expect(properties).toMatchObject(checked.inputs);
    for (const output of each.outputs) expect(properties[output]).toEqual(expect.stringMatching(/./));
    expect(secrets).toEqual(each.secrets ?? []);
    made.set(each.name, { id, inputs: checked.inputs, properties });
  });
  expect(changes).toEqual(each.created(idOf));
  await expectNoDrift(each);
});

test.each(withUpdate)(`${title}: is changed in place by exactly these calls`, async (each) => {
  const urn = urnOf(each.type, each.name);
  const resource = madeOf(each.name);
  const changed = each.update?.to(idOf) ?? {};
  const { inputs: news, failures } = await provider.check(urn, { ...resource.inputs, ...changed });
  expect(failures).toEqual([]);
  const diff = await provider.diff(urn, resource.id, resource.inputs, news);
  expect(diff.isNone).toBe(false);
  expect(diff.diffs.toSorted()).toEqual(Object.keys(changed).sort());
  expect(diff.replaces).toEqual([]);
  const changes = await changesBy(async () => {
    const { id, properties, inputs } = resource;
    const updated = await provider.update(urn, id, properties, inputs, news);
    expect(updated.properties).toMatchObject(news);
    expect(updated.secrets).toEqual(each.secrets ?? []);
    made.set(each.name, { id, inputs: news, properties: updated.properties });
  });
  expect(changes).toEqual(each.update?.calls(idOf));
  await expectNoDrift(each);
});

test.each(cases)(`${title}: an import by zone/id finds the inputs, secrets included`, async (each) => {
  const { id, inputs } = madeOf(each.name);
  const imported = await provider.read(urnOf(each.type, each.name), `${zone}/${id}`);
  if (each.imported === "nothing") return expect(imported).toBeUndefined();
  expect(imported?.id).toBe(id);
  expect(imported?.inputs).toEqual(without({ ...inputs, ...each.imported }));
});

test("neither keys nor user data are in clear in the cloud's record of calls", () => {
  const record = JSON.stringify(callsOf(cloud.home));
  for (const hidden of [...keys, userData, Buffer.from(userData).toString("base64")])
    expect(record).not.toContain(hidden);
  expect(record).toContain("[secret]");
});

test.each(cases.toReversed())(
  `${title}: is deleted by exactly these calls, and once more by none`,
  async (each) => {
    const urn = urnOf(each.type, each.name);
    const { id, inputs, properties } = madeOf(each.name);
    const remove = () => provider.delete(urn, id, inputs, properties);
    expect(await changesBy(remove)).toEqual(each.deleted(idOf));
    if (each.type.startsWith("qingcloud:cloud:")) {
      expect(await provider.read(urn, id, { inputs, properties })).toBeUndefined();
    }
    await remove();
  },
);

test("all of it is gone from the cloud", async () => {
  const left = await Promise.all(
    [
      ["DescribeEips", "eip_set"],
      ["DescribeRouters", "router_set"],
      ["DescribeKeyPairs", "keypair_set"],
      ["DescribeInstances", "instance_set"],
    ].map(async ([action = "", set = ""]) => {
      const items = (await cloud.client.ok(action))[set] as { status?: string }[];
      return items.filter(({ status }) => !/^(released|deleted|ceased)$/.test(status ?? ""));
    }),
  );
  expect(left.flat()).toEqual([]);
});

/** A refresh finds what the program wrote, and a second `up` has nothing to do. */
async function expectNoDrift(each: Case): Promise<void> {
  const urn = urnOf(each.type, each.name);
  const { id, inputs, properties } = madeOf(each.name);
  const changes = await changesBy(async () => {
    const read = await provider.read(urn, id, { inputs, properties });
    expect(read).toEqual({ id, inputs, properties, secrets: each.secrets ?? [] });
    const { inputs: again } = await provider.check(urn, inputs);
    expect(await provider.diff(urn, id, inputs, again)).toEqual({ isNone: true, diffs: [], replaces: [] });
  });
  expect(changes).toEqual([]);
}

function without(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}
