/** Two ranks on two nodes: network namespaces with a link between, which the test makes and removes. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { requireDataPlane } from "../machine-requirements.ts";
import { Python } from "./python.ts";

const script = new URL("../../scripts/train/pytorch_mnist_dist.py", import.meta.url).pathname;
const writeDigits = new URL("../../scripts/train/write_digits.py", import.meta.url).pathname;
const slow = 60_000; // importing PyTorch for the first time takes 12 s
const ip = (...args: string[]) => promisify(execFile)("ip", args);

describe("two nodes", () => {
  const nodes = [`training-${process.pid}-0`, `training-${process.pid}-1`] as const;
  const started: Python[] = [];
  let folder: string;

  beforeAll(async () => {
    requireDataPlane();
    folder = await mkdtemp(join(tmpdir(), "nodes-"));
    expect((await new Python(writeDigits, ["--output", join(folder, "digits.npz")]).ended).code).toBe(0);
    for (const node of nodes) await ip("netns", "add", node);
    await ip(
      "-n",
      nodes[0],
      "link",
      "add",
      "eth7",
      "type",
      "veth",
      "peer",
      "name",
      "eth7",
      "netns",
      nodes[1],
    );
    for (const [number, node] of nodes.entries()) {
      await ip("-n", node, "address", "add", `192.168.${number + 1}.2/16`, "dev", "eth7");
      await ip("-n", node, "link", "set", "lo", "up");
      await ip("-n", node, "link", "set", "eth7", "up");
    }
  }, slow);

  afterEach(async () => {
    await Promise.all(started.splice(0).map((python) => python.kill()));
  });

  afterAll(async () => {
    await Promise.allSettled(nodes.map((node) => ip("netns", "delete", node)));
    await rm(folder, { recursive: true, force: true });
  });

  function rank(number: 0 | 1, ...args: string[]): Python {
    const given = [
      "--master-addr",
      "192.168.1.2",
      "--rank",
      String(number),
      "--data",
      join(folder, "digits.npz"),
    ];
    const python = new Python(script, [...given, "--no-cuda", ...args], { namespace: nodes[number] });
    started.push(python);
    return python;
  }

  test(
    "train with the guide's command line, over the interface on the route to the master",
    async () => {
      const ends = await Promise.all([rank(0, "--epochs", "1").ended, rank(1, "--epochs", "1").ended]);
      for (const { code, stdout, stderr } of ends) {
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout).toMatch(
          /^rank [01] of 2: PyTorch \S+, cpu, gloo over eth7, 719 of 1438 training samples$/m,
        );
      }
    },
    slow,
  );

  test(
    "rank 0 refuses to start on a node that does not hold the master's address",
    async () => {
      const { code, stderr } = await rank(0, "--master-addr", "192.168.2.2").ended;
      expect(code).toBe(1);
      expect(stderr).toBe(
        "rank 0: error: --master-addr 192.168.2.2 is not an address of this node (which has 192.168.1.2); rank 0 must run on the node that --master-addr names\n",
      );
    },
    slow,
  );

  test(
    "fail after the timeout when the link is cut, and survive a shorter outage",
    async () => {
      const ranks = [
        rank(0, "--epochs", "100000", "--timeout", "4"),
        rank(1, "--epochs", "100000", "--timeout", "4"),
      ];
      const epochs = () => ranks[0]?.stdout.match(/^epoch \d+\/100000 loss/gm)?.length ?? 0;
      await expect.poll(epochs, { timeout: slow }).toBeGreaterThan(2);
      await ip("-n", nodes[0], "link", "set", "eth7", "down");
      await ip("-n", nodes[0], "link", "set", "eth7", "up");
      const before = epochs();
      await expect.poll(epochs, { timeout: slow }).toBeGreaterThan(before + 2);

      await ip("-n", nodes[0], "link", "set", "eth7", "down");
      const cut = performance.now();
      for (const { code, stderr } of await Promise.all(ranks.map((python) => python.ended))) {
        expect(code).toBe(1);
        expect(stderr).toContain("the network between the nodes was cut for longer than --timeout 4 s");
      }
      expect(performance.now() - cut).toBeLessThan(8_000);
    },
    slow,
  );
});
