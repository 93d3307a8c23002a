/** Configurations for tests: a plain one, and random valid ones. */
import fc, { type Arbitrary } from "fast-check";
import { type Config, parseConfig } from "../../../infra/config.ts";

export const zoneOf = (name: string, third: number, more: object = {}) => ({
  name,
  zoneId: `${name}1a`,
  network: `192.168.${third}.0/24`,
  imageId: "img-1",
  ...more,
});

/** Two zones and nothing but what has no default. */
export const plain = {
  zones: [zoneOf("beijing", 1), zoneOf("shanghai", 2)],
  operatorCidrs: ["203.0.113.1/32"],
};

/** Without hyphens: with them, two pairs of zones may give one tunnel name, which is refused. */
const zoneName = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/);
const cidr = fc
  .tuple(fc.nat(223), fc.nat(255), fc.nat(255), fc.nat(255))
  .map(([a, b, c, d]) => `${a}.${b}.${c}.${d}/32`);

/** What a user might write, valid as a whole. */
export const validSettings: Arbitrary<{
  zones: { name: string }[];
  operatorCidrs: string[];
  training: object;
}> = fc
  .record({
    names: fc.uniqueArray(zoneName, { minLength: 2, maxLength: 6 }),
    thirds: fc.uniqueArray(fc.nat(255), { minLength: 6, maxLength: 6 }),
    nodes: fc.array(fc.integer({ min: 1, max: 253 }), { minLength: 6, maxLength: 6 }),
    vpc: fc.oneof(
      fc.constant("192.168"),
      fc.integer({ min: 16, max: 31 }).map((second) => `172.${second}`),
    ),
    bandwidthMbps: fc.integer({ min: 1, max: 1000 }),
    operatorCidrs: fc.uniqueArray(cidr, { minLength: 1, maxLength: 4 }),
    mode: fc.constantFrom("cross-zone", "none"),
    kind: fc.constantFrom("ipsec", "gre"),
    topology: fc.constantFrom("mesh", "star"),
    intranet: fc.constantFrom("auto", "off"),
    zoneIds: fc.array(fc.constantFrom("pek3b", "pek3c", "sh1a"), { minLength: 6, maxLength: 6 }),
    masterPort: fc.integer({ min: 1024, max: 65535 }),
  })
  .map(({ names, thirds, nodes, vpc, bandwidthMbps, zoneIds, ...more }) => ({
    zones: names.map((name, index) => ({
      ...zoneOf(name, 0),
      zoneId: zoneIds[index],
      network: `${vpc}.${thirds[index]}.0/24`,
      nodes: nodes[index],
      bandwidthMbps,
    })),
    vpcNetwork: `${vpc}.0.0/16`,
    operatorCidrs: more.operatorCidrs,
    tunnel: {
      kind: more.kind,
      topology: more.topology,
      intranet: more.intranet,
      allowUnencrypted: more.kind === "gre",
    },
    training: { mode: more.mode, masterPort: more.masterPort },
  }));

export const validConfig: Arbitrary<Config> = validSettings.map((settings) => parseConfig(settings));
