/** `npm run train -- report`: what a run shows of itself. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { z } from "zod";
import { openPage, trainingCharts } from "../../browser.ts";
import { outputsOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { ranksOnDisk } from "../../harness/ranks.ts";
import { trafficIsCounted } from "../../harness/traffic.ts";
import { expectCloseTo, planOf } from "../plan.ts";
import { parameters, stepsPerEpoch, test } from "./story.ts";

const reportedSchema = z.object({
  runId: z.string(),
  html: z.string(),
  png: z.string(),
  missing: z.array(z.string()),
  link: z.string().optional(),
});
type Reported = z.output<typeof reportedSchema>;

async function report(place: Place, ...args: string[]): Promise<Reported> {
  const { code, stdout, text } = await place.train("report", "--json", ...args).ended;
  if (code !== 0) throw new Error(text);
  return reportedSchema.parse(JSON.parse(stdout));
}

/** Width and height that a PNG says it has. */
function sizeOf(path: string): number[] {
  const png = readFileSync(path);
  return [png.readUInt32BE(16), png.readUInt32BE(20)];
}

/** When the first rank of the last run was started, in seconds since 1970. */
function startOf(place: Place): number {
  return Math.min(...ranksOnDisk(place).map(({ startedAt }) => startedAt));
}

/** Bytes of gradients that a rank sends in the first run. */
const gradientBytes = 10 * stepsPerEpoch * 4 * parameters;

/** Looks at the first run: no other one has sent anything yet. */
export function reportOfFirstRun(): void {
  let page: string;

  test("the page has the run's own numbers, every chart, and no secret", async ({ place, secrets }) => {
    await trafficIsCounted(place, startOf(place), gradientBytes);
    const { runId, html, png, missing, link } = await report(place);
    const { zones, training } = outputsOf(place);
    expect(missing).toEqual([]);
    expect(link).toMatch(
      /^at beijing 20, shanghai 20 Mbit\/s a step should take \d+ ms, and took \d+ ms \(.* %\); /,
    );
    expect(runId).toBe(training.runId);
    const seen = await openPage(html);
    expect(seen.console).toEqual([]);
    expect(seen.requests.filter((address) => address !== "data:,")).toEqual([]);
    expect(seen.drawings.map(({ label }) => label)).toEqual([
      ...trainingCharts,
      ...zones.map(({ name, publicIp }) => `EIP of ${name}, ${publicIp}`),
      "Zones, routers, nodes and tunnels",
    ]);
    const [rank] = training.ranks;
    const words = seen.text.split(/[\n\t]/).map((word) => word.trim());
    for (const shown of [
      rank?.accuracy.toFixed(4),
      rank?.finalLoss.toFixed(4),
      rank?.parametersSha256.slice(0, 12),
      "38,282",
      `Training run ${runId} succeeded`,
      ...zones.flatMap(({ name, zoneId, publicIp, bandwidthMbps }) => [
        `${name} (zone ${zoneId})`,
        `EIP ${publicIp} · ${bandwidthMbps} Mbit/s`,
      ]),
      "received, mean of 5 min",
      "sent by its node in steps",
      link,
      `pytorch_mnist_dist.py  SHA-256 ${training.scriptSha256}`,
    ]) {
      expect(words).toContain(shown);
    }
    page = readFileSync(html, "utf8");
    for (const [what, secret] of Object.entries(secrets)) {
      expect(page.includes(secret), what).toBe(false);
    }
    const [width, height = 0] = sizeOf(png);
    expect(width).toBe(1800);
    expect(height).toBeGreaterThan(3000);
    // A white picture of that size has a few thousand bytes.
    expect(readFileSync(png).length).toBeGreaterThan(200_000);
  });

  test("the traffic at each EIP is more than the gradients that its rank has sent", ({ place }) => {
    const rows = [
      ...page.matchAll(/<td>(eip-\w+)<\/td><td>([\d.]+)<\/td><td>20 Mbit\/s<\/td><td>([\d.]+) MB<\/td>/g),
    ];
    const { zones } = outputsOf(place);
    expect(rows.map(([, , address]) => address)).toEqual(zones.map(({ publicIp }) => publicIp));
    for (const [, , , megabytes] of rows) expect(Number(megabytes)).toBeGreaterThan(gradientBytes / 1e6);
  });
}

/** Looks at the first run too: its steps were all at one bandwidth. */
export function planOfFirstRun(): void {
  test("two zones at 20 Mbit/s: a step takes what the plan says, within 15 %", async ({ place }) => {
    expectCloseTo(place, await planOf(place), [20, 20]);
  });
}

/** Looks at a run that goes on, with a value of its environment that is nobody's business. */
export function reportOfRunningRun(): void {
  test("a run that goes on is shown as far as it is, in the folder that was asked for", async ({ place }) => {
    const folder = join(place.directory, "reports", "now");
    await trafficIsCounted(place, startOf(place));
    expect((await report(place, "--output", folder)).missing).toEqual([]);
    const html = join(folder, "report.html");
    const seen = await openPage(html);
    expect(seen.text).toMatch(/^Training run \w+ running$/m);
    expect(seen.text).toMatch(/^\d[\d,]* of 100,000$/m);
    expect(seen.text.split(/[\n\t]/).map((word) => word.trim())).toContain("TOKEN: (not shown)");
    expect(readFileSync(html, "utf8")).not.toContain("hush-hush");
  });
}

export function reportWithoutNode(): void {
  test("with a node that cannot be asked the rest is shown, and the page says what it lacks", async ({
    place,
  }) => {
    const node = (await place.status()).nodes.find(({ zone }) => zone === "gpu2a");
    await place.cloudOk("fault", "add", "--kind", "crash-node", "--resource", String(node?.id));
    const { missing, html } = await report(place);
    expect(missing).toContainEqual(
      expect.stringMatching(/^Everything of shanghai-1: it could not be asked \(.+\)\.$/),
    );
    const { text } = await openPage(html);
    expect(text).toContain("What is not here");
    expect(text).toContain("Loss over steps");
  });
}
