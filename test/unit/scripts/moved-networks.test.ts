import { expect, test } from "vitest";
import { movedNetworks } from "../../../scripts/dev/moved-networks.ts";

const net = (third: number) => `192.168.${third}.0/24`;
const zone = (name: string, third: number, formerly?: string) => ({
  ...{ name, zoneId: "gpu1a", network: net(third), ...(formerly === undefined ? {} : { formerly }) },
});
const network = "urn:pulumi:dev::crosszone::crosszone:network:Network";
const madeZone = (name: string, third: number) => {
  const parent = `${network}$crosszone:network:Zone::${name}`;
  const urn = `${network}$crosszone:network:Zone$qingcloud:cloud:Vxnet::${name}-vxnet`;
  const vxnet = { urn, type: "qingcloud:cloud:Vxnet", id: `vxnet-${name}`, parent };
  return [
    { urn: parent, type: "crosszone:network:Zone", parent: network },
    { ...vxnet, inputs: { ipNetwork: net(third) } },
  ];
};
const madeTunnel = (name: string, kind: "Ipsec" | "Gre", ...thirds: readonly number[]) => {
  const parent = `${network}$crosszone:network:Tunnel::${name}`;
  const type = `qingcloud:cloud:${kind}Tunnel`;
  const side = (third: number) => ({
    urn: `${network}$crosszone:network:Tunnel$${type}::${name}-${third}`,
    ...{ type, id: `rtrs-${third}`, parent, inputs: { targetNetworks: [net(third)] } },
  });
  return [{ urn: parent, type: "crosszone:network:Tunnel", parent: network }, ...thirds.map(side)];
};
const zones = [...madeZone("a", 1), ...madeZone("b", 2), ...madeZone("c", 3)];
const mesh = (kind: "Ipsec" | "Gre") => [
  ...madeTunnel("a-b", kind, 1, 2),
  ...madeTunnel("a-c", kind, 1, 3),
  ...madeTunnel("b-c", kind, 2, 3),
];
const made = { resources: [...zones, ...mesh("Ipsec")] };
const ipsec = { kind: "ipsec", topology: "mesh" } as const;
const exchanged = [zone("a", 1), zone("b", 3), zone("c", 2)];

test("the network of a zone that is taken out is refused to another one, with the two steps", () => {
  expect(movedNetworks([zone("a", 1), zone("b", 3)], ipsec, made)).toEqual([
    'Zone "b" is to get the network 192.168.3.0/24 in the same run that deletes tunnel a-c, which carries it: a tunnel is deleted last, and until then no other zone can have the network. Take two steps: give the zones that stay the networks of before (zone "b": 192.168.2.0/24), with the `existing` of before, leave new zones out, and run `up`; then change the networks and run `up` again.',
  ]);
});

test.each([
  ["another kind of tunnel", { ...ipsec, kind: "gre" }, ["b", "c"]],
  ["no tunnel any longer", { ...ipsec, kind: "none" }, ["b", "c"]],
  ["a star without their tunnel", { ...ipsec, topology: "star" }, ["b", "c"]],
] as const)("networks that are exchanged together with %s are refused", (_what, tunnel, refused) => {
  expect(movedNetworks(exchanged, tunnel, made)).toEqual(
    refused.map((name) => expect.stringContaining(`Zone "${name}" is to get the network`)),
  );
});

test("more GRE tunnels than there are subnets for are none of its matters", () => {
  const many = Array.from({ length: 24 }, (_, index) => zone(`z${index}`, 10 + index));
  expect(movedNetworks(many, { kind: "gre", topology: "mesh" }, {})).toEqual([]);
});

test.each([
  ["zones that exchange their networks", exchanged, made],
  ["zones that exchange them under new names", [zone("a", 1), zone("x", 3, "b"), zone("y", 2, "c")], made],
  ["a network that nobody had", [zone("a", 1), zone("b", 4)], made],
  ["networks as they were, with one zone less", [zone("a", 1), zone("b", 2)], made],
  ["a zone taken out where no tunnel was", [zone("a", 1), zone("b", 3)], { resources: zones }],
  ["a zone that is new", [zone("a", 1), zone("b", 2), zone("d", 3)], made],
  ["a first run", exchanged, {}],
])("%s: nothing is refused", (_what, wanted, state) => {
  expect(movedNetworks(wanted, ipsec, state)).toEqual([]);
});
