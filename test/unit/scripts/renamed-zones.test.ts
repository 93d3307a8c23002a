import { expect, test } from "vitest";
import { hasFormerName, renamedZones, zonesToRename } from "../../../scripts/dev/renamed-zones.ts";

const zone = (name: string, third: number, formerly?: string) => ({
  name,
  network: `192.168.${third}.0/24`,
  ...(formerly === undefined ? {} : { formerly }),
});
const state = (...zones: object[]) => ({
  resources: [{ urn: "urn:stack", type: "pulumi:pulumi:Stack", outputs: { zones } }],
});
const made = state(zone("beijing", 1), zone("shanghai", 2));

test("a zone whose network was another one's, which is gone, is refused, with what to do", () => {
  expect(renamedZones([zone("bj", 1), zone("shanghai", 2)], made)).toEqual([
    'Zone "bj" has the network of "beijing" (192.168.1.0/24), which the stack has and the configuration no longer names. If it is the same zone, say so: npm run pulumi -- config set --path \'crosszone:zones[0].formerly\' beijing. If it is another one, give it another network, or run `up` without both first.',
  ]);
});

test.each([
  ["that is said to be the same one", [zone("bj", 1, "beijing"), zone("shanghai", 2)], made],
  ["with another network", [zone("bj", 3), zone("shanghai", 2)], made],
  ["that takes the network of one that is still there", [zone("beijing", 2), zone("shanghai", 1)], made],
  ["beside the others", [zone("beijing", 1), zone("shanghai", 2), zone("tianjin", 3)], made],
  ["of a stack that has made none", [zone("bj", 1)], {}],
  ["of a stack that did not come to its outputs", [zone("bj", 1)], { resources: [] }],
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
