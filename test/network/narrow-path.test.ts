/** Tunnels over a path between zones that is narrower than their routers think. */

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "../../local-cloud/commands.ts";
import { until } from "../../local-cloud/network/machine/shell.ts";
import { needRunning } from "../../local-cloud/running.ts";
import { startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { gre, ipsec, type Site, Sites } from "./sites.ts";
import { output } from "./support.ts";

let cloud: TestCloud;
let sites: Sites;
let left: Site;
let right: Site;

const inRouter = ({ router }: Site, ...command: string[]) =>
  output("ip", "netns", "exec", sites.namespace(router), ...command);
/** Three packets of a size, with the IP header, that may be divided (dont) or not (do). */
const ping = (size: number, divide: "do" | "dont", ...to: string[]) =>
  inRouter(left, "ping", "-c3", "-i0.2", "-W1", `-M${divide}`, `-s${size - 28}`, ...to);
const secretly = ["-I", "192.168.1.1", "192.168.2.1"];
const openly = ["10.254.7.3"];

describe("tunnels over a path of 1400 bytes", { timeout: 60_000 }, () => {
  beforeAll(async () => {
    requireDataPlane();
    cloud = await startTestCloud({ dataPlane: "linux", links: ["gpu1a,gpu2a,mtu=1400"] });
    sites = new Sites(cloud);
    left = await sites.make("gpu1a", "192.168.1.0/24");
    right = await sites.make("gpu2a", "192.168.2.0/24");
    const tunnels = [
      await sites.addTunnel(left, gre(right.eip, 7, "left", "192.168.77.0/24")),
      await sites.addTunnel(right, gre(left.eip, 7, "right", "192.168.79.0/24")),
      await sites.addTunnel(left, ipsec(right.eip, "192.168.1.0/24", "192.168.2.0/24")),
      await sites.addTunnel(right, ipsec(left.eip, "192.168.2.0/24", "192.168.1.0/24")),
    ];
    await sites.apply(left, right);
    await sites.untilUp(...tunnels);
  });

  afterAll(async () => {
    await cloud?.stop();
  });

  test("GRE tells senders what is left of it, and divides what may be divided", async () => {
    await until("the path's MTU", async () =>
      (await ping(1400, "do", ...openly)).includes("message too long, mtu=1372"),
    );
    expect(await ping(1372, "do", ...openly)).toContain("3 received");
    expect(await ping(1373, "do", ...openly)).toContain("0 received");
    await until("larger packets in pieces", async () =>
      (await ping(1472, "dont", ...openly)).includes("3 received"),
    );
  });

  test("IPSec carries packets of its own MTU in pieces once the routers have heard of the path's", async () => {
    await until("whole packets", async () => (await ping(1400, "do", ...secretly)).includes("3 received"));
  });

  test("in a black hole the tunnel is up and small packets pass, large ones are lost", async () => {
    const running = await needRunning(cloud, "the links");
    await ask(running, "POST", "links", { zones: ["gpu1a", "gpu2a"], mtuBlackhole: true });
    for (const site of [left, right]) await inRouter(site, "ip", "route", "flush", "cache");
    expect(await ping(1000, "do", ...secretly)).toContain("3 received");
    expect(await ping(1400, "do", ...secretly)).toContain("0 received");
    expect(await ping(1000, "do", ...openly)).toContain("3 received");
    expect(await ping(1400, "do", ...openly)).toContain("0 received");
  });
});
