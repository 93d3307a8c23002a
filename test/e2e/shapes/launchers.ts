/** Ranks by python, by torchrun, of an own script; and how a run ends whose rank is killed. */
import { expect } from "vitest";
import type { Place } from "../../harness/place.ts";
import { finding, killedOnce, ownScript } from "./scripts.ts";
import type { Ended } from "./stack.ts";

/** The first checkpoint. */
const step = 4;
const fourRanks = [
  { rank: 0, node: "beijing-1" },
  { rank: 1, node: "beijing-1" },
  { rank: 2, node: "shanghai-1" },
  { rank: 3, node: "shanghai-1" },
];

/** The settings of the guide's script on all nodes, for what follows the runs here. */
export const guidesOwn = {
  "training.script": undefined,
  "training.launcher": undefined,
  "training.maxRestarts": undefined,
  "training.checkpointEverySteps": undefined,
  "training.nodes": undefined,
};

/** An own script on three of the nodes: as many as the world size needs. */
export const ownScriptOnThree = (place: Place) => ({
  "training.script": { path: ownScript(place, "finding.py", finding), args: ["--colour", "blue"] },
  "training.worldSize": 3,
  "training.masterAddr": "192.168.2.2",
  "training.masterPort": 23456,
  "training.epochs": 1,
});

export function expectFound({ text, training }: Ended): void {
  expect(training).toMatchObject({ script: "finding.py", masterPort: 23456 });
  for (const rank of [0, 1, 2]) {
    expect(text).toMatch(
      new RegExp(
        `\\brank ${rank} \\| found 192\\.168\\.2\\.2 23456 3 ${rank} 0 ${rank} eth0 eth0 --colour blue$`,
        "m",
      ),
    );
  }
}

/** Two ranks on each of two nodes by python, of which the last is killed. */
export async function expectKilled(place: Place): Promise<void> {
  place.configure({
    "training.script": { path: ownScript(place, "killed_once.py", killedOnce) },
    "training.worldSize": undefined,
    "training.masterAddr": undefined,
    "training.masterPort": undefined,
    "training.nodes": ["beijing-1", "shanghai-1"],
    "training.gpusPerNode": 2,
    "training.checkpointEverySteps": step,
  });
  const changes = await place.changesBy(async () => {
    const { code, text } = await place.up();
    expect(code).not.toBe(0);
    expect(text).not.toContain("goes on after");
    expect(text).toMatch(/^ +rank 3 failed with exit code 137: it was killed \(SIGKILL\) by somebody, /m);
    for (const rank of [0, 1, 2]) {
      expect(text).toMatch(
        new RegExp(
          `^ +rank ${rank} failed with exit code \\d+: rank 3 on \\S+ failed with exit code 137: it was killed \\(SIGKILL\\) by somebody, .*$`,
          "m",
        ),
      );
    }
  });
  expect(changes).toEqual([]);
}

/** That all four ranks have gone on, and seen as many samples. */
function expectFour({ training }: Ended, samplesSeen: (rank: number) => number): void {
  expect(training).toMatchObject({
    state: "succeeded",
    script: "killed_once.py",
    worldSize: 4,
    masterAddr: "192.168.1.2",
    ranks: fourRanks.map((each) => ({ ...each, exitCode: 0, samplesSeen: samplesSeen(each.rank) })),
  });
}

export function expectResumed(resumed: Ended): void {
  expectFour(resumed, (rank) => 100 * step + rank);
  for (const { rank } of fourRanks) {
    expect(resumed.text).toMatch(
      new RegExp(`\\brank ${rank} \\| rank ${rank}: goes on after step ${step}$`, "m"),
    );
  }
}

/** By torchrun, as many ranks as the nodes have GPUs. */
export const byTorchrun = {
  "training.gpusPerNode": undefined,
  "training.launcher": "torchrun",
  "training.maxRestarts": 2,
};

export function expectRestarted(restarted: Ended, resumed: Ended): void {
  // Four fifths of 1,797 digits, in four equal shards.
  expectFour(restarted, () => 359);
  expect(new Set(restarted.training.ranks.map((rank) => rank.parametersSha256)).size).toBe(1);
  expect(restarted.training.ranks[0]?.parametersSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(restarted.training.runId).not.toBe(resumed.training.runId);
  // torchrun's ranks share a log.
  for (const { rank, node } of fourRanks) {
    expect(restarted.text).toMatch(
      new RegExp(
        `\\brank ${node === "beijing-1" ? 0 : 2} \\| rank ${rank}: goes on after step ${step}$`,
        "m",
      ),
    );
  }
}
