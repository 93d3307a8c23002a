import { beforeAll, describe, expect, test } from "vitest";
import { plain, zoneOf } from "../configurations.ts";
import { type Deployment, deletedFirst, deploy, ofTypes, registered } from "./deployment.ts";

const noTraining = { ...plain, training: { mode: "none" } };
const tianjin = zoneOf("tianjin", 3);

/** How a zone's first node is reached. */
const connectionOf = (zone: string) => ({
  host: `address of ${zone}`,
  port: 2201,
  user: "ubuntu",
  privateKey: { secret: "private key operator" },
  hostKey: `public key ${zone}-1-host`,
});
const dependenciesOfConnection = (zone: string) => [
  `Eip ${zone}`,
  `SshKey ${zone}-1-host`,
  "SshKey operator",
];

/** A zone of one node, the side of its tunnel with it. */
function zoneWith(zone: string, peer: string, third: number): Deployment {
  const own = { zone: `${zone}1a`, mark: "mark" };
  const [parent, vpcId] = [`Zone ${zone}`, `id of Vpc ${zone}-router`];
  const [network, networkOfPeer] = [`192.168.${third}.0/24`, `192.168.${3 - third}.0/24`];
  const fromPeer = { cidrBlock: `address of ${peer}/32` };
  const instance = `Instance ${zone}-1`;
  return {
    [`Eip ${zone}`]: registered({
      options: deletedFirst,
      parent: "Network network",
      inputs: { ...own, bandwidth: 100 },
      dependencies: ["StackMark mark"],
    }),
    [parent]: registered({ parent: "Network network" }),
    [`SecurityGroup ${zone}-router`]: registered({
      parent,
      inputs: {
        ...own,
        rules: [
          { protocol: "tcp", fromPort: 2201, toPort: 2201, cidrBlock: "203.0.113.1/32" },
          { protocol: "udp", fromPort: 500, toPort: 500, ...fromPeer },
          { protocol: "udp", fromPort: 4500, toPort: 4500, ...fromPeer },
          { protocol: "esp", ...fromPeer },
        ],
      },
      dependencies: [`Eip ${peer}`, "StackMark mark"],
    }),
    [`Vpc ${zone}-router`]: registered({
      options: deletedFirst,
      parent,
      inputs: {
        ...own,
        vpcNetwork: "192.168.0.0/16",
        eipId: `id of Eip ${zone}`,
        securityGroupId: `id of SecurityGroup ${zone}-router`,
      },
      dependencies: [`Eip ${zone}`, `SecurityGroup ${zone}-router`, "StackMark mark"],
    }),
    [`Vxnet ${zone}-vxnet`]: registered({
      options: deletedFirst,
      parent,
      inputs: { ...own, vpcId, ipNetwork: network },
      dependencies: ["StackMark mark", `Vpc ${zone}-router`],
    }),
    [`KeyPair ${zone}-operator`]: registered({
      parent,
      inputs: { ...own, publicKey: "public key operator" },
      dependencies: ["SshKey operator", "StackMark mark"],
    }),
    [`SshKey ${zone}-1-host`]: registered({ parent, secretOutputs: ["privateKey"] }),
    [instance]: registered({
      options: { ...deletedFirst, ignoreChanges: ["hostname", "userData"] },
      parent,
      inputs: {
        ...own,
        instanceType: "g2ntp100.4xlarge.r4",
        imageId: "img-1",
        hostname: `${zone}-1`,
        vxnetId: `id of Vxnet ${zone}-vxnet`,
        privateIp: `192.168.${third}.2`,
        keypairId: `id of KeyPair ${zone}-operator`,
        // With the host key, so the whole of it.
        userData: { secret: expect.stringContaining(`\nprivate key ${zone}-1-host\n`) },
      },
      dependencies: [
        `KeyPair ${zone}-operator`,
        `SshKey ${zone}-1-host`,
        "StackMark mark",
        `Vxnet ${zone}-vxnet`,
      ],
      secretOutputs: ["userData"],
    }),
    [`PortForward ${zone}-1-ssh`]: registered({
      options: deletedFirst,
      parent,
      inputs: { ...own, vpcId, sourcePort: 2201, targetAddress: `192.168.${third}.2`, targetPort: 22 },
      dependencies: ["StackMark mark", `Vpc ${zone}-router`],
      deletedWith: `Vpc ${zone}-router`,
    }),
    [`NodeReady ${zone}-1`]: registered({
      parent,
      inputs: { connection: connectionOf(zone), needs: [], triggers: [`id of ${instance}`] },
      dependencies: [instance, `PortForward ${zone}-1-ssh`, ...dependenciesOfConnection(zone)],
      deletedWith: instance,
      secretOutputs: ["connection"],
    }),
    [`IpsecTunnel beijing-shanghai-at-${zone}`]: registered({
      options: deletedFirst,
      parent: "Tunnel beijing-shanghai",
      inputs: {
        ...own,
        vpcId,
        remoteAddress: `address of ${peer}`,
        presharedKey: { secret: "pre-shared key beijing-shanghai" },
        localNetworks: [network],
        targetNetworks: [networkOfPeer],
      },
      dependencies: [`Eip ${peer}`, "PresharedKey beijing-shanghai", "StackMark mark", `Vpc ${zone}-router`],
      deletedWith: `Vpc ${zone}-router`,
      secretOutputs: ["presharedKey"],
    }),
  };
}

const pair = ["beijing", "shanghai"] as const;

test("two zones: every resource with its parent, inputs, dependencies, secrets and what it is deleted with", async () => {
  const sides = pair.map((zone) => `IpsecTunnel beijing-shanghai-at-${zone}`);
  const end = (zone: string, third: number) => ({
    zone: `${zone}1a`,
    vpcId: `id of Vpc ${zone}-router`,
    staticId: `id of IpsecTunnel beijing-shanghai-at-${zone}`,
    networks: [`192.168.${third}.0/24`],
    bandwidthMbps: 100,
  });
  expect(await deploy(noTraining)).toEqual({
    "Network network": registered({ parent: undefined }),
    "StackMark mark": registered({ parent: "Network network", inputs: { sweep: true } }),
    "SshKey operator": registered({
      parent: "Network network",
      inputs: { comment: "operator" },
      secretOutputs: ["privateKey"],
    }),
    ...zoneWith("beijing", "shanghai", 1),
    ...zoneWith("shanghai", "beijing", 2),
    "Tunnel beijing-shanghai": registered({ parent: "Network network" }),
    "PresharedKey beijing-shanghai": registered({
      parent: "Tunnel beijing-shanghai",
      secretOutputs: ["value"],
    }),
    "PathCheck beijing-shanghai": registered({
      parent: "Tunnel beijing-shanghai",
      inputs: {
        from: { connection: connectionOf("beijing"), address: "192.168.1.2" },
        to: { connection: connectionOf("shanghai"), address: "192.168.2.2" },
        mtu: 1400,
        effort: "quick",
        tunnels: [{ kind: "ipsec", over: "internet", ends: [end("beijing", 1), end("shanghai", 2)] }],
        expectedMbps: expect.closeTo(90.713, 3),
        triggers: [
          ...sides.map((side) => `id of ${side}`),
          "id of Instance beijing-1",
          "id of Instance shanghai-1",
          "100 Mbit/s",
          "100 Mbit/s",
        ],
      },
      dependencies: [
        ...new Set(
          pair.flatMap((zone) => [
            ...dependenciesOfConnection(zone),
            `Instance ${zone}-1`,
            `NodeReady ${zone}-1`,
            `Vpc ${zone}-router`,
          ]),
        ),
        ...sides,
      ],
      deletedWith: "Instance beijing-1",
      secretOutputs: ["from", "to"],
    }),
  });
});

test("a GRE tunnel has a key and addresses for both sides, no secret, and its own rule", async () => {
  const made = await deploy({ ...noTraining, tunnel: { kind: "gre", allowUnencrypted: true } });
  expect(ofTypes(made, "PresharedKey", "IpsecTunnel")).toEqual({});
  const side = (zone: string, peer: string, [here, there]: readonly [number, number]) =>
    registered({
      options: deletedFirst,
      parent: "Tunnel beijing-shanghai",
      inputs: {
        ...{ zone: `${zone}1a`, mark: "mark", vpcId: `id of Vpc ${zone}-router` },
        remoteAddress: `address of ${peer}`,
        key: 1019,
        localAddress: `10.254.18.${here}`,
        peerAddress: `10.254.18.${there}`,
        targetNetworks: [`192.168.${there}.0/24`],
      },
      dependencies: [`Eip ${peer}`, "StackMark mark", `Vpc ${zone}-router`],
      deletedWith: `Vpc ${zone}-router`,
    });
  expect(ofTypes(made, "GreTunnel")).toEqual({
    "GreTunnel beijing-shanghai-at-beijing": side("beijing", "shanghai", [1, 2]),
    "GreTunnel beijing-shanghai-at-shanghai": side("shanghai", "beijing", [2, 1]),
  });
  expect(made["SecurityGroup beijing-router"]?.inputs.rules).toEqual([
    { protocol: "tcp", fromPort: 2201, toPort: 2201, cidrBlock: "203.0.113.1/32" },
    { protocol: "gre", cidrBlock: "address of shanghai/32" },
  ]);
  expect(made["PathCheck beijing-shanghai"]?.inputs).toMatchObject({ mtu: 1472, tunnels: [{ kind: "gre" }] });
});

/** The networks that each side of the tunnels carries: its own and its peer's. */
const carried = (made: Deployment) =>
  Object.fromEntries(
    Object.entries(ofTypes(made, "IpsecTunnel")).map(([name, { inputs }]) => [
      name.split(" ")[1],
      [inputs.localNetworks, inputs.targetNetworks],
    ]),
  );
const [one, two, three] = ["192.168.1.0/24", "192.168.2.0/24", "192.168.3.0/24"];

describe("three zones", () => {
  const zones = [...plain.zones, { ...tianjin, nodes: 2 }];
  let mesh: Deployment;
  let star: Deployment;
  beforeAll(async () => {
    mesh = await deploy({ ...noTraining, zones });
    star = await deploy({ ...noTraining, zones, tunnel: { topology: "star" } });
  });

  test("as a mesh: a tunnel for each pair, with a key each", () => {
    expect(carried(mesh)).toEqual({
      "beijing-shanghai-at-beijing": [[one], [two]],
      "beijing-shanghai-at-shanghai": [[two], [one]],
      "beijing-tianjin-at-beijing": [[one], [three]],
      "beijing-tianjin-at-tianjin": [[three], [one]],
      "shanghai-tianjin-at-shanghai": [[two], [three]],
      "shanghai-tianjin-at-tianjin": [[three], [two]],
    });
    const names = ["beijing-shanghai", "beijing-tianjin", "shanghai-tianjin"];
    expect(Object.keys(ofTypes(mesh, "PresharedKey"))).toEqual(names.map((name) => `PresharedKey ${name}`));
    expect(Object.entries(ofTypes(mesh, "PathCheck")).map(([name, { parent }]) => [name, parent])).toEqual(
      names.map((name) => [`PathCheck ${name}`, `Tunnel ${name}`]),
    );
  });

  test("as a star: the hub's tunnels carry for the other spokes too", () => {
    expect(carried(star)).toEqual({
      "beijing-shanghai-at-beijing": [[one, three], [two]],
      "beijing-shanghai-at-shanghai": [[two], [one, three]],
      "beijing-tianjin-at-beijing": [[one, two], [three]],
      "beijing-tianjin-at-tianjin": [[three], [one, two]],
    });
  });

  test("as a star: the path between spokes is checked over both tunnels, each EIP counted once", () => {
    const relayed = star["PathCheck shanghai-tianjin"];
    expect(relayed).toMatchObject({ parent: "Network network", deletedWith: "Instance shanghai-1" });
    const sides = Object.keys(ofTypes(star, "IpsecTunnel"));
    expect(relayed?.dependencies).toEqual(expect.arrayContaining(sides));
    expect(relayed?.inputs).toMatchObject({
      from: { address: "192.168.2.2" },
      to: { address: "192.168.3.2" },
      tunnels: ["shanghai", "tianjin"].map((spoke) => ({
        ends: ["beijing", spoke].map((zone) => ({
          zone: `${zone}1a`,
          staticId: `id of IpsecTunnel beijing-${spoke}-at-${zone}`,
        })),
      })),
    });
    expect(relayed?.inputs.triggers).toEqual([
      ...sides.map((side) => `id of ${side}`),
      "id of Instance shanghai-1",
      "id of Instance tianjin-1",
      ...["100 Mbit/s", "100 Mbit/s", "100 Mbit/s"],
    ]);
  });

  test.each([
    ["mesh", 6],
    ["star", 4],
  ])("as a %s: a second node is checked once all paths are", (topology, tunnelSides) => {
    const made = topology === "mesh" ? mesh : star;
    const checks = ofTypes(made, "ReachCheck");
    expect(Object.keys(checks)).toEqual(["ReachCheck tianjin-2"]);
    const check = checks["ReachCheck tianjin-2"];
    expect(check).toMatchObject({
      parent: "Network network",
      deletedWith: "Instance tianjin-2",
      secretOutputs: ["connection"],
      inputs: {
        connection: { port: 2202, privateKey: { secret: "private key operator" } },
        peers: [
          { address: "192.168.1.2", mtu: 1400 },
          { address: "192.168.2.2", mtu: 1400 },
        ],
      },
    });
    const through = Object.keys(ofTypes(made, "IpsecTunnel"));
    expect(through).toHaveLength(tunnelSides);
    expect(check?.dependencies).toEqual(
      expect.arrayContaining([...through, ...Object.keys(ofTypes(made, "PathCheck")), "NodeReady tianjin-2"]),
    );
  });
});
