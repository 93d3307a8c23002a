/** Routers whose rules are resources: two of one zone that meet in its intranet, and one that exists already. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { plain, zoneOf } from "../configurations.ts";
import { type Deployment, deletedFirst, deploy, ofTypes, registered } from "./deployment.ts";

const networkAlone = { ...plain, training: { mode: "none" }, tunnel: { check: "off" } };
const fromPeer = (zone: string, peer: string) =>
  ["esp", "udp-4500", "udp-500"].map((what) => `SecurityGroupRule ${zone}-${what}-from-${peer}`);
const ofOperators = (zone: string) => `SecurityGroupRule ${zone}-tcp-2201-from-203.0.113.1/32`;

afterEach(() => vi.unstubAllEnvs());

test("with check: off nothing runs on the nodes, and nothing is checked", async () => {
  expect(ofTypes(await deploy(networkAlone), "NodeReady", "PathCheck", "ReachCheck")).toEqual({});
});

describe("an intranet pair", () => {
  let made: Deployment;
  beforeAll(async () => {
    const zones = [
      zoneOf("beijing", 1, { zoneId: "pek3b" }),
      zoneOf("tianjin", 3, { zoneId: "pek3b", bandwidthMbps: 20 }),
    ];
    made = await deploy({ ...networkAlone, zones });
  });

  test("each router lets the other's intranet address in once that router is there, by one list of rules", () => {
    const list = (zone: string, peer: string) => {
      const group = `SecurityGroup ${zone}-firewall`;
      const cidrBlock = `intranet address of id of Vpc ${peer}-router/32`;
      return registered({
        parent: `Zone ${zone}`,
        inputs: {
          ...{ zone: "pek3b", mark: "mark", securityGroupId: `id of ${group}` },
          rules: [
            { protocol: "udp", fromPort: 500, toPort: 500, cidrBlock },
            { protocol: "udp", fromPort: 4500, toPort: 4500, cidrBlock },
            { protocol: "esp", cidrBlock },
          ],
        },
        dependencies: [group, "StackMark mark", `Vpc ${peer}-router`],
        deletedWith: group,
      });
    };
    expect(ofTypes(made, "SecurityGroupRules", "SecurityGroupRule")).toEqual({
      "SecurityGroupRules beijing-peers": list("beijing", "tianjin"),
      "SecurityGroupRules tianjin-peers": list("tianjin", "beijing"),
    });
  });

  test("a router gets its group when operators are let in: an exchange of groups closes no login", () => {
    const ofZone = (zone: string): Deployment => ({
      [`SecurityGroup ${zone}-firewall`]: registered({
        parent: `Zone ${zone}`,
        // Peers are let in by a list that comes after the routers.
        inputs: {
          ...{ zone: "pek3b", mark: "mark", keepOthers: true },
          rules: [{ protocol: "tcp", fromPort: 2201, toPort: 2201, cidrBlock: "203.0.113.1/32" }],
        },
        dependencies: ["StackMark mark"],
      }),
      [`Vpc ${zone}-router`]: registered({
        options: deletedFirst,
        parent: `Zone ${zone}`,
        inputs: {
          ...{ zone: "pek3b", mark: "mark", vpcNetwork: "192.168.0.0/16" },
          eipId: `id of Eip ${zone}`,
          securityGroupId: `id of SecurityGroup ${zone}-firewall`,
        },
        dependencies: [`Eip ${zone}`, `SecurityGroup ${zone}-firewall`, "StackMark mark"],
      }),
    });
    expect(ofTypes(made, "SecurityGroup", "Vpc")).toEqual({ ...ofZone("beijing"), ...ofZone("tianjin") });
  });

  test("sides name the peer's router, accept any name of it, and wait for the rules", () => {
    const side = (zone: string, peer: string, [local, target]: readonly [string, string]) =>
      registered({
        options: deletedFirst,
        parent: "Tunnel beijing-tianjin",
        inputs: {
          ...{ zone: "pek3b", mark: "mark", vpcId: `id of Vpc ${zone}-router` },
          remoteAddress: `id of Vpc ${peer}-router`,
          remoteId: "%any",
          presharedKey: { secret: "pre-shared key beijing-tianjin" },
          localNetworks: [local],
          targetNetworks: [target],
        },
        dependencies: [
          ...["PresharedKey beijing-tianjin", "StackMark mark", "Vpc beijing-router", "Vpc tianjin-router"],
          `SecurityGroupRules ${zone}-peers`,
        ],
        deletedWith: `Vpc ${zone}-router`,
        secretOutputs: ["presharedKey"],
      });
    expect(ofTypes(made, "IpsecTunnel")).toEqual({
      "IpsecTunnel beijing-tianjin-at-beijing": side("beijing", "tianjin", [
        "192.168.1.0/24",
        "192.168.3.0/24",
      ]),
      "IpsecTunnel beijing-tianjin-at-tianjin": side("tianjin", "beijing", [
        "192.168.3.0/24",
        "192.168.1.0/24",
      ]),
    });
  });

  test("a command with --target keeps the resources of single rules that 0.2.0 has left, and what depends on them", async () => {
    const kept = [ofOperators("beijing"), "SecurityGroupRule tianjin-esp-from-beijing"];
    vi.stubEnv("CROSSZONE_SINGLE_RULES", kept.map((name) => name.split(" ")[1]).join(" "));
    const zones = [zoneOf("beijing", 1, { zoneId: "pek3b" }), zoneOf("tianjin", 3, { zoneId: "pek3b" })];
    const left = await deploy({ ...networkAlone, zones });
    expect(Object.keys(ofTypes(left, "SecurityGroupRule"))).toEqual(kept);
    expect(Object.keys(ofTypes(left, "SecurityGroupRules"))).toHaveLength(2);
    const dependents = Object.entries(left).flatMap(([name, { dependencies }]) =>
      dependencies.filter((urn) => urn.startsWith("SecurityGroupRule ")).map((urn) => [name, urn]),
    );
    expect(dependents.toSorted()).toEqual([
      ["IpsecTunnel beijing-tianjin-at-tianjin", kept[1]],
      ["PortForward tianjin-1-ssh", kept[1]],
      ["Vpc beijing-router", kept[0]],
    ]);
    expect(left["SecurityGroupRules tianjin-peers"]?.inputs).toEqual(
      made["SecurityGroupRules tianjin-peers"]?.inputs,
    );
  });

  test("no bandwidth of an EIP is expected of its path", async () => {
    const zones = [zoneOf("beijing", 1, { zoneId: "pek3b" }), zoneOf("tianjin", 3, { zoneId: "pek3b" })];
    const checked = await deploy({ ...plain, zones, training: { mode: "none" } });
    const inputs = checked["PathCheck beijing-tianjin"]?.inputs;
    expect(inputs).not.toHaveProperty("expectedMbps");
    expect(inputs).toMatchObject({ tunnels: [{ over: "intranet" }] });
    expect(JSON.stringify(inputs)).not.toMatch(/bandwidthMbps|Mbit/);
  });
});

describe("a zone that exists", () => {
  const vpc = { id: "rtr-1", securityGroupId: "sg-1" };
  const eip = { id: "eip-1", address: "203.0.113.7", bandwidth: 30 };
  const added = [...fromPeer("beijing", "shanghai"), ofOperators("beijing")];

  test("makes no router, network, EIP or group there: rules are added to what the router has", async () => {
    const made = await deploy(networkAlone, { beijing: { vpc, vxnetId: "vxnet-1", eip } });
    expect(Object.keys(ofTypes(made, "Eip", "Vpc", "Vxnet", "SecurityGroup"))).toEqual([
      "Eip shanghai",
      "SecurityGroup shanghai-router",
      "Vpc shanghai-router",
      "Vxnet shanghai-vxnet",
    ]);
    expect(ofTypes(made, "VpcEip")).toEqual({
      "VpcEip beijing-router": registered({
        options: deletedFirst,
        parent: "Zone beijing",
        // It was on the router before: it stays there.
        inputs: { zone: "beijing1a", vpcId: "rtr-1", eipId: "eip-1", keepFound: true },
      }),
    });
    expect(Object.keys(ofTypes(made, "SecurityGroupRule"))).toEqual(added.toSorted());
    for (const name of added)
      expect(made[name]).toMatchObject({ inputs: { securityGroupId: "sg-1" }, deletedWith: undefined });
    expect(made["Instance beijing-1"]?.inputs).toMatchObject({ vxnetId: "vxnet-1" });
    // The router outlives them, so each is deleted for itself, and before the rules.
    for (const name of ["PortForward beijing-1-ssh", "IpsecTunnel beijing-shanghai-at-beijing"]) {
      expect(made[name]).toMatchObject({ inputs: { vpcId: "rtr-1" }, deletedWith: undefined });
      expect(made[name]?.dependencies).toEqual(expect.arrayContaining([...added, "VpcEip beijing-router"]));
    }
    expect(made["IpsecTunnel beijing-shanghai-at-shanghai"]?.inputs).toMatchObject({
      remoteAddress: "203.0.113.7",
    });
  });

  test("gets an EIP where the router has none, which goes when the stack goes", async () => {
    const made = await deploy(networkAlone, { beijing: { vpc } });
    expect(made["VpcEip beijing-router"]?.inputs).toEqual({
      ...{ zone: "beijing1a", vpcId: "rtr-1", eipId: "id of Eip beijing", keepFound: false },
    });
    expect(Object.keys(ofTypes(made, "Eip", "Vxnet"))).toEqual([
      "Eip beijing",
      "Eip shanghai",
      "Vxnet beijing-vxnet",
      "Vxnet shanghai-vxnet",
    ]);
  });
});
