/** Three VPCs in two zones as a star, two of them joined over the zone's intranet: GRE first, IPSec after it; each test goes on where the one before ended. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { intranetName } from "../../local-cloud/network/addressing.ts";
import { startCapture } from "../harness/capture.ts";
import { namespaceOf } from "../harness/machine.ts";
import { followedOf, type Outputs, outputsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import type { Ended } from "../harness/process.ts";

let place: Place;
let first: Ended;

beforeAll(async () => {
  place = new Place();
  const third = {
    name: "tianjin",
    zoneId: "gpu1a",
    network: "192.168.3.0/24",
    imageId: "img-deeplearning",
    bandwidthMbps: 20,
  };
  for (const [key, value] of Object.entries(third)) place.configure({ [`zones[2].${key}`]: value });
  const tunnel = { kind: "gre", topology: "star", allowUnencrypted: true };
  for (const [key, value] of Object.entries(tunnel)) place.configure({ [`tunnel.${key}`]: value });
  place.configure({ "training.epochs": 2 });
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

/** What both EIPs have is 20 Mbit/s. */
function expectFasterThanEips({ tunnels }: Outputs): void {
  const [internet, intranet] = tunnels.map(({ goodputMbps }) => goodputMbps);
  expect(internet).toBeLessThan(20);
  expect(intranet).toBeGreaterThan(40);
}

/** The router statics that are tunnels, by zone: their types. */
async function tunnelStatics(): Promise<number[]> {
  const statics = (await place.status()).routers.flatMap(({ tunnels }) => tunnels);
  return statics.map(({ kind, established }) => (established ? (kind === "gre" ? 6 : 7) : 0)).sort();
}

test("a star of GRE tunnels trains on all three, spokes through the hub, and says that it does not encrypt", async () => {
  expect(first.code, first.text).toBe(0);
  const outputs = outputsOf(place);
  expectTrained(outputs);
  expect(outputs.tunnels).toMatchObject([
    { kind: "gre", zones: ["beijing", "shanghai"], over: "internet", encrypted: false, up: true, mtu: 1472 },
    { kind: "gre", zones: ["beijing", "tianjin"], over: "intranet", encrypted: false, up: true, mtu: 1472 },
  ]);
  expectFasterThanEips(outputs);
  expect(first.stdout).toMatch(/^tunnel {2}beijing - tianjin {2}gre over the intranet, not encrypted, up, /m);
  expect(await tunnelStatics()).toEqual([6, 6, 6, 6]);
});

test("the same star by IPSec keeps routers, addresses and nodes", async () => {
  const before = outputsOf(place);
  place.configure({ "tunnel.kind": "ipsec" });
  place.configure({ "training.seed": 2 });
  const { code, text } = await place.start();
  expect(code, text).toBe(0);
  const after = outputsOf(place);
  expect(after.zones).toEqual(before.zones);
  expectTrained(after);
  expect(after.tunnels).toMatchObject([
    { kind: "ipsec", zones: ["beijing", "shanghai"], over: "internet", encrypted: true, up: true, mtu: 1400 },
    { kind: "ipsec", zones: ["beijing", "tianjin"], over: "intranet", encrypted: true, up: true, mtu: 1400 },
  ]);
  expectFasterThanEips(after);
  expect(await tunnelStatics()).toEqual([7, 7, 7, 7]);
});

test("what crosses the intranet is encrypted there, and no packet of it is seen at the EIP", async () => {
  const status = await place.status();
  const tianjin = outputsOf(place).zones.find(({ name }) => name === "tianjin");
  const namespace = namespaceOf(status, tianjin?.vpcId ?? "");
  const devices = ["eip", intranetName("gpu1a")];
  const captures = await Promise.all(devices.map((device) => startCapture(namespace, device)));
  place.configure({ "training.seed": 3 });
  const { code, text } = await place.start();
  const [atEip, inIntranet] = await Promise.all(captures.map((capture) => capture.stop()));
  expect(code, text).toBe(0);
  const [result] = followedOf(place).flatMap(({ results }) => results);
  const gradientBytes = (result?.steps ?? 0) * (result?.gradientBytesPerStep ?? 0);
  expect(gradientBytes).toBeGreaterThan(1_000_000);
  expect(inIntranet).toMatchObject({ clear: 0, examples: [], dropped: 0 });
  expect(inIntranet?.esp_bytes).toBeGreaterThanOrEqual(gradientBytes);
  // SSH comes in there, and nothing else.
  expect(atEip).toMatchObject({ clear: 0, esp: 0, ike: 0, dropped: 0 });
  expect(atEip?.other).toBeGreaterThan(0);
});
