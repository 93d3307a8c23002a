import { beforeAll, describe, expect, test } from "vitest";
import { plain } from "../configurations.ts";
import { type Deployment, deploy, ofTypes } from "./deployment.ts";

const trained = (training: object) => deploy({ ...plain, training });
const ofRun = ["Training", "Command", "CopyToRemote"];
const networkOf = (made: Deployment) =>
  Object.fromEntries(Object.entries(made).filter(([name]) => !ofRun.includes(name.split(" ")[0] ?? "")));
const commandsOf = (made: Deployment) => Object.keys(ofTypes(made, "Command"));
const stdinOf = (made: Deployment, name: string) =>
  JSON.parse(String(made[`Command ${name}`]?.inputs.stdin)) as Record<string, unknown>;

let usual: Deployment;
let other: Deployment;
beforeAll(async () => {
  usual = await trained({ wait: true });
  other = await trained({
    wait: false,
    ...{
      epochs: 20,
      batchSize: 16,
      lr: 0.1,
      seed: 7,
      sync: "fp16",
      checkpointEverySteps: 10,
      maxDuration: 60,
    },
    script: { args: ["--log-every", "3"], env: { OMP_NUM_THREADS: "1" } },
  });
});

test("other training settings touch no resource of the network", () => {
  expect(Object.keys(networkOf(other))).toHaveLength(28);
  expect(networkOf(other)).toEqual(networkOf(usual));
  expect(stdinOf(other, "beijing-1-rank-0").runId).not.toBe(stdinOf(usual, "beijing-1-rank-0").runId);
});

describe("of a run on two nodes", () => {
  const run = () => stdinOf(usual, "beijing-1-rank-0").runId;
  const uploads = (node: string) =>
    Object.entries(ofTypes(usual, "CopyToRemote")).filter(([name]) =>
      name.startsWith(`CopyToRemote ${node}-`),
    );

  test("it waits for every check, and all is part of it", () => {
    expect(usual["Training training"]).toMatchObject({
      parent: undefined,
      dependencies: ["PathCheck beijing-shanghai"],
    });
    for (const { parent } of Object.values(ofTypes(usual, "Command", "CopyToRemote")))
      expect(parent).toBe("Training training");
  });

  test("each node gets the agent and the run's files, again when its system is another one", () => {
    for (const node of ["beijing-1", "shanghai-1"]) {
      expect(uploads(node).map(([name]) => name.replace(`CopyToRemote ${node}-`, ""))).toEqual([
        "agent",
        ...["arguments.py", "checkpoint.py", "data.py", "digits.npz", "group.py", "metrics.py", "model.py"],
        ...["pytorch_mnist_dist.py", "sync.py", "training.py"],
      ]);
      for (const [, upload] of uploads(node)) {
        expect(upload).toMatchObject({
          inputs: { remotePath: ".crosszone", triggers: [`installation of ${node}`] },
          deletedWith: `Instance ${node}`,
          options: { replaceOnChanges: ["triggers[*]"] },
        });
        expect(upload.dependencies).toContain(`NodeReady ${node}`);
      }
      const fetch = usual[`Command ${node}-fetch`];
      expect(fetch?.dependencies).toEqual(expect.arrayContaining(uploads(node).map(([name]) => name)));
      expect(fetch?.inputs).toMatchObject({ create: "python3 .crosszone/agent fetch" });
      expect(stdinOf(usual, `${node}-fetch`)).toMatchObject({
        directory: `~/.crosszone/runs/${run()}/work`,
        instance: `installation of ${node}`,
      });
    }
  });

  test("nothing starts before every node has the files, and rank 0 starts first", () => {
    const fetched = ["Command beijing-1-fetch", "Command shanghai-1-fetch"];
    const awaited = (name: string) =>
      usual[`Command ${name}`]?.dependencies.filter((each) => each.startsWith("Command "));
    expect(awaited("beijing-1-rank-0")).toEqual(fetched);
    expect(awaited("shanghai-1-rank-1")).toEqual([fetched[0], "Command beijing-1-rank-0", fetched[1]]);
    const launched = ["Command beijing-1-rank-0", "Command shanghai-1-rank-1"];
    for (const node of ["beijing-1", "shanghai-1"]) expect(awaited(`${node}-follow`)).toEqual(launched);
  });

  test("ranks are stopped where they are deleted, and go with their instance", () => {
    const starts = Object.entries(ofTypes(usual, "Command")).map(([name, { inputs, deletedWith }]) => [
      name.replace("Command ", ""),
      [inputs.create, inputs.delete, inputs.logging, deletedWith].map((each) =>
        String(each).replace("python3 .crosszone/agent ", ""),
      ),
    ]);
    const ofNode = (node: string, rank: number) => ({
      [`${node}-fetch`]: ["fetch", "undefined", "none", `Instance ${node}`],
      [`${node}-follow`]: ["follow", "undefined", "stdout", `Instance ${node}`],
      [`${node}-rank-${rank}`]: ["launch", "stop", "none", `Instance ${node}`],
    });
    expect(Object.fromEntries(starts)).toEqual({ ...ofNode("beijing-1", 0), ...ofNode("shanghai-1", 1) });
  });

  test("another run or another instance is an update of its command, never a replacement", () => {
    for (const { inputs, options } of Object.values(ofTypes(usual, "Command"))) {
      expect(inputs).not.toHaveProperty("triggers");
      expect(inputs).not.toHaveProperty("environment");
      // @pulumi/command sets these.
      expect(options).toEqual({ replaceOnChanges: ["triggers[*]"] });
    }
  });

  test("no key is in clear: connections are secret as a whole", () => {
    for (const { inputs, secretOutputs } of Object.values(ofTypes(usual, "Command", "CopyToRemote"))) {
      expect(secretOutputs).toEqual(["connection"]);
      expect(inputs.connection).toEqual({
        secret: expect.objectContaining({ privateKey: "private key operator" }),
      });
      expect(JSON.stringify({ ...inputs, connection: undefined })).not.toContain("private key");
    }
  });

  test("each rank gets its number, its routes over the tunnel and its command line", () => {
    const argv = stdinOf(usual, "shanghai-1-rank-1").argv as string[];
    expect(argv.slice(0, 6)).toEqual([
      ...["python", "pytorch_mnist_dist.py", "--master-addr", "192.168.1.2", "--rank", "1"],
    ]);
    expect(stdinOf(usual, "shanghai-1-rank-1")).toMatchObject({
      ...{ rank: 1, ranks: [1], instance: "installation of shanghai-1" },
      group: { address: "192.168.1.2", port: 29501, rendezvousPort: 29500, size: 2 },
      link: { routes: [{ network: "192.168.1.0/24", gateway: "192.168.2.1", mtu: 1400 }] },
    });
  });

  test("ranks and their followers know all nodes that train: where one is another, or was restarted, all start again", () => {
    const crew = ["beijing-1", "shanghai-1"].map((node) => [`installation of ${node}`, `boot of ${node}`]);
    for (const name of ["beijing-1-rank-0", "shanghai-1-rank-1"])
      expect(stdinOf(usual, name).crew).toEqual(crew);
    for (const name of ["beijing-1-follow", "shanghai-1-follow"])
      expect(stdinOf(usual, name).launch).toMatchObject({ crew });
  });

  test("a follower starts the rank again where it has to", () => {
    const { runId, rank, instance, ...order } = stdinOf(usual, "beijing-1-rank-0");
    expect(stdinOf(usual, "beijing-1-follow")).toEqual({
      ...{ runId, rank, instance, fromStart: true },
      launch: { ...order, restart: true },
    });
  });
});

test("without wait nobody follows the ranks", () => {
  expect(commandsOf(other)).toEqual(commandsOf(usual).filter((name) => !name.includes("follow")));
  expect(commandsOf(usual)).toHaveLength(commandsOf(other).length + 2);
});
