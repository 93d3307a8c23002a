/** Three VPCs in two zones as a star: GRE first, IPSec after it; each test goes on where the one before ended. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Outputs, outputsOf } from "./outputs.ts";
import { type Ended, Place } from "./support.ts";

let place: Place;
let first: Ended;

beforeAll(async () => {
  place = new Place();
  const third = {
    name: "tianjin",
    zoneId: "gpu1a",
    network: "192.168.3.0/24",
    imageId: "img-deeplearning",
    bandwidthMbps: "50",
  };
  for (const [key, value] of Object.entries(third)) await place.configure(`zones[2].${key}`, value);
  const tunnel = { kind: "gre", topology: "star", allowUnencrypted: "true" };
  for (const [key, value] of Object.entries(tunnel)) await place.configure(`tunnel.${key}`, value);
  await place.configure("training.epochs", "2");
  first = await place.start();
});

afterAll(() => place.remove());

function expectTrained({ training }: Outputs): void {
  expect(training).toMatchObject({ state: "succeeded", worldSize: 3, masterAddr: "192.168.1.2" });
  expect(training.ranks.map(({ node, exitCode }) => [node, exitCode])).toEqual([
    ["beijing-1", 0],
    ["shanghai-1", 0],
    ["tianjin-1", 0],
  ]);
  expect(new Set(training.ranks.map(({ parametersSha256 }) => parametersSha256)).size).toBe(1);
}

/** The router statics that are tunnels, by zone: their types. */
async function tunnelStatics(): Promise<number[]> {
  const statics = (await place.status()).routers.flatMap(({ tunnels }) => tunnels);
  return statics.map(({ kind, established }) => (established ? (kind === "gre" ? 6 : 7) : 0)).sort();
}

test("a star of GRE tunnels trains on all three, spokes through the hub, and says that it does not encrypt", async () => {
  expect(first.code, first.text).toBe(0);
  const outputs = await outputsOf(place);
  expectTrained(outputs);
  expect(outputs.tunnels).toMatchObject([
    { kind: "gre", zones: ["beijing", "shanghai"], encrypted: false, up: true, mtu: 1472 },
    { kind: "gre", zones: ["beijing", "tianjin"], encrypted: false, up: true, mtu: 1472 },
  ]);
  expect(await tunnelStatics()).toEqual([6, 6, 6, 6]);
});

test("the same star by IPSec keeps routers and addresses; nodes, whose boot sets the tunnel's MTU, are new", async () => {
  const before = await outputsOf(place);
  await place.configure("tunnel.kind", "ipsec");
  await place.configure("training.seed", "2");
  const { code, text } = await place.start();
  expect(code, text).toBe(0);
  const after = await outputsOf(place);
  const routersOf = ({ zones }: Outputs) => zones.map(({ nodes: _, ...router }) => router);
  expect(routersOf(after)).toEqual(routersOf(before));
  const nodesOf = ({ zones }: Outputs) => zones.flatMap(({ nodes }) => nodes);
  expect(nodesOf(after).map(({ privateIp }) => privateIp)).toEqual(
    nodesOf(before).map(({ privateIp }) => privateIp),
  );
  expectTrained(after);
  expect(after.tunnels).toMatchObject([
    { kind: "ipsec", zones: ["beijing", "shanghai"], encrypted: true, up: true, mtu: 1400 },
    { kind: "ipsec", zones: ["beijing", "tianjin"], encrypted: true, up: true, mtu: 1400 },
  ]);
  expect(await tunnelStatics()).toEqual([7, 7, 7, 7]);
});
