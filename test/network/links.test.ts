/** The internet between two zones, made worse on request, on the wire. */

import { beforeAll, describe, expect, test } from "vitest";
import { processesIn, until } from "../../local-cloud/network/machine/shell.ts";
import type { LinkPicture, Picture, RouterPicture } from "../../local-cloud/network/picture.ts";
import { eips, fileOf, link, output, ownPrefix, router, temporaryFolder } from "./support.ts";
import { useDataPlane } from "./use-data-plane.ts";

const home = temporaryFolder();
const prefix = ownPrefix("l");
const neighbour = "203.0.113.11";
const inRouter = (number: 1 | 2 | 3, ...command: string[]) =>
  output("ip", "netns", "exec", `${prefix}-rtr-0000000${number}`, ...command);
const ping = (address: string, ...options: string[]) =>
  inRouter(1, "ping", "-c3", "-i0.05", "-W1", ...options, address);

const plain = { ipsecTunnels: [], portForwards: [] };
const third: RouterPicture = {
  ...router(1, { ...plain, vxnets: [] }),
  id: "rtr-00000003",
  eip: { id: "eip-00000003", address: neighbour, bandwidthMbps: 100 },
};
const fast = (zone: 1 | 2) => ({
  id: `eip-0000000${zone}`,
  address: eips[zone - 1] ?? "",
  bandwidthMbps: 100,
});

function scene(...links: LinkPicture[]): Picture {
  const routers = [router(1, { ...plain, eip: fast(1) }), router(2, { ...plain, eip: fast(2) }), third];
  return { routers, nodes: [], bastionKeys: [], links };
}

/** Round trips that ping measured, in ms. */
function roundTrips(text: string): number[] {
  return [...text.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms));
}

/** Which of n pings come back on a link that loses packets as Python's generator says. */
async function expectedAnswers(seed: number, loss: number, pings: number): Promise<number[]> {
  const program = `
import json, random
requests, replies = random.Random("${seed} False"), random.Random("${seed} True")
# A reply is drawn only when its request has passed.
print(json.dumps([n for n in range(1, ${pings + 1}) if requests.random() >= ${loss} and replies.random() >= ${loss}]))`;
  return JSON.parse(await output("python3", "-c", program)) as number[];
}

/** The process that handles the links' packets. */
function daemon(): number {
  const found = processesIn([`${prefix}-internet`]).filter((pid) =>
    fileOf(pid, "cmdline").includes("link-daemon"),
  );
  expect(found).toHaveLength(1);
  return found[0] ?? 0;
}

describe("links between zones", { timeout: 30_000 }, () => {
  const plane = useDataPlane({ home, prefix });

  beforeAll(async () => {
    await plane.converge(scene());
  });

  test("without settings zones and routers of one zone reach each other, and no daemon stands between", async () => {
    expect(await ping(eips[1])).toContain("3 received");
    expect(await ping(neighbour)).toContain("3 received");
    expect((await plane.observe()).links).toBeUndefined();
    expect(processesIn([`${prefix}-internet`])).toHaveLength(1); // the web server
  });

  test("a round trip takes the time that was added, also when it is changed, and no other pair's does", async () => {
    await plane.converge(scene(link({ rttMs: 40 })));
    for (const ms of roundTrips(await ping(eips[1]))) expect(ms).toBeGreaterThanOrEqual(40);
    expect(Math.min(...roundTrips(await ping(neighbour)))).toBeLessThan(40);
    await plane.converge(scene(link({ rttMs: 120 })));
    const slower = roundTrips(await ping(eips[1]));
    expect(slower).toHaveLength(3);
    for (const ms of slower) expect(ms).toBeGreaterThanOrEqual(120);
  });

  test("the path's MTU is told to who sends more than it, and found by probing", async () => {
    await plane.converge(scene(link({ mtu: 1400 })));
    expect(await ping(eips[1], "-Mdo", "-s1372")).toContain("3 received");
    expect(await ping(eips[1], "-Mdo", "-s1373")).toMatch(
      /203\.0\.113\.1 .*Frag needed and DF set \(mtu = 1400\)/,
    );
    expect(await ping(eips[1], "-Mdont", "-s2000")).toContain("3 received");
    await inRouter(1, "ip", "route", "flush", "cache");
  });

  test("a black hole swallows what is too large without a word, and passes what is not", async () => {
    await plane.converge(scene(link({ mtu: 1400, mtuBlackhole: true })));
    expect(await ping(eips[1], "-Mdo", "-s1372")).toContain("3 received");
    const swallowed = await ping(eips[1], "-Mdo", "-s1373");
    expect(swallowed).toContain("0 received");
    expect(swallowed).not.toContain("mtu");
    await plane.converge(scene(link({ mtu: 1400 })));
    expect(await ping(eips[1], "-Mdo", "-s1373")).toContain("mtu = 1400");
    await inRouter(1, "ip", "route", "flush", "cache");
  });

  test("with a seed exactly the packets are lost that its generator says, and they are counted", async () => {
    const expected = await expectedAnswers(7, 0.25, 60);
    expect(expected.length).toBeLessThan(50);
    await plane.converge(scene());
    await plane.converge(scene(link({ lossPercent: 25, seed: 7 })));
    const seen = await inRouter(1, "ping", "-c60", "-i0.02", "-W1", eips[1]);
    const answered = [...seen.matchAll(/icmp_seq=(\d+)/g)].map(([, number]) => Number(number));
    expect(answered).toEqual(expected);
    const [counted] = (await plane.observe()).links ?? [];
    expect(counted?.id).toBe("gpu1a-gpu2a");
    expect(counted?.lost).toBe(60 - expected.length);
  });

  test("a cut link passes nothing and says nothing, and what is healed is as before", async () => {
    await plane.converge(scene(link({ cut: true, rttMs: 40 })));
    const silent = await ping(eips[1]);
    expect(silent).toContain("0 received");
    expect(silent).not.toMatch(/nreachable|prohibited/);
    expect(await ping(neighbour)).toContain("3 received");
    await plane.converge(scene(link({ rttMs: 40 })));
    for (const ms of roundTrips(await ping(eips[1]))) expect(ms).toBeGreaterThanOrEqual(40);
    await plane.converge(scene());
    expect(Math.min(...roundTrips(await ping(eips[1])))).toBeLessThan(40);
    expect(await output("ip", "-n", `${prefix}-internet`, "rule")).not.toContain("203.0.113.0");
    expect(await output("ip", "-n", `${prefix}-internet`, "-brief", "link")).not.toContain("tun");
    expect(processesIn([`${prefix}-internet`])).toHaveLength(1);
  });

  test("a pair of routers in one zone has a link too", async () => {
    const inside = link({ id: "gpu1a-gpu1a", networks: ["203.0.113.0/24", "203.0.113.0/24"], rttMs: 50 });
    await plane.converge(scene(inside, link({ cut: true })));
    const slow = roundTrips(await ping(neighbour));
    expect(slow).toHaveLength(3);
    for (const ms of slow) expect(ms).toBeGreaterThanOrEqual(50);
    expect(await ping(eips[1])).toContain("0 received");
  });

  test("a daemon that is killed comes back with the same settings", async () => {
    await plane.converge(scene(link({ rttMs: 40 })));
    process.kill(daemon(), "SIGKILL");
    await until("packets to pass again", async () => (await ping(eips[1])).includes("3 received"));
    for (const ms of roundTrips(await ping(eips[1]))) expect(ms).toBeGreaterThanOrEqual(40);
  });

  test("an internet that could not be made whole is made by the next attempt", async () => {
    await plane.converge({ routers: [], nodes: [], bastionKeys: [] });
    await output("ip", "netns", "add", `${prefix}-switch`);
    await expect(plane.converge(scene())).rejects.toThrow(/File exists/);
    await output("ip", "netns", "del", `${prefix}-switch`);
    await plane.converge(scene());
    expect(await ping(eips[1])).toContain("3 received");
  });

  test("links that a daemon's end left half made are made whole by the next attempt", async () => {
    await plane.converge(scene(link({ rttMs: 40 })));
    const near = link({ id: "gpu1a-gpu1a", networks: ["203.0.113.0/24", "203.0.113.0/24"], rttMs: 60 });
    const both = scene(link({ cut: true }), near);
    const devices = async () =>
      (await output("ip", "-n", `${prefix}-internet`, "tuntap")).trim().split("\n").length;
    process.kill(daemon(), "SIGSTOP");
    const failing = expect(plane.converge(both)).rejects.toThrow(/links of the internet could not be set/);
    await until("the second device", async () => (await devices()) === 2);
    process.kill(daemon(), "SIGKILL");
    await failing;
    await plane.converge(both);
    expect(roundTrips(await ping(neighbour)).filter((ms) => ms < 60)).toEqual([]);
    expect(await ping(eips[1])).toContain("0 received");
    await plane.converge(scene());
    expect(await ping(eips[1])).toContain("3 received");
    expect(Math.min(...roundTrips(await ping(neighbour)))).toBeLessThan(60);
    expect(await output("ip", "-n", `${prefix}-internet`, "tuntap")).toBe("");
  });
});
