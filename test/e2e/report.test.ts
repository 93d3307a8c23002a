/** `npm run train -- report`: what a run shows of itself, while it goes on and when it has ended. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openPage } from "../browser.ts";
import { outputsOf, secretsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { type Ended, waitFor } from "../harness/process.ts";

const reportedSchema = z.object({
  runId: z.string(),
  html: z.string(),
  png: z.string(),
  missing: z.array(z.string()),
  link: z.string().optional(),
});

let place: Place;
let first: Ended;

beforeAll(async () => {
  place = new Place();
  await place.cloudOk("start");
  place.configure({ "training.epochs": 3 });
  place.configure({ "training.script.env.TOKEN": "hush-hush" });
  first = await place.start();
});

afterAll(() => place.remove());

const train = (...args: string[]) => place.train(...args).ended;

async function report(...args: string[]): Promise<z.output<typeof reportedSchema>> {
  const { code, stdout, text } = await train("report", "--json", ...args);
  if (code !== 0) throw new Error(text);
  return reportedSchema.parse(JSON.parse(stdout));
}

/** Width and height that a PNG says it has. */
function sizeOf(path: string): number[] {
  const png = readFileSync(path);
  return [png.readUInt32BE(16), png.readUInt32BE(20)];
}

test("a run that was waited for ends with its report", async () => {
  expect(first.code, first.text).toBe(0);
  const { training } = outputsOf(place);
  const html = join(place.pulumiHome, "reports", training.runId, "report.html");
  expect(first.stdout).toContain(`report  ${html}\n`);
  expect(existsSync(html)).toBe(true);
});

test("a second npm start names the report that is there", async () => {
  const { training } = outputsOf(place);
  const html = join(place.pulumiHome, "reports", training.runId, "report.html");
  const before = readFileSync(html, "utf8");
  expect((await place.start()).stdout).toContain(`report  ${html}\n`);
  expect(readFileSync(html, "utf8")).toBe(before);
});

test("the page has the run's own numbers, every chart, and no secret", async () => {
  // Counted every 10 seconds: of the last ones nothing is known before.
  await waitFor(
    "traffic at the EIPs",
    async () => !(await report()).missing.some((line) => /EIP/.test(line)),
  );
  const { runId, html, png, missing, link } = await report();
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
    "Loss over steps",
    "Loss over time",
    "Accuracy over steps",
    "Accuracy over time",
    "Time of a step, mean of the ranks",
    "Time of a step by rank, mean of all steps",
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
    "TOKEN: (not shown)",
    link,
    `pytorch_mnist_dist.py  SHA-256 ${training.scriptSha256}`,
  ]) {
    expect(words).toContain(shown);
  }
  const page = readFileSync(html, "utf8");
  for (const [what, secret] of Object.entries(await secretsOf(place))) {
    expect(page.includes(secret), what).toBe(false);
  }
  expect(page).not.toContain("hush-hush");
  const [width, height = 0] = sizeOf(png);
  expect(width).toBe(1800);
  expect(height).toBeGreaterThan(3000);
  // A white picture of that size has a few thousand bytes.
  expect(readFileSync(png).length).toBeGreaterThan(200_000);
});

test("the traffic at each EIP is more than the gradients that its rank has sent", async () => {
  const page = readFileSync((await report()).html, "utf8");
  const rows = [
    ...page.matchAll(/<td>(eip-\w+)<\/td><td>([\d.]+)<\/td><td>20 Mbit\/s<\/td><td>([\d.]+) MB<\/td>/g),
  ];
  const { zones } = outputsOf(place);
  expect(rows.map(([, , address]) => address)).toEqual(zones.map(({ publicIp }) => publicIp));
  // 36 steps of 153,128 bytes of gradients.
  for (const [, , , megabytes] of rows) expect(Number(megabytes)).toBeGreaterThan(5.5);
});

test("a run that goes on is shown as far as it is, in the folder that was asked for", async () => {
  place.configure({ "training.wait": false });
  place.configure({ "training.epochs": 100000 });
  const started = await place.start();
  expect(started.code, started.text).toBe(0);
  expect(started.stdout).not.toMatch(/^report/m);
  const folder = join(place.directory, "reports", "now");
  await waitFor("steps in the report", async () => (await report("--output", folder)).missing.length === 0);
  const seen = await openPage(join(folder, "report.html"));
  expect(seen.text).toMatch(/^Training run \w+ running$/m);
  expect(seen.text).toMatch(/^\d[\d,]* of 100,000$/m);
});

test("with a node that can not be asked the rest is shown, and the page says what it lacks", async () => {
  const node = (await place.status()).nodes.find(({ zone }) => zone === "gpu2a");
  await place.cloudOk("fault", "add", "--kind", "crash-node", "--resource", String(node?.id));
  const { missing, html } = await report();
  expect(missing).toContainEqual(
    expect.stringMatching(/^Everything of shanghai-1: it could not be asked \(.+\)\.$/),
  );
  const { text } = await openPage(html);
  expect(text).toContain("What is not here");
  expect(text).toContain("Loss over steps");
});

test("a folder that can not be written is refused with what to do", async () => {
  const folder = join(place.directory, "a file");
  writeFileSync(folder, "");
  const { code, stderr } = await train("report", "--output", folder);
  expect(code).toBe(1);
  expect(stderr).toBe(
    `train: the report can not be written to ${folder} (EEXIST); give another folder: --output FOLDER\n`,
  );
});
