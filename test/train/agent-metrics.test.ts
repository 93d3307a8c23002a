/** What ranks and GPUs note while they run, and what NVIDIA's driver says without harm. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { lastLine, succeed } from "./agent.ts";

let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "metrics-"));
});

afterAll(() => rm(home, { recursive: true, force: true }));

async function ask(subcommand: string, given: object, path = process.env.PATH) {
  return (await succeed(home, subcommand, given, { PATH: path })).stdout;
}

const json = (stdout: string) => lastLine({ stdout });

const metricsSchema = z.object({
  ranks: z.tuple([
    z.object({ rank: z.number(), lines: z.array(z.looseObject({ step: z.number().optional() })) }),
  ]),
  gpus: z.array(z.looseObject({})),
});
const metricsOf = async (runId: string) =>
  metricsSchema.parse(json(await ask("metrics", { runId, rank: 0 })));

/** Launches a shell script as a rank, and waits for its end. */
async function run(runId: string, script: string, more: object = {}, path?: string) {
  const launch = { argv: ["/bin/sh", "-c", script], directory: home, ...more };
  return ask("follow", { runId, rank: 0, launch }, path);
}

test("the steps of all attempts are told once each, as the last attempt did them", async () => {
  const lines = [
    { event: "start", rank: 0 },
    { event: "step", step: 1, loss: 3 },
    { event: "step", step: 2, loss: 2 },
    { event: "start", rank: 0 },
    { event: "step", step: 2, loss: 1.5 },
    { event: "result", accuracy: 1 },
  ];
  const note = lines.map((line) => `echo '${JSON.stringify(line)}' >> $METRICS_DIR/rank-0.jsonl`).join("; ");
  await run("steps", `${note}; printf '{"event": "st' >> $METRICS_DIR/rank-0.jsonl`);
  expect(await metricsOf("steps")).toEqual({
    ranks: [{ rank: 0, lines: lines.filter(({ loss }) => loss !== 2) }],
    gpus: [],
  });
});

test("a loss that diverged is told as null, and a line that is no object not at all", async () => {
  const lines = [
    '{"event": "step", "step": 1, "loss": NaN}',
    '{"event": "step", "step": 2, "loss": -Infinity}',
    "[5]",
  ];
  await run("diverged", lines.map((line) => `echo '${line}' >> $METRICS_DIR/rank-0.jsonl`).join("; "));
  expect((await metricsOf("diverged")).ranks[0].lines).toEqual([
    { event: "step", step: 1, loss: null },
    { event: "step", step: 2, loss: null },
  ]);
});

test("of many steps evenly chosen ones are told, the first and the last among them", async () => {
  const write = `seq 1 5001 | sed 's/.*/{"event": "step", "step": &}/' > $METRICS_DIR/rank-0.jsonl`;
  await run("many", write);
  const { ranks } = await metricsOf("many");
  const steps = ranks[0].lines.map(({ step }) => step);
  expect([steps.length, steps[0], steps[1], steps.at(-1)]).toEqual([1668, 1, 4, 5001]);
});

test("what nvidia-smi says of each GPU is noted beside them", async () => {
  // There is no GPU here: a program of this name stands in, and says what nvidia-smi's manual shows.
  const bin = join(home, "bin");
  await mkdir(bin);
  const says = "#!/bin/sh\nprintf '0, 87, 11264, 205.31, 64\\n1, 0, 3, [N/A], 31\\n'\n";
  await writeFile(join(bin, "nvidia-smi"), says);
  await chmod(join(bin, "nvidia-smi"), 0o755);
  const script = `until [ -s $METRICS_DIR/gpus.jsonl ]; do sleep 0.05; done; touch $METRICS_DIR/rank-0.jsonl`;
  await run("gpus", script, {}, `${bin}:${process.env.PATH}`);
  const time = expect.any(Number);
  expect((await metricsOf("gpus")).gpus.slice(0, 2)).toEqual([
    { time, index: 0, utilizationPercent: 87, memoryMiB: 11264, powerW: 205.31, temperatureC: 64 },
    { time, index: 1, utilizationPercent: 0, memoryMiB: 3, powerW: null, temperatureC: 31 },
  ]);
});

const harmless = "Unexpected end of /proc/mounts line `overlay / overlay rw'";

test("NVIDIA's harmless message is shown once with a note, and is none of the last lines of a failure", async () => {
  const script = `for i in 1 2 3; do echo "${harmless.replaceAll("`", "\\`")}"; done; echo trained`;
  const shown = (await run("mounts", script)).split("\n");
  const note = `${harmless} (harmless: NVIDIA's driver says this in containers; it is shown once)`;
  expect(shown.slice(0, 2)).toEqual([`rank 0 | ${note}`, "rank 0 | trained"]);
  expect((await ask("logs", { runId: "mounts", rank: 0 })).split("\n")).toEqual([note, "trained", ""]);
  expect(json(await ask("status", { runId: "mounts", rank: 0 })).lines).toEqual(["trained"]);
});
