/** Several ranks on each node of two zones: by torchrun, by python, of a script of one's own; and how such a run ends. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { namespaceNumbers, processesOf } from "../harness/machine.ts";
import { outputsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { type Ended, waitForText } from "../harness/process.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  for (const zone of [0, 1]) {
    place.configure({ [`zones[${zone}].shape.instanceType`]: "g2ntp100.8xlarge.r4" });
    place.configure({ [`zones[${zone}].bandwidthMbps`]: 100 });
  }
});

afterAll(() => place.remove());

async function trained() {
  const { code, text } = await place.start();
  expect(code, text).toBe(0);
  return { text, training: outputsOf(place).training };
}

const fourRanks = [
  { rank: 0, node: "beijing-1", exitCode: 0 },
  { rank: 1, node: "beijing-1", exitCode: 0 },
  { rank: 2, node: "shanghai-1", exitCode: 0 },
  { rank: 3, node: "shanghai-1", exitCode: 0 },
];

/** Starts a run, kills a rank of the second zone once the first epochs are done, and waits for the end. */
async function startAndKill(rank: RegExp): Promise<Ended> {
  const running = place.run("start");
  await waitForText(running, /^rank \d \| epoch 2\/\d+ loss/m, 200);
  const { nodes } = await place.status();
  const shanghai = nodes.filter(({ zone }) => zone === "gpu2a").map(({ namespace }) => namespace);
  const [victim] = processesOf(namespaceNumbers(shanghai), "/nowhere").filter(({ commandLine }) =>
    rank.test(commandLine),
  );
  if (victim === undefined) throw new Error(`no process of shanghai matches ${rank}`);
  process.kill(victim.pid, "SIGKILL");
  return await running.ended;
}

test("torchrun starts a rank for each GPU of both nodes, which end with the same parameters", async () => {
  place.configure({ "training.launcher": "torchrun" });
  place.configure({ "training.epochs": 3 });
  const { training } = await trained();
  expect(training).toMatchObject({
    state: "succeeded",
    worldSize: 4,
    masterAddr: "192.168.1.2",
    ranks: fourRanks,
  });
  expect(new Set(training.ranks.map(({ parametersSha256 }) => parametersSha256)).size).toBe(1);
  // Of 1,797 digits four fifths, in four equal shards, three times.
  expect(training.ranks.map(({ samplesSeen }) => samplesSeen)).toEqual([1077, 1077, 1077, 1077]);
});

test("a killed rank is started again by torchrun, on all nodes, and the run ends as an undisturbed one does", async () => {
  place.configure({ "training.epochs": 40 });
  place.configure({ "training.maxRestarts": 2 });
  place.configure({ "training.checkpointEverySteps": 4 });
  const { code, text } = await startAndKill(/^\S+python\S* -u pytorch_mnist_dist\.py /);
  expect(code, text).toBe(0);
  expect(text).toMatch(/^rank 0 \| rank 0: goes on after step \d+, in epoch \d+$/m);
  const disturbed = outputsOf(place).training;
  expect(disturbed.ranks).toMatchObject(fourRanks);
  place.configure({ "training.script.env.RUN": "undisturbed" });
  const { text: quiet, training } = await trained();
  expect(quiet).not.toContain("goes on after");
  expect(training.runId).not.toBe(disturbed.runId);
  expect(training.ranks.map(({ parametersSha256 }) => parametersSha256)).toEqual(
    disturbed.ranks.map(({ parametersSha256 }) => parametersSha256),
  );
});

test("python starts the same ranks one by one, to the same parameters", async () => {
  const before = outputsOf(place).training;
  place.configure({ "training.maxRestarts": undefined });
  place.configure({ "training.launcher": "python" });
  place.configure({ "training.gpusPerNode": 2 });
  const { training } = await trained();
  expect(training.ranks).toMatchObject(fourRanks);
  expect(training.ranks[3]?.parametersSha256).toBe(before.ranks[0]?.parametersSha256);
});

test("a killed rank ends all others, the error has its place and last lines, and the next start goes on", async () => {
  const before = outputsOf(place).training;
  place.configure({ "training.script.env.RUN": "killed" });
  const { code, text } = await startAndKill(/pytorch_mnist_dist\.py .*--rank 3 /);
  expect(code).not.toBe(0);
  expect(text).toMatch(/^ +rank 3 failed with exit code 137;/m);
  for (const rank of [0, 1, 2]) {
    expect(text).toMatch(
      new RegExp(
        `^ +rank ${rank} failed with exit code \\d+: rank 3 on \\S+ failed with exit code 137$`,
        "m",
      ),
    );
  }
  const again = await trained();
  expect(again.text).toMatch(/^rank 3 \| rank 3: goes on after step \d+, in epoch \d+$/m);
  expect(again.training.ranks.map(({ parametersSha256 }) => parametersSha256)).toEqual(
    before.ranks.map(({ parametersSha256 }) => parametersSha256),
  );
});

test("a script of one's own is told where to meet and who it is, on as many nodes and at the master that are set", async () => {
  const script = join(place.directory, "own.py");
  const names = ["MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE", "RANK", "LOCAL_RANK", "NODE_RANK"];
  writeFileSync(
    script,
    `import datetime, json, os, sys
import torch
import torch.distributed as dist
dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=60))
total = torch.ones(1)
dist.all_reduce(total)
said = [os.environ[name] for name in ${JSON.stringify([...names, "GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"])}]
print("told", *said, int(total), *sys.argv[-2:], flush=True)
dist.barrier()
`,
  );
  place.configure({ "training.script.path": script });
  place.configure({ "training.script.args[0]": "--colour" });
  place.configure({ "training.script.args[1]": "blue" });
  place.configure({ "training.gpusPerNode": 1 });
  place.configure({ "training.worldSize": 2 });
  place.configure({ "training.masterAddr": "192.168.2.2" });
  place.configure({ "training.masterPort": 23456 });
  const { text } = await place.start();
  for (const [rank, node] of ["shanghai", "beijing"].entries()) {
    expect(text, node).toMatch(
      new RegExp(
        `^rank ${rank} \\| told 192\\.168\\.2\\.2 23456 2 ${rank} 0 ${rank} eth0 eth0 2 --colour blue$`,
        "m",
      ),
    );
  }
});
