/** Ranks by torchrun, by python, of an own script; and how a run ends whose rank is killed. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { namespaceNumbers, namespacesOf, processesOf } from "../../harness/machine.ts";
import { type Outputs, outputsOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import type { Ended } from "../../harness/process.ts";
import { checkpointsOf, type Stack, trained, up, upUntil } from "./stack.ts";

const fourRanks = [
  { rank: 0, node: "beijing-1", exitCode: 0 },
  { rank: 1, node: "beijing-1", exitCode: 0 },
  { rank: 2, node: "shanghai-1", exitCode: 0 },
  { rank: 3, node: "shanghai-1", exitCode: 0 },
];
/** 30 steps: the first checkpoint is of the fourth, and the link carries no more than some ten steps a second. */
const epochs = 5;

const parametersOf = ({ training }: Outputs) =>
  training.ranks.map(({ parametersSha256 }) => parametersSha256);

/** Starts a run, kills a rank of the second zone once all four have a checkpoint, and waits for the end. */
async function startAndKill(place: Place, rank: RegExp): Promise<Ended> {
  const before = new Set(checkpointsOf(place));
  const all = fourRanks.map((each) => `rank-${each.rank}`);
  const { ended } = await upUntil(place, "checkpoint of every rank", () => {
    const files = checkpointsOf(place).filter((file) => !before.has(file));
    const found = files.map((file) => /\/(rank-\d+)\/step-\d+\.pt$/.exec(file)?.[1]);
    return all.every((each) => found.includes(each));
  });
  const { nodes } = await place.status();
  const shanghai = nodes.filter(({ zone }) => zone === "gpu2a").map(({ namespace }) => namespace);
  const [victim] = processesOf(namespaceNumbers(shanghai), "/nowhere").filter(({ commandLine }) =>
    rank.test(commandLine),
  );
  if (victim === undefined) throw new Error(`no process of shanghai matches ${rank}`);
  process.kill(victim.pid, "SIGKILL");
  return await ended;
}

export function launchers(stack: Stack): void {
  let undisturbed: Outputs;

  test("torchrun starts a rank for each GPU of both nodes, which end with the same parameters", async () => {
    const place = stack();
    place.configure({
      "training.nodes": ["beijing-1", "shanghai-1"],
      "training.worldSize": undefined,
      "training.launcher": "torchrun",
      "training.maxRestarts": 2,
      "training.checkpointEverySteps": 4,
      "training.epochs": epochs,
    });
    const { text, ...outputs } = await trained(place);
    undisturbed = outputs;
    const { training } = outputs;
    expect(training).toMatchObject({
      state: "succeeded",
      worldSize: 4,
      masterAddr: "192.168.1.2",
      ranks: fourRanks,
    });
    expect(new Set(training.ranks.map(({ parametersSha256 }) => parametersSha256)).size).toBe(1);
    // Four fifths of 1,797 digits, in four equal shards, in every epoch.
    expect(training.ranks.map(({ samplesSeen }) => samplesSeen)).toEqual(fourRanks.map(() => 359 * epochs));
    expect(text).not.toContain("goes on after");
  });

  test("a killed rank is started again by torchrun, on all nodes, and the run ends as an undisturbed one does", async () => {
    const place = stack();
    place.configure({ "training.script.env.RUN": "disturbed" });
    const changes = await place.changesBy(async () => {
      const { code, text } = await startAndKill(place, /^\S+python\S* -u pytorch_mnist_dist\.py /);
      expect(code, text).toBe(0);
      expect(text).toMatch(/\brank 0 \| rank 0: goes on after step \d+, in epoch \d+$/m);
    });
    expect(changes).toEqual([]);
    const disturbed = outputsOf(place);
    expect(disturbed.training.runId).not.toBe(undisturbed.training.runId);
    expect(disturbed.training.ranks).toMatchObject(fourRanks);
    expect(parametersOf(disturbed)).toEqual(parametersOf(undisturbed));
  });

  test("python starts the same ranks one by one; a killed one ends all others, and the error has its place", async () => {
    const place = stack();
    place.configure({
      "training.maxRestarts": undefined,
      "training.launcher": "python",
      "training.gpusPerNode": 2,
    });
    const { code, text } = await startAndKill(place, /pytorch_mnist_dist\.py .*--rank 3 /);
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
  });

  test("the next start goes on from the checkpoint, to the same parameters as by torchrun", async () => {
    const place = stack();
    const again = await trained(place);
    expect(again.text).toMatch(/\brank 3 \| rank 3: goes on after step \d+, in epoch \d+$/m);
    expect(again.training.ranks).toMatchObject(fourRanks);
    expect(parametersOf(again)).toEqual(parametersOf(undisturbed));
  });

  // Those of the eight nodes that the world size needs.
  test("an own script finds where to meet and who it is, on as many nodes and at the master that are set", async () => {
    const place = stack();
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
print("found", *said, int(total), *sys.argv[-2:], flush=True)
dist.barrier()
`,
    );
    place.configure({
      "training.script": { path: script, args: ["--colour", "blue"] },
      "training.nodes": undefined,
      "training.gpusPerNode": 1,
      "training.worldSize": 2,
      "training.masterAddr": "192.168.2.2",
      "training.masterPort": 23456,
    });
    const text = await up(place);
    for (const [rank, node] of ["shanghai", "beijing"].entries()) {
      expect(text, node).toMatch(
        new RegExp(
          `\\brank ${rank} \\| found 192\\.168\\.2\\.2 23456 2 ${rank} 0 ${rank} eth0 eth0 2 --colour blue$`,
          "m",
        ),
      );
    }
  });

  test("destroy leaves nothing of it", async () => {
    const place = stack();
    const { nodes, routers } = await place.status();
    const prefix = `${routers[0]?.namespace.split("-")[0]}-`;
    expect(namespacesOf(prefix).length).toBeGreaterThanOrEqual(nodes.length + routers.length);
    await place.pulumiOk("destroy", "--yes", "--non-interactive");
    expect(await place.status()).toMatchObject({ routers: [], nodes: [] });
    expect(namespacesOf(prefix)).toEqual([]);
    expect(place.checkpoint().resources).toEqual([]);
  });
}
