import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Ended, freePort, Python } from "./python.ts";

const script = new URL("../../scripts/train/pytorch_mnist_dist.py", import.meta.url).pathname;
const writeDigits = new URL("../../scripts/train/write_digits.py", import.meta.url).pathname;
const slow = 60_000; // importing PyTorch for the first time takes 12 s

let folder: string;
let digits: string;
const started: Python[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "train-"));
  digits = join(folder, "digits.npz");
  const written = await new Python(writeDigits, ["--output", digits]).ended;
  expect(written.stderr).toBe("");
}, slow);

afterEach(async () => {
  await Promise.all(started.splice(0).map((python) => python.kill()));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function rank(number: number, port: number, ...args: string[]): Python {
  const place = ["--master-addr", "127.0.0.1", "--master-port", String(port), "--rank", String(number)];
  const python = new Python(script, [...place, "--data", digits, "--no-cuda", ...args]);
  started.push(python);
  return python;
}

function resultOf(ended: Ended): Record<string, unknown> {
  const lines = ended.stdout.split("\n").filter((line) => line.startsWith("RESULT "));
  expect(lines).toHaveLength(1);
  return JSON.parse((lines[0] ?? "").slice("RESULT ".length));
}

describe("two ranks", () => {
  let ends: Ended[];
  let metrics: Record<string, unknown>[];

  beforeAll(async () => {
    const port = await freePort();
    const learn = [
      "--lr",
      "0.05",
      "--momentum",
      "0.9",
      "--batch-size",
      "64",
      "--epochs",
      "10",
      "--seed",
      "1",
    ];
    const output = join(folder, "metrics.jsonl");
    ends = await Promise.all([
      rank(0, port, ...learn, "--output", output).ended,
      rank(1, port, ...learn).ended,
    ]);
    metrics = (await readFile(output, "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
  }, slow);

  test("succeed, and end with the same parameters and the same accuracy of at least 0.95", () => {
    expect(ends.map(({ code, stderr }) => ({ code, stderr }))).toEqual([
      { code: 0, stderr: "" },
      { code: 0, stderr: "" },
    ]);
    const [first, second] = ends.map(resultOf);
    for (const [number, result] of [first, second].entries()) {
      expect(result).toMatchObject({
        rank: number,
        worldSize: 2,
        backend: "gloo",
        epochs: 10,
        steps: 120,
        parameters: 38_282,
        gradientBytesPerStep: 153_128,
        samplesSeen: 7_190,
        shardIndices: 719,
      });
    }
    expect(first?.parametersSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(second).toMatchObject({
      parametersSha256: first?.parametersSha256,
      accuracy: first?.accuracy,
      finalLoss: first?.finalLoss,
    });
    expect(first?.accuracy).toBeGreaterThanOrEqual(0.95);
  });

  test("train on shards that differ", () => {
    const hashes = ends.map((end) => resultOf(end).shardSha256);
    expect(new Set(hashes).size).toBe(2);
  });

  test("print a line for every epoch and write the metrics of every step", () => {
    const epochs = ends[0]?.stdout.match(
      /^epoch \d+\/10 loss \d\.\d{4} accuracy [01]\.\d{3} 12 steps \d+\.\d{3} s\/step$/gm,
    );
    expect(epochs).toHaveLength(10);
    const steps = metrics.filter(({ event }) => event === "step");
    expect(steps).toHaveLength(120);
    expect(steps[119]).toMatchObject({
      epoch: 10,
      step: 120,
      gradientBytes: 153_128,
      loss: expect.any(Number),
      seconds: expect.any(Number),
    });
    expect(metrics.filter(({ event }) => event === "epoch")).toHaveLength(10);
  });
});

describe("with checkpoints", () => {
  const learn = ["--lr", "0.05", "--momentum", "0.9", "--epochs", "3", "--checkpoint-every", "5"];
  /** Two ranks that save their states; each call goes on where the one before ended. */
  const bothRanks = async (checkpoints: string, ...more: string[]) => {
    const port = await freePort();
    return [0, 1].map((number) =>
      rank(number, port, ...learn, "--checkpoint-dir", join(folder, checkpoints), ...more),
    );
  };
  const finished = (ranks: readonly Python[]) => Promise.all(ranks.map((each) => each.ended));

  test(
    "a run that was killed in the middle ends with the parameters of one that never was",
    async () => {
      const [whole] = await finished(await bothRanks("whole"));
      if (whole === undefined) throw new Error("there is no rank 0");
      const ranks = await bothRanks("killed", "--log-interval", "1", "--timeout", "5");
      await expect
        .poll(() => ranks[1]?.stdout, { timeout: slow, interval: 5 })
        .toContain("epoch 2/3 step 4/12");
      await ranks[1]?.kill();
      await finished(ranks);
      const again = await finished(await bothRanks("killed"));
      expect(again.map(({ code, stderr }) => [code, stderr])).toEqual([
        [0, ""],
        [0, ""],
      ]);
      for (const { stdout } of again)
        expect(stdout).toMatch(/^rank \d: goes on after step (15|20|25|30), in epoch [23]$/m);
      const { secondsPerStep: _, ...expected } = resultOf(whole);
      expect(resultOf(again[0] ?? whole)).toMatchObject(expected);
    },
    2 * slow,
  );

  test(
    "ranks go on from the newest state that all have, and a run with other settings is refused",
    async () => {
      const stepsOf = async (number: number) =>
        (await readdir(join(folder, "whole", `rank-${number}`))).sort();
      expect(await stepsOf(0)).toEqual(["step-30.pt", "step-35.pt"]);
      expect(await stepsOf(1)).toEqual(await stepsOf(0));
      await rm(join(folder, "whole", "rank-1", "step-35.pt"));
      const ends = await finished(await bothRanks("whole"));
      for (const { stdout } of ends) expect(stdout).toContain("goes on after step 30, in epoch 3");
      const refused = await finished(await bothRanks("whole", "--seed", "2"));
      expect(refused.map(({ code }) => code)).toEqual([1, 1]);
      expect(refused[0]?.stderr).toMatch(
        /step-\d+\.pt was made with the settings .*'seed': 1.*, this run has .*'seed': 2/,
      );
    },
    2 * slow,
  );
});

test(
  "shards are disjoint and complete with a number of ranks that does not divide the samples",
  async () => {
    const port = await freePort();
    const ends = await Promise.all(
      [0, 1, 2].map((number) => rank(number, port, "--world-size", "3", "--epochs", "1").ended),
    );
    expect(ends.map(({ code }) => code)).toEqual([0, 0, 0]);
    const results = ends.map(resultOf);
    expect(results.map(({ shardIndices }) => shardIndices)).toEqual([479, 479, 479]);
    expect(new Set(results.map(({ shardSha256 }) => shardSha256)).size).toBe(3);
  },
  slow,
);

test(
  "ranks that do not agree on the seed fail: their shards overlap",
  async () => {
    const port = await freePort();
    const ends = await Promise.all([
      rank(0, port, "--epochs", "1").ended,
      rank(1, port, "--epochs", "1", "--seed", "2").ended,
    ]);
    for (const { code, stderr } of ends) {
      expect(code).toBe(1);
      expect(stderr).toMatch(
        /the shards of the 2 ranks are not disjoint and complete: .* Do all ranks have the same --data and --seed\?/,
      );
    }
  },
  slow,
);

describe("the other rank", () => {
  async function training(...args: string[]): Promise<[Python, Python]> {
    const port = await freePort();
    const pair = [
      rank(0, port, "--epochs", "100000", ...args),
      rank(1, port, "--epochs", "100000", ...args),
    ] as const;
    await expect.poll(() => pair[0].stdout, { timeout: slow }).toContain("epoch 2/100000 loss");
    return [pair[0], pair[1]];
  }

  test.each([0, 1])(
    "fails at once, with the reason, when rank %i is killed",
    async (victim) => {
      const pair = await training();
      const killed = performance.now();
      pair[victim]?.process.kill("SIGKILL");
      const survivor = await pair[1 - victim]?.ended;
      expect(performance.now() - killed).toBeLessThan(5_000);
      expect(survivor?.code).toBe(1);
      expect(survivor?.stderr).toMatch(
        new RegExp(`^rank ${1 - victim}: error: training stopped after .*[Cc]onnection`, "m"),
      );
      expect(survivor?.stderr).toContain("another rank ended or the network between the nodes was cut");
    },
    slow,
  );

  test(
    "fails after the timeout when a rank hangs",
    async () => {
      const [survivor, hanging] = await training("--timeout", "2");
      hanging.process.kill("SIGSTOP");
      const stopped = performance.now();
      const { code, stderr } = await survivor.ended;
      const waited = (performance.now() - stopped) / 1000;
      expect(code).toBe(1);
      expect(stderr).toContain("for longer than --timeout 2 s");
      expect(waited).toBeGreaterThan(1.5);
      expect(waited).toBeLessThan(6);
    },
    slow,
  );

  test(
    "that never comes is not waited for longer than the timeout",
    async () => {
      const { code, stderr } = await rank(1, await freePort(), "--timeout", "2").ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/rank 1: error: the 2 ranks did not meet at 127\.0\.0\.1:\d+ within 2 s/);
    },
    slow,
  );
});

test(
  "SIGTERM ends a rank at once, also while it waits for the others",
  async () => {
    const port = await freePort();
    const waiting = rank(0, port);
    await expect.poll(() => isListening(port), { timeout: slow }).toBe(true);
    const sent = performance.now();
    waiting.process.kill("SIGTERM");
    const { code, signal } = await waiting.ended;
    expect({ code, signal }).toEqual({ code: null, signal: "SIGTERM" }); // 143 for a shell
    expect(performance.now() - sent).toBeLessThan(2_000);
  },
  slow,
);

describe("mistakes are named", () => {
  test.each([
    [["--rank", "2"], 2, "--rank is 2; with --world-size 2 it must be 0 to 1"],
    [["--batch-size", "0"], 2, "--batch-size is 0; it must be more than 0"],
    [["--data", "/nowhere/digits.npz"], 1, "there is no data file /nowhere/digits.npz"],
    [["--data", script], 1, `${script} cannot be read as an .npz file`],
    [
      ["--output", "/nowhere/metrics"],
      1,
      "cannot write --output /nowhere/metrics: No such file or directory",
    ],
    [["--master-addr", "192.0.2.200"], 1, "--master-addr 192.0.2.200 "],
  ])(
    "%j",
    async (args, code, message) => {
      const ended = await rank(0, await freePort(), ...args).ended;
      expect(ended.code).toBe(code);
      expect(ended.stderr).toContain(message);
      expect(ended.stderr).not.toContain("Traceback");
    },
    slow,
  );

  test(
    "a data file without labels",
    async () => {
      const broken = join(folder, "broken.npz");
      await new Python("-c", [
        `import numpy; numpy.savez(${JSON.stringify(broken)}, images=numpy.zeros((9, 8, 8)))`,
      ]).ended;
      const { code, stderr } = await rank(0, await freePort(), "--data", broken).ended;
      expect(code).toBe(1);
      expect(stderr).toContain(`${broken} holds no array`);
    },
    slow,
  );
});

describe("write_digits.py", () => {
  test(
    "writes the same bytes on every run",
    async () => {
      const other = join(folder, "other.npz");
      const { stdout } = await new Python(writeDigits, ["--output", other]).ended;
      const [first, second] = await Promise.all([readFile(digits), readFile(other)]);
      expect(first.equals(second)).toBe(true);
      const sha256 = createHash("sha256").update(second).digest("hex");
      expect(sha256).toBe("0c2aff3ad3efa4c983d74435f40847c3f2dea3c33f362c61616f7b067d84c8fe");
      expect(JSON.parse(stdout)).toEqual({ file: other, sha256, bytes: 117_275 });
    },
    slow,
  );

  test(
    "leaves an existing file alone when it cannot write, and says why",
    async () => {
      await writeFile(join(folder, "file"), "");
      const { code, stderr } = await new Python(writeDigits, ["--output", join(folder, "file/digits.npz")])
        .ended;
      expect(code).toBe(1);
      expect(stderr).toContain(`cannot write ${join(folder, "file/digits.npz")}: Not a directory`);
    },
    slow,
  );
});

/** Whether some process listens on the port, by what the kernel says (state 0A). */
async function isListening(port: number): Promise<boolean> {
  const sockets = await Promise.all(["tcp", "tcp6"].map((table) => readFile(`/proc/net/${table}`, "utf8")));
  const local = port.toString(16).toUpperCase().padStart(4, "0");
  return new RegExp(`:${local} [0-9A-F]+:0000 0A `).test(sockets.join(""));
}
