/** Tunnels that a client of the API makes, on the wire: what the services say becomes what carries packets. */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { gre, ipsec, Sites } from "./sites.ts";
import { watchWire } from "./support.ts";

let cloud: TestCloud;
let sites: Sites;

describe("tunnels by the API", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    requireDataPlane();
    cloud = await startTestCloud({ dataPlane: "linux" });
    sites = new Sites(cloud);
  });

  afterAll(async () => {
    await cloud?.stop();
  });

  test("routers of one zone reach each other by their ids, without an EIP and in secret", async () => {
    const one = await sites.make("gpu1a", "192.168.1.0/24", false);
    const other = await sites.make("gpu1a", "192.168.2.0/24", false);
    const [first, second] = [
      await sites.addTunnel(one, ipsec(other.router, "192.168.1.0/24", "192.168.2.0/24")),
      await sites.addTunnel(other, ipsec(one.router, "192.168.2.0/24", "192.168.1.0/24", { id: one.router })),
    ];
    await sites.apply(one, other);
    await sites.untilUp(first, second);
    const seen = await watchWire(sites.namespace("switch"), /UDP-encap: ESP/, async () =>
      expect(await sites.ping(one, other)).toContain("2 received"),
    );
    expect(seen).toMatch(/100\.64\.0\.1[01]\.4500 > 100\.64\.0\.1[01]\.4500: UDP-encap: ESP/);
    expect(seen).not.toContain("192.168.");
    await sites.remove(one, first);
    await sites.remove(other, second);
    const [third, fourth] = [
      await sites.addTunnel(one, gre(other.router, 7, "left", "192.168.2.0/24")),
      await sites.addTunnel(other, gre(one.router, 7, "right", "192.168.1.0/24")),
    ];
    await sites.apply(one, other);
    await sites.untilUp(third, fourth);
    const clear = await watchWire(sites.namespace("switch"), /GREv0, key=0x7/, async () =>
      expect(await sites.ping(other, one)).toContain("2 received"),
    );
    expect(clear).toMatch(/100\.64\.0\.1[01] > 100\.64\.0\.1[01]: GREv0, key=0x7/);
    await sites.remove(one, third);
    await sites.remove(other, fourth);
    await sites.apply(one, other);
    expect(await sites.ping(one, other)).toContain("0 received");
  });

  test("aggressive mode joins several networks on both sides, each pair by an SA of its own", async () => {
    const one = await sites.make("gpu1a", "192.168.11.0/24");
    const other = await sites.make("gpu2a", "192.168.21.0/24");
    await sites.join(one, "192.168.12.0/24");
    await sites.join(other, "192.168.22.0/24");
    const [here, there] = ["192.168.11.0/24|192.168.12.0/24", "192.168.21.0/24|192.168.22.0/24"];
    const aggressive = { mode: "aggrmode" };
    const tunnels = [
      await sites.addTunnel(one, ipsec(other.eip, here, there, aggressive)),
      await sites.addTunnel(other, ipsec(one.eip, there, here, aggressive)),
    ];
    const handshake = await watchWire(sites.namespace("internet"), /phase 1 .* agg/, async () => {
      await sites.apply(one, other);
      await sites.untilUp(...tunnels);
    });
    expect(handshake).not.toContain("ident");
    for (const from of [one, { ...one, address: "192.168.12.1" }]) {
      for (const to of [other, { ...other, address: "192.168.22.1" }]) {
        expect(await sites.ping(from, to), `${from.address} to ${to.address}`).toContain("2 received");
      }
    }
  });

  test("who takes any peer and any id is called by the one who names it", async () => {
    const hub = await sites.make("gpu1a", "192.168.31.0/24");
    const abroad = await sites.make("gpu2a", "192.168.32.0/24");
    const answering = await sites.addTunnel(
      hub,
      ipsec("0.0.0.0", "192.168.31.0/24", "192.168.32.0/24", { id: "%any" }),
    );
    const calling = await sites.addTunnel(abroad, ipsec(hub.eip, "192.168.32.0/24", "192.168.31.0/24"));
    await sites.apply(hub, abroad);
    await sites.untilUp(answering, calling);
    expect(await sites.ping(hub, abroad)).toContain("2 received");
    await sites.remove(abroad, calling);
    await sites.apply(abroad);
    const neighbour = await sites.make("gpu1a", "192.168.32.0/24", false);
    const near = await sites.addTunnel(neighbour, ipsec(hub.router, "192.168.32.0/24", "192.168.31.0/24"));
    await sites.apply(neighbour);
    await sites.untilUp(near);
    // The other side installs its half a moment later.
    await vi.waitFor(async () => expect(await sites.ping(neighbour, hub)).toContain("2 received"), {
      timeout: 20_000,
    });
  });

  test("spokes of a star reach each other through the hub, which has both their networks as its own", async () => {
    const hub = await sites.make("gpu1a", "192.168.41.0/24");
    const left = await sites.make("gpu2a", "192.168.42.0/24");
    const right = await sites.make("gpu2a", "192.168.43.0/24");
    const [h, l, r] = ["192.168.41.0/24", "192.168.42.0/24", "192.168.43.0/24"];
    const tunnels = [
      await sites.addTunnel(hub, ipsec(left.eip, `${h}|${r}`, l)),
      await sites.addTunnel(hub, ipsec(right.eip, `${h}|${l}`, r)),
      await sites.addTunnel(left, ipsec(hub.eip, l, `${h}|${r}`)),
      await sites.addTunnel(right, ipsec(hub.eip, r, `${h}|${l}`)),
    ];
    await sites.apply(hub, left, right);
    await sites.untilUp(...tunnels);
    expect(await sites.ping(left, hub)).toContain("2 received");
    const seen = await watchWire(sites.namespace("internet"), /UDP-encap: ESP/, async () =>
      expect(await sites.ping(left, right)).toContain("2 received"),
    );
    expect(seen).not.toMatch(/192\.168\./);
    expect(seen).toContain(`${left.eip}.4500 > ${hub.eip}.4500`);
    expect(seen).not.toContain(`${left.eip}.4500 > ${right.eip}.4500`);
  });
});
