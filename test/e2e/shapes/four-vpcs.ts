/**
 * A star of GRE tunnels, a mesh by IPSec, a star by IPSec: all on the same routers and nodes. Each `up` that changes the
 * network also trains: a shape's first test looks at the network, those behind it at the run.
 */
import { expect, test } from "vitest";
import { intranetName } from "../../../local-cloud/network/addressing.ts";
import { summarize } from "../../../scripts/dev/summary.ts";
import { startCapture } from "../../harness/capture.ts";
import { namespaceOf, narrowIntranet } from "../../harness/machine.ts";
import { followedOf, outputsOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { allChecked, checksOf, networkOf, type SeenTunnel } from "./checks.ts";
import {
  byTorchrun,
  expectFound,
  expectKilled,
  expectRestarted,
  expectResumed,
  guidesOwn,
  ownScriptOnThree,
} from "./launchers.ts";
import { type Ended, ended, ready, type Stack, type Trained, trained, twoGpus, up } from "./stack.ts";

/**
 * The EIP of tianjin carries next to nothing: what crosses the intranet shall be more than it could carry, on a machine too
 * that is busy.
 */
const zones = [
  { name: "beijing", zoneId: "gpu1a", bandwidthMbps: 20 },
  { name: "shanghai", zoneId: "gpu2a", bandwidthMbps: 20 },
  { name: "tianjin", zoneId: "gpu1a", bandwidthMbps: 2 },
  { name: "suzhou", zoneId: "gpu2a", bandwidthMbps: 20 },
];
const names = zones.map(({ name }) => name);
const nodesPerZone = 2;

/** The star's tunnels as they should be. */
const starOf = (kind: "gre" | "ipsec", mtu: number) =>
  [
    ["shanghai", "internet"],
    ["tianjin", "intranet"],
    ["suzhou", "internet"],
  ].map(([spoke, over]) => ({
    kind,
    zones: ["beijing", spoke],
    over,
    encrypted: kind === "ipsec",
    up: true,
    mtu,
  }));

/** In a star: over the internet what the EIPs have at most, over the intranet more than twice as much as they have. */
function expectFasterThanEips(tunnels: readonly SeenTunnel[]): void {
  for (const { zones: ends, over, goodputMbps } of tunnels) {
    const eips = zones.filter(({ name }) => ends.includes(name)).map(({ bandwidthMbps }) => bandwidthMbps);
    if (over === "internet") expect(goodputMbps).toBeLessThan(Math.min(...eips));
    else expect(goodputMbps).toBeGreaterThan(2 * Math.min(...eips));
  }
}

/** One of the two routers in a zone is enough. */
async function narrowIntranetOf(place: Place, zone: string): Promise<void> {
  const { vpcId = "" } = networkOf(place).zones.find(({ name }) => name === zone) ?? {};
  narrowIntranet(namespaceOf(await place.status(), vpcId), 60);
}

/** The router statics that are tunnels, by zone: their types. */
async function tunnelStatics(place: Place): Promise<number[]> {
  const statics = (await place.status()).routers.flatMap(({ tunnels }) => tunnels);
  return statics.map(({ kind, established }) => (established ? (kind === "gre" ? 6 : 7) : 0)).sort();
}

/** Actions that make, change or remove routers or nodes. */
const replacing = (actions: readonly string[]) =>
  actions.filter((action) => /Instances|Routers$/.test(action) && action !== "UpdateRouters");
const newNodes = Object.fromEntries(names.map((_, index) => [`zones[${index}].nodes`, nodesPerZone]));

export function fourVpcs(stack: Stack): void {
  let star: Trained;
  let resumed: Ended;

  test("a star of GRE tunnels trains on three, spokes through the hub, and says that it does not encrypt", async () => {
    const place = stack();
    const common = { imageId: ready, shape: twoGpus };
    await narrowIntranetOf(place, "beijing");
    place.configure({
      zones: zones.map((zone, index) => ({ ...zone, network: `192.168.${index + 1}.0/24`, ...common })),
      tunnel: { kind: "gre", topology: "star", allowUnencrypted: true },
      "training.mode": "cross-zone",
      "training.runtime": undefined,
      ...ownScriptOnThree(place),
    });
    star = await trained(place);
    await narrowIntranetOf(place, "shanghai");
    const { tunnels, training } = star;
    expect(training).toMatchObject({ state: "succeeded", worldSize: 3, masterAddr: "192.168.2.2" });
    expect(training.ranks.map(({ node, exitCode }) => [node, exitCode])).toEqual([
      ["shanghai-1", 0],
      ["beijing-1", 0],
      ["tianjin-1", 0],
    ]);
    expect(new Set(training.ranks.map(({ parametersSha256 }) => parametersSha256)).size).toBe(1);
    expect(tunnels).toMatchObject(starOf("gre", 1472));
    expectFasterThanEips(tunnels);
    expect(summarize(place.outputs()).join("\n")).toMatch(
      /^tunnel {2}beijing - tianjin {2}gre over the intranet, not encrypted, up, /m,
    );
    expect(await tunnelStatics(place)).toEqual(names.slice(1).flatMap(() => [6, 6]));
  });

  test("an own script finds where to meet and who it is, on as many nodes and at the master that are set", () =>
    expectFound(star));

  test("python starts several ranks on each node one by one; a killed one ends all others, and the error has its place", () =>
    expectKilled(stack()));

  test("a mesh of six by IPSec keeps routers, addresses and nodes; every node reaches every zone", async () => {
    const place = stack();
    place.configure({ tunnel: { kind: "ipsec" }, ...newNodes });
    const changes = await place.changesBy(async () => {
      resumed = await ended(place);
    });
    expect(replacing(changes)).toEqual(names.map(() => "RunInstances"));
    const { tunnels, zones: after } = resumed;
    expect(after.map(({ nodes, ...zone }) => ({ ...zone, nodes: nodes.slice(0, 1) }))).toEqual(star.zones);
    expect(tunnels.map((tunnel) => [tunnel.zones.join("-"), tunnel.over, tunnel.up])).toEqual([
      ["beijing-shanghai", "internet", true],
      ["beijing-tianjin", "intranet", true],
      ["beijing-suzhou", "internet", true],
      ["shanghai-tianjin", "internet", true],
      ["shanghai-suzhou", "intranet", true],
      ["tianjin-suzhou", "internet", true],
    ]);
    expect((await place.status()).nodes).toHaveLength(names.length * nodesPerZone);
    expect(checksOf(place)).toEqual(allChecked(names, nodesPerZone));
    expect(await tunnelStatics(place)).toEqual(tunnels.flatMap(() => [7, 7]));
  });

  test("the next start goes on from the checkpoint of each rank", () => expectResumed(resumed));

  let restarted: Ended;

  test("a star of three by IPSec on the same routers and nodes does too", async () => {
    const place = stack();
    const before = await place.status();
    place.configure({ "tunnel.topology": "star", ...byTorchrun });
    const changes = await place.changesBy(async () => {
      restarted = await ended(place);
    });
    expect(replacing(changes)).toEqual([]);
    const { tunnels, zones: after } = restarted;
    expect(after).toEqual(resumed.zones);
    expect(tunnels).toMatchObject(starOf("ipsec", 1400));
    expectFasterThanEips(tunnels);
    const ids = ({ nodes }: typeof before) => nodes.map(({ id }) => id).sort();
    expect(ids(await place.status())).toEqual(ids(before));
    expect(checksOf(place)).toEqual(allChecked(names, nodesPerZone));
    expect(await tunnelStatics(place)).toEqual(names.slice(1).flatMap(() => [7, 7]));
  });

  test("torchrun starts a rank for each GPU of both nodes, and all again when one is killed; they end with the same parameters", () =>
    expectRestarted(restarted, resumed));

  test("eight train, two of each VPC; what crosses the intranet is encrypted there, and no packet of it is seen at the EIP", async () => {
    const place = stack();
    const { vpcId } = networkOf(place).zones.find(({ name }) => name === "tianjin") ?? {};
    const namespace = namespaceOf(await place.status(), vpcId ?? "");
    const devices = ["eip", intranetName("gpu1a")];
    const captures = await Promise.all(devices.map((device) => startCapture(namespace, device)));
    place.configure({
      ...guidesOwn,
      "training.worldSize": names.length * nodesPerZone,
      "training.epochs": 3,
    });
    const changes = await place.changesBy(() => up(place));
    const [atEip, inIntranet] = await Promise.all(captures.map((capture) => capture.stop()));
    expect(changes).toEqual([]);

    const { training } = outputsOf(place);
    expect(training).toMatchObject({ state: "succeeded", worldSize: 8, masterAddr: "192.168.1.2" });
    expect(training.ranks.map(({ node, exitCode }) => [node, exitCode])).toEqual(
      names.flatMap((name) => [
        [`${name}-1`, 0],
        [`${name}-2`, 0],
      ]),
    );
    expect(new Set(training.ranks.map(({ parametersSha256 }) => parametersSha256)).size).toBe(1);

    const [result] = followedOf(place).flatMap(({ results }) => results);
    const gradientBytes = (result?.steps ?? 0) * (result?.gradientBytesPerStep ?? 0);
    expect(gradientBytes).toBeGreaterThan(1_000_000);
    expect(inIntranet).toMatchObject({ clear: 0, examples: [], dropped: 0 });
    expect(inIntranet?.esp_bytes).toBeGreaterThanOrEqual(gradientBytes);
    // SSH comes in there, and nothing else.
    expect(atEip).toMatchObject({ clear: 0, esp: 0, ike: 0, dropped: 0 });
    expect(atEip?.other).toBeGreaterThan(0);
  });
}
