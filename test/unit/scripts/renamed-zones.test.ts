import { expect, test } from "vitest";
import { hasFormerName, renamedZones, zonesToRename } from "../../../scripts/dev/renamed-zones.ts";

const zone = (name: string, third: number, formerly?: string) => ({
  name,
  network: `192.168.${third}.0/24`,
  ...(formerly === undefined ? {} : { formerly }),
});
const network = "urn:pulumi:dev::crosszone::crosszone:network:Network";
/** What the state has of a zone: its component, its vxnet and a node, each under a name that it has. */
const holdingZone = (component: string, third: number, [ofVxnet, ofNode] = [component, component]) => {
  const parent = `${network}$crosszone:network:Zone::${component}`;
  const inside = (type: string, name: string, inputs: object) => ({
    urn: `${network}$crosszone:network:Zone$qingcloud:cloud:${type}::${name}`,
    ...{ type: `qingcloud:cloud:${type}`, id: `${type}-1`, parent, inputs: { ...inputs } },
  });
  return [
    { urn: parent, type: "crosszone:network:Zone", parent: network },
    inside("Vxnet", `${ofVxnet}-vxnet`, { ipNetwork: `192.168.${third}.0/24` }),
    inside("Instance", `${ofNode}-1`, { privateIp: `192.168.${third}.2` }),
  ];
};
const joinedZone = (name: string, third: number) =>
  holdingZone(name, third).filter(({ type }) => !type.endsWith("Vxnet"));
const made = { resources: [...holdingZone("beijing", 1), ...holdingZone("shanghai", 2)] };

test("a zone whose network was another one's, which is gone, is refused, with what to do", () => {
  expect(renamedZones([zone("bj", 1), zone("shanghai", 2)], made)).toEqual([
    'Zone "bj" has the network of "beijing" (192.168.1.0/24), which the stack has and the configuration no longer names. If it is the same zone, say so: npm run pulumi -- config set --path \'crosszone:zones[0].formerly\' beijing. If it is another one, give it another network, or run `up` without both first.',
  ]);
});

test.each([
  ["of a joined vxnet", joinedZone("beijing", 1), "beijing"],
  ["that an up has made which failed", holdingZone("beijing", 1).slice(0, 2), "beijing"],
])("so is one %s", (_what, resources, name) => {
  expect(renamedZones([zone("bj", 1)], { resources })[0]).toContain(
    `Zone "bj" has the network of "${name}" (192.168.1.0/24)`,
  );
});

test("one whose renaming was cut off is ended by its new name, or by its old one as the new one's former one", () => {
  const resources = holdingZone("bj", 1, ["bj", "beijing"]);
  for (const same of [zone("bj", 1, "beijing"), zone("beijing", 1, "bj")])
    expect(renamedZones([same], { resources })).toEqual([]);
  expect(renamedZones([zone("beijing", 1)], { resources })).toEqual([
    'Zone "beijing" has the network of "bj" (192.168.1.0/24), which the stack has and the configuration no longer names. If it is the same zone, say so: npm run pulumi -- config set --path \'crosszone:zones[0].formerly\' bj. If it is another one, give it another network, or run `up` without both first.',
  ]);
  expect(renamedZones([zone("bj", 1)], { resources })).toEqual([
    expect.stringContaining("formerly' beijing."),
  ]);
  for (const other of [zone("peking", 1, "beijing"), zone("peking", 1)])
    expect(renamedZones([other], { resources })).toEqual([
      'Zone "peking" has the network of "bj" and "beijing" (192.168.1.0/24), which is one zone whose renaming was cut off. End that first: give it the name "bj" with `formerly: beijing`, and run `up`; then give it another name.',
    ]);
});

test("the name of a zone whose renaming was cut off is no other zone's yet, also where its router alone has it", () => {
  const [parent, ...inside] = holdingZone("bj", 1);
  const router = {
    urn: `${network}$crosszone:network:Zone$qingcloud:cloud:Vpc::beijing-router`,
    ...{ type: "qingcloud:cloud:Vpc", id: "rtr-1", parent: parent?.urn, inputs: {} },
  };
  for (const resources of [
    holdingZone("bj", 1, ["beijing", "beijing"]),
    [...(parent === undefined ? [] : [parent]), router, ...inside],
  ]) {
    expect(renamedZones([zone("bj", 1), zone("beijing", 4)], { resources })).toEqual([
      'Zone "bj" has the network of "beijing" (192.168.1.0/24), whose renaming was cut off, and another zone is to be called "beijing". End that first: give "bj" `formerly: beijing`, leave the other one out, and run `up`; then put it back.',
    ]);
    expect(renamedZones([zone("bj", 1, "beijing")], { resources })).toEqual([]);
  }
});

test("where only its component has the new name, that is said, too", () => {
  const resources = holdingZone("bj", 1, ["beijing", "beijing"]);
  expect(renamedZones([zone("beijing", 1)], { resources })).toEqual([
    expect.stringContaining("formerly' bj."),
  ]);
  expect(renamedZones([zone("beijing", 1, "peking")], { resources })).toEqual([
    expect.stringContaining("say so, in place of peking: "),
  ]);
});

test.each([
  ["that is said to be the same one", [zone("bj", 1, "beijing"), zone("shanghai", 2)], made],
  ["with another network", [zone("bj", 3), zone("shanghai", 2)], made],
  ["that takes the network of one that is still there", [zone("beijing", 2), zone("shanghai", 1)], made],
  ["beside the others", [zone("beijing", 1), zone("shanghai", 2), zone("tianjin", 3)], made],
  ["of a stack that has made none", [zone("bj", 1)], {}],
  ["with the network of one that goes, and was there before", [zone("shanghai", 1)], made],
])("a zone %s is taken", (_what, zones, stored) => {
  expect(renamedZones(zones, stored)).toEqual([]);
});

const bj = zone("bj", 1, "beijing");
const urnOf = (name: string) =>
  `urn:pulumi:dev::crosszone::crosszone:network:Network$qingcloud:cloud:Eip::${name}`;
const holding = (...names: string[]) => ({
  resources: names.map((name) => ({ urn: urnOf(name), type: "t" })),
});
const creating = (...names: string[]) => ({
  pending_operations: names.map((name) => ({ type: "creating", resource: { urn: urnOf(name) } })),
});

test.each([
  ["whose resources have the former name", holding("beijing"), ["bj"]],
  ["of which a killed run was making something", creating("beijing-1"), ["bj"]],
  ["of which a killed run was making a tunnel", creating("shanghai-beijing"), ["bj"]],
  ["whose resources have the new name", holding("bj", "shanghai", "bj-shanghai"), []],
  ["of a stack that has made none", {}, []],
])("a zone %s is renamed: %#", (_what, stored, renamed) => {
  expect(zonesToRename([bj, zone("shanghai", 2)], stored).map(({ name }) => name)).toEqual(renamed);
});

test.each([
  ["beijing-1-0badcafe-12345678", "bj", "beijing", true],
  ["nanjing-beijing-0badcafe-12345678", "bj", "beijing", true],
  ["beijing2-1-0badcafe-12345678", "bj", "beijing", false],
  ["gpu-2-1-0badcafe-12345678", "gpu-2", "gpu", false],
  ["gpu-router-0badcafe-12345678", "gpu-2", "gpu", true],
  ["bj-0badcafe-12345678", "bj", undefined, false],
  ["a.-0badcafe-12345678", "bj", "a(.", false],
])("whether %s is of zone %s when it was %s: %s", (name, now, formerly, expected) => {
  const renamed = zone(now, 1, formerly);
  expect(hasFormerName(name, renamed, [renamed])).toBe(expected);
});
