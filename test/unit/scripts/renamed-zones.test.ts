import { expect, test } from "vitest";
import { renamedZones } from "../../../scripts/dev/renamed-zones.ts";

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
