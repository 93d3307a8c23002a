/** Faults of the network that are added to a running cloud: links and tunnels that are cut, lossy or slow. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../../local-cloud/network/machine/shell.ts";
import { startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { gre, ipsec, type Site, Sites } from "./sites.ts";

let cloud: TestCloud;
let sites: Sites;
let left: Site;
let right: Site;
let secret: string;
let first: string;

const between = "gpu1a,gpu2a";
const passes = async (address: string) => (await sites.ping(left, address)).includes("2 received");
const isLost = async (address: string) => (await sites.ping(left, address)).includes("0 received");
const roundTrips = (text: string) =>
  [...text.matchAll(/time=([\d.]+) ms/g)].map(([, milliseconds]) => Number(milliseconds));

describe("faults of the network", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    requireDataPlane();
    cloud = await startTestCloud({ dataPlane: "linux" });
    sites = new Sites(cloud);
    left = await sites.make("gpu1a", "192.168.1.0/24");
    right = await sites.make("gpu2a", "192.168.2.0/24");
    first = await sites.addTunnel(left, gre(right.eip, 7, "left", "192.168.77.0/24"));
    const tunnels = [
      first,
      await sites.addTunnel(left, gre(right.eip, 8, "left", "192.168.88.0/24")),
      await sites.addTunnel(right, gre(left.eip, 7, "right", "192.168.79.0/24")),
      await sites.addTunnel(right, gre(left.eip, 8, "right", "192.168.89.0/24")),
    ];
    secret = await sites.addTunnel(left, ipsec(right.eip, "192.168.1.0/24", "192.168.2.0/24"));
    const answering = await sites.addTunnel(right, ipsec(left.eip, "192.168.2.0/24", "192.168.1.0/24"));
    await sites.apply(left, right);
    await sites.untilUp(...tunnels, secret, answering);
  });

  afterAll(async () => {
    await cloud?.stop();
  });

  test("a GRE tunnel that is cut passes nothing, one beside it with another key does", async () => {
    await cloud.fault({ kind: "cut-tunnel", resource: first });
    expect(await isLost("10.254.7.3")).toBe(true);
    expect(await passes("10.254.8.3")).toBe(true);
    expect(await sites.ping(left, right)).toContain("2 received");
    await cloud.clearFaults();
    expect(await passes("10.254.7.3")).toBe(true);
  });

  test("an IPSec tunnel that is cut passes nothing, GRE with the same peer does; then it heals", async () => {
    await cloud.fault({ kind: "cut-tunnel", resource: secret });
    const answered = async () => (await sites.ping(left, right)).includes("2 received");
    expect(await sites.ping(left, right)).toContain("0 received");
    expect(await passes("10.254.7.3")).toBe(true);
    await cloud.clearFaults();
    await until("the tunnel", answered, 30_000);
  });

  test("a cut link heals by itself when its time is over", async () => {
    await cloud.fault({ kind: "cut-link", between, seconds: 4 });
    await until("the cut", () => isLost("10.254.7.3"), 4000);
    await until("the end of the fault", async () => (await cloud.faults()).length === 0, 10_000);
    await until("the link", () => passes("10.254.7.3"), 5000);
  });

  test("packets are delayed and lost as long as the faults are there", async () => {
    await cloud.fault({ kind: "delay-packets", between, rtt: 60 });
    const seen = roundTrips(await sites.ping(left, "10.254.7.3"));
    expect(seen).toHaveLength(2);
    expect(Math.min(...seen)).toBeGreaterThanOrEqual(60);
    await cloud.fault({ kind: "lose-packets", between, loss: 100 });
    expect(await isLost("10.254.7.3")).toBe(true);
    await cloud.clearFaults();
    expect(await passes("10.254.7.3")).toBe(true);
    expect(Math.min(...roundTrips(await sites.ping(left, "10.254.7.3")))).toBeLessThan(60);
  });
});
