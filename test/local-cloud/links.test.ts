/** The links between zones as commands and starts set them. */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ask } from "../../local-cloud/commands.ts";
import { needRunning } from "../../local-cloud/running.ts";
import { linkPictures, parseLink, type ShownLink } from "../../local-cloud/services/links/links.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { startTestCloud, type TestCloud } from "./support.ts";

const main = join(import.meta.dirname, "../../local-cloud/main.ts");
const perfect = { rttMs: 0, mtu: 1500, mtuBlackhole: false, lossPercent: 0, cut: false };
let home: string;
let cloud: TestCloud;

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "local-cloud-"));
  cloud = await startTestCloud({ home });
});

afterEach(async () => {
  await cloud.stop();
  rmSync(home, { recursive: true });
});

async function links(): Promise<readonly ShownLink[]> {
  return (await ask<{ links: ShownLink[] }>(await needRunning({ home }, "the links"), "GET", "links")).links;
}

async function set(...request: [string, string, object]): Promise<ShownLink> {
  const [one, other, changes] = request;
  const body = { zones: [one, other], ...changes };
  return (await ask<{ link: ShownLink }>(await needRunning({ home }, "the links"), "POST", "links", body))
    .link;
}

test("every pair of zones has a link, perfect at first", async () => {
  expect(await links()).toEqual([
    { zones: ["gpu1a", "gpu1a"], ...perfect },
    { zones: ["gpu1a", "gpu2a"], ...perfect },
    { zones: ["gpu2a", "gpu2a"], ...perfect },
  ]);
});

test("what is given changes, in either order of the zones, and the rest stays", async () => {
  expect(await set("gpu1a", "gpu2a", { rtt: "30", mtu: 1400 })).toEqual({
    zones: ["gpu1a", "gpu2a"],
    ...perfect,
    rttMs: 30,
    mtu: 1400,
  });
  expect(await set("gpu2a", "gpu1a", { loss: "0.5", seed: "7", cut: true, mtuBlackhole: true })).toEqual({
    zones: ["gpu1a", "gpu2a"],
    rttMs: 30,
    mtu: 1400,
    mtuBlackhole: true,
    lossPercent: 0.5,
    seed: 7,
    cut: true,
  });
  expect(await set("gpu1a", "gpu2a", { cut: false })).toMatchObject({
    rttMs: 30,
    lossPercent: 0.5,
    cut: false,
  });
  expect(await set("gpu1a", "gpu2a", { reset: true, loss: 2 })).toEqual({
    zones: ["gpu1a", "gpu2a"],
    ...perfect,
    lossPercent: 2,
  });
});

test("links outlive a restart and a reset, of a cloud that runs and of one that does not", async () => {
  await set("gpu1a", "gpu2a", { rtt: 30 });
  await cloud.stop();
  cloud = await startTestCloud({ home });
  expect((await links())[1]).toMatchObject({ rttMs: 30 });
  await ask(await needRunning({ home }, "the links"), "POST", "reset");
  expect((await links())[1]).toMatchObject({ rttMs: 30 });
  await cloud.stop();
  const argv = ["--disable-warning=ExperimentalWarning", main, "reset", "--home", home];
  await promisify(execFile)(process.execPath, argv);
  cloud = await startTestCloud({ home });
  expect((await links())[1]).toMatchObject({ rttMs: 30 });
  await set("gpu1a", "gpu2a", { reset: true });
  await cloud.stop();
  cloud = await startTestCloud({ home });
  expect((await links())[1]).toEqual({ zones: ["gpu1a", "gpu2a"], ...perfect });
});

test("a start with a link replaces that of the home, and no other", async () => {
  await set("gpu1a", "gpu2a", { rtt: 30, mtu: 1400 });
  await set("gpu2a", "gpu2a", { loss: 1 });
  await cloud.stop();
  cloud = await startTestCloud({ home, links: ["gpu2a,gpu1a,loss=3,mtu-blackhole,mtu=1300"] });
  expect((await links()).slice(1)).toEqual([
    { zones: ["gpu1a", "gpu2a"], ...perfect, lossPercent: 3, mtu: 1300, mtuBlackhole: true },
    { zones: ["gpu2a", "gpu2a"], ...perfect, lossPercent: 1 },
  ]);
});

test("what can not be is refused with what is allowed", async () => {
  await expect(set("gpu1a", "gpu9", { cut: true })).rejects.toThrow(
    "link gpu1a gpu9: must be two zones of gpu1a, gpu2a, which may be the same one",
  );
  await expect(set("gpu1a", "gpu2a", { mtu: 20 })).rejects.toThrow(
    "--mtu 20: must be a whole number of bytes from 576 to 1500",
  );
  await expect(set("gpu1a", "gpu2a", { loss: "101" })).rejects.toThrow(
    "--loss 101: must be a percentage from 0 to 100",
  );
  await expect(set("gpu1a", "gpu2a", { rtt: "fast" })).rejects.toThrow("--rtt fast: must be milliseconds");
  expect(() => parseLink("gpu1a")).toThrow("link gpu1a : must be two zones of gpu1a, gpu2a");
  expect(() => parseLink("gpu1a,gpu2a,quick=1")).toThrow("e.g. gpu1a,gpu2a,rtt=30,mtu=1400");
  expect((await links())[1]).toEqual({ zones: ["gpu1a", "gpu2a"], ...perfect });
});

test("the data plane is told of imperfect links alone, by the networks of their EIPs", async () => {
  await set("gpu1a", "gpu2a", { rtt: 30 });
  await set("gpu1a", "gpu1a", { seed: 3 });
  await cloud.stop();
  const store = new Store(join(home, "state.db"));
  expect(linkPictures(store)).toEqual([
    { id: "gpu1a-gpu2a", networks: ["203.0.113.0/24", "198.51.100.0/24"], ...perfect, rttMs: 30 },
  ]);
  store.close();
});

test("faults come on top of what is set, are named, and leave with it as it was", async () => {
  await set("gpu1a", "gpu2a", { rtt: 30, loss: 1 });
  await cloud.fault({ kind: "delay-packets", between: "gpu2a,gpu1a", rtt: 20 });
  await cloud.fault({ kind: "lose-packets", between: ["gpu1a", "gpu2a"], loss: "5" });
  await cloud.fault({ kind: "cut-link", between: "gpu1a,gpu2a", seconds: 600 });
  await cloud.fault({ kind: "cut-link", between: "gpu2a,gpu2a" });
  const faults = await cloud.faults();
  expect(faults.map(({ text }) => text)).toEqual([
    "A round trip between gpu1a and gpu2a takes 20 ms more, until it is cleared.",
    "5 % of the packets between gpu1a and gpu2a are lost, until it is cleared.",
    expect.stringMatching(/^Nothing passes between gpu1a and gpu2a, for \d+\.\d s more\.$/),
    "Nothing passes between gpu2a and gpu2a, until it is cleared.",
  ]);
  const ids = faults.map(({ id }) => id);
  expect(await links()).toEqual([
    { zones: ["gpu1a", "gpu1a"], ...perfect },
    {
      zones: ["gpu1a", "gpu2a"],
      ...perfect,
      rttMs: 50,
      lossPercent: 5,
      cut: true,
      faults: ids.slice(0, 3),
    },
    { zones: ["gpu2a", "gpu2a"], ...perfect, cut: true, faults: ids.slice(3) },
  ]);
  await cloud.clearFaults();
  expect((await links())[1]).toEqual({ zones: ["gpu1a", "gpu2a"], ...perfect, rttMs: 30, lossPercent: 1 });
});

test("faults of the network that can not be are refused with what is allowed", async () => {
  const refused = async (request: Parameters<TestCloud["fault"]>[0], message: string) =>
    await expect(cloud.fault(request)).rejects.toThrow(message);
  await refused({ kind: "cut-link" }, "--between is missing: must be two zones, e.g. gpu1a,gpu2a");
  await refused({ kind: "cut-link", between: "gpu1a" }, "--between gpu1a: must be two zones of gpu1a, gpu2a");
  await refused({ kind: "cut-link", between: "gpu1a,gpu2a", loss: 3 }, "is for --kind lose-packets only");
  await refused({ kind: "lose-packets", between: "gpu1a,gpu2a" }, "--loss is missing: must be a percentage");
  await refused(
    { kind: "delay-packets", between: "gpu1a,gpu2a", rtt: 0 },
    "--rtt 0: must be milliseconds more than 0",
  );
  await refused({ kind: "cut-tunnel", resource: "rtrs-00000000" }, "must be a router static of type 6 or 7");
});
