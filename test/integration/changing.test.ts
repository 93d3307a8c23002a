/** Changes of a living stack: each is done by one `up`, after which the state, the cloud and the program are one. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";
import { differencesOf, idsInZones } from "../harness/whole-cloud.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const zoneIds = ["gpu1a", "gpu2a"];
const zoneOf = (name: string, zoneId: string, third: number) => ({
  ...{ name, zoneId, network: `192.168.${third}.0/24`, bandwidthMbps: 20, imageId: "img-deeplearning" },
});
const [beijing, shanghai] = [zoneOf("beijing", "gpu1a", 1), zoneOf("shanghai", "gpu2a", 2)] as const;

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
let before: string[];
beforeAll(async () => {
  stack = await Stack.here();
  before = await idsInZones(stack.cloud.client, zoneIds);
  stack.configure({ zones: [beijing, shanghai] });
  await change();
});
afterAll(async () => await stack?.remove());

/** One `up`, after which the whole state is in the whole cloud. @returns what it said */
async function change(): Promise<string> {
  const { code, text } = await stack.run(...up);
  if (code !== 0) throw new Error(`up ended with ${code}:\n${text}`);
  expect(await differencesOf(stack.cloud.client, zoneIds, stack.resources(), before)).toEqual([]);
  return text;
}

/** As `change`, and nothing is left to be changed. */
async function converge(): Promise<void> {
  await change();
  await stack.noChanges();
}

const idsOf = (type: string) =>
  Object.fromEntries(
    stack.resources(`:${type}`).map(({ urn, id = "" }) => [urn.split("::").at(-1) ?? "", id]),
  );
const hosts = () =>
  stack.outputs<{ zones: { zoneId: string; network: string; nodes: { privateIp: string }[] }[] }>().zones;

test("a zone moves to where the other one is, and back", async () => {
  const { "beijing-1": stays, "shanghai-1": moves } = idsOf("Instance");
  stack.configure({ zones: [beijing, { ...shanghai, zoneId: "gpu1a" }] });
  const text = await change();
  expect(text).toContain(
    `${moves} is replaced: what is on its disk is lost, e.g. the files and checkpoints of training.`,
  );
  expect(await stack.cloud.resources()).toMatchObject({ gpu2a: {} });
  stack.configure({ zones: [beijing, shanghai] });
  await converge();
  expect(hosts().map(({ zoneId }) => zoneId)).toEqual(zoneIds);
  expect(idsOf("Instance")).toEqual({
    "beijing-1": stays,
    "shanghai-1": expect.not.stringMatching(`^${moves}$`),
  });
});

test("two zones exchange their networks, on the same nodes", async () => {
  const nodes = idsOf("Instance");
  const [first, second] = [beijing.network, shanghai.network];
  stack.configure({
    zones: [
      { ...beijing, network: second },
      { ...shanghai, network: first },
    ],
  });
  await change();
  expect(hosts().map(({ network, nodes }) => [network, nodes[0]?.privateIp])).toEqual([
    [second, "192.168.2.2"],
    [first, "192.168.1.2"],
  ]);
  expect(idsOf("Instance")).toEqual(nodes);
  stack.configure({ zones: [beijing, shanghai] });
  await converge();
  expect(idsOf("Instance")).toEqual(nodes);
});

test("another kind of tunnel, and another zone that comes, leave the nodes; three exchange their networks over GRE, and their order", async () => {
  const nodes = idsOf("Instance");
  const gre = { kind: "gre", allowUnencrypted: true, check: "off" };
  const tianjin = zoneOf("tianjin", "gpu1a", 3);
  stack.configure({ tunnel: gre });
  await change();
  expect(idsOf("Instance")).toEqual(nodes);
  stack.configure({ zones: [beijing, shanghai, tianjin] });
  await change();
  const three = idsOf("Instance");
  expect(three).toEqual({ ...nodes, "tianjin-1": expect.stringMatching(/^i-/) });
  const rotated = [shanghai.network, tianjin.network, beijing.network] as const;
  stack.configure({
    zones: [
      { ...beijing, network: rotated[0] },
      { ...shanghai, network: rotated[1] },
      { ...tianjin, network: rotated[2] },
    ],
  });
  await change();
  expect(idsOf("Instance")).toEqual(three);
  const last = [
    beijing,
    { ...shanghai, network: tianjin.network },
    { ...tianjin, network: shanghai.network },
  ];
  stack.configure({ zones: last });
  await converge();
  const tunnels = Object.values(idsOf("GreTunnel")).toSorted();
  stack.configure({ zones: last.toReversed() });
  await converge();
  expect(Object.keys(idsOf("GreTunnel")).toSorted()[0]).toBe("shanghai-beijing-at-beijing");
  expect(Object.values(idsOf("GreTunnel")).toSorted()).toEqual(tunnels);
  stack.configure({ zones: last });
  await change();
  expect(idsOf("Instance")).toEqual(three);
});

test("a network of which a tunnel is deleted goes to another zone in two steps; in one that is refused before anything is made", async () => {
  const nodes = idsOf("Instance");
  const refused = async () =>
    await stack.cloud.changesBy(async () => {
      const { code, text } = await stack.start(...up).ended;
      expect([code, text]).toEqual([
        1,
        expect.stringMatching(
          /Zone "shanghai" is to get the network 192\.168\.2\.0\/24 in the same run that deletes tunnel (beijing|shanghai)-tianjin, which carries it/,
        ),
      ]);
      expect(text).toContain('(zone "shanghai": 192.168.3.0/24), with the `existing` of before');
    });
  const moved = { ...shanghai, network: "192.168.3.0/24" };
  const ipsec = { check: "off" };
  stack.configure({ zones: [beijing, shanghai, zoneOf("tianjin", "gpu1a", 3)], tunnel: ipsec });
  expect(await refused()).toEqual([]);
  stack.configure({ zones: [beijing, shanghai] });
  expect(await refused()).toEqual([]);
  stack.configure({ zones: [beijing, moved] });
  await change();
  stack.configure({ zones: [beijing, shanghai] });
  await converge();
  const { "tianjin-1": _, ...others } = nodes;
  expect(idsOf("Instance")).toEqual(others);
});

test("a zone under a new name is the same zone where that is said, else it is refused before anything is made", async () => {
  const [nodes, routers, addresses] = [idsOf("Instance"), idsOf("Vpc"), idsOf("Eip")];
  stack.configure({ zones: [{ ...beijing, name: "bj" }, shanghai] });
  const { code, text } = await stack.start(...up).ended;
  expect(code, text).toBe(1);
  expect(text).toContain("zones[0].formerly' beijing");
  stack.configure({ zones: [{ ...beijing, name: "bj", formerly: "beijing" }, shanghai] });
  const changes = await stack.cloud.changesBy(converge);
  expect(
    new Set(changes.map(([action]) => action).filter((action) => !/^Modify\w+Attributes$/.test(action))),
  ).toEqual(new Set());
  const renamed = (ids: Record<string, string>) =>
    Object.fromEntries(Object.entries(ids).map(([name, id]) => [name.replace("beijing", "bj"), id]));
  expect([idsOf("Instance"), idsOf("Vpc"), idsOf("Eip")]).toEqual([nodes, routers, addresses].map(renamed));
  stack.configure({ zones: [{ ...beijing, name: "bj" }, shanghai] });
  expect(await stack.cloud.changesBy(change)).toEqual([]);
});

test("another zone may then have the old name, and the first stays", async () => {
  const nodes = idsOf("Instance");
  stack.configure({ zones: [{ ...beijing, name: "bj" }, shanghai, zoneOf("beijing", "gpu2a", 3)] });
  await converge();
  expect(idsOf("Instance")).toEqual({ ...nodes, "beijing-1": expect.stringMatching(/^i-/) });
});

test("destroy leaves nothing", async () => {
  await stack.ok("destroy", "--yes", "--skip-preview", "--color", "never");
  expect(stack.resources()).toEqual([]);
  expect(await stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
});
