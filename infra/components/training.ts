import { basename } from "node:path";
import { remote } from "@pulumi/command";
import {
  all,
  asset,
  ComponentResource,
  type ComponentResourceOptions,
  type Output,
  output,
  type Resource,
} from "@pulumi/pulumi";
import { z } from "zod";
import type { Config } from "../config.ts";
import { inProject, type RunFile, type RunFiles } from "../files.ts";
import { rankCommand, runIdOf, type TrainingPlan } from "../plan/plan.ts";
import type { Node } from "./zone.ts";

export interface TrainingArgs {
  readonly plan: TrainingPlan;
  readonly settings: Config["training"];
  readonly files: RunFiles;
  /** By name, ready and connected. */
  readonly nodes: ReadonlyMap<string, Node>;
}

/** Relative to the user's home on a node; NodeReady makes it. */
const home = ".crosszone";
const agent = "scripts/node/agent.py";

const summary = z.object({
  rank: z.number(),
  attempt: z.number(),
  state: z.enum(["running", "succeeded", "failed", "stopped"]),
  exitCode: z.number().nullable(),
  result: z
    .object({
      epochs: z.number(),
      finalLoss: z.number(),
      accuracy: z.number(),
      parametersSha256: z.string(),
      secondsPerStep: z.number(),
      samplesSeen: z.number(),
    })
    .loose()
    .nullable(),
});

/**
 * One run: its files on every node, a rank on each, and, with `wait`, a follower of each until it ends.
 * A changed setting is another run: the old ranks are stopped and new ones started; the network is not touched.
 */
export class Training extends ComponentResource {
  readonly runId: string;
  readonly #args: TrainingArgs;
  readonly #followers: readonly { rank: number; node: string; follower: remote.Command | undefined }[];

  constructor(name: string, args: TrainingArgs, options: ComponentResourceOptions = {}) {
    super("crosszone:training:Training", name, {}, options);
    this.#args = args;
    const { plan, settings, files } = args;
    const names = { script: files.script.name, data: files.data.name };
    const commands = plan.ranks.map(({ rank }) => rankCommand(plan, settings, rank, names));
    this.runId = runIdOf(commands, settings.script.env, [files.script.sha256, files.data.sha256]);
    const launches = plan.ranks.map(({ rank, node }, index) =>
      this.#launch(rank, this.#node(node), commands[index] ?? []),
    );
    this.#followers = plan.ranks.map(({ rank, node }, index) => ({
      rank,
      node,
      follower: settings.wait
        ? this.#follow(rank, this.#node(node), commands[index] ?? [], launches)
        : undefined,
    }));
    this.registerOutputs({ runId: this.runId });
  }

  /** Uploads, verifies and starts; deleting it stops the rank. */
  #launch(rank: number, node: Node, argv: readonly string[]): remote.Command {
    const { files } = this.#args;
    const name = node.plan.name;
    const upload = (what: string, path: string) =>
      new remote.CopyToRemote(
        `${name}-${what}`,
        {
          connection: node.connection,
          source: new asset.FileAsset(path),
          remotePath: `${home}/${basename(path)}`,
          triggers: [node.instance.id],
        },
        { parent: this, dependsOn: [node.ready ?? node.instance], deletedWith: node.instance },
      );
    const uploads = [
      upload("agent", inProject(agent)),
      ...Object.values(files).flatMap(({ name: file, from }: RunFile) =>
        "path" in from ? upload(file, from.path) : [],
      ),
    ];
    const fetched = this.#agent(
      `${name}-fetch`,
      node,
      "fetch",
      { directory: this.#directory, files: this.#fetches() },
      {
        dependsOn: uploads,
      },
    );
    return this.#agent(`${name}-rank-${rank}`, node, "launch", this.#launchArguments(rank, argv), {
      dependsOn: [fetched],
      delete: `python3 ${home}/agent.py stop`,
    });
  }

  #follow(
    rank: number,
    node: Node,
    argv: readonly string[],
    launches: readonly remote.Command[],
  ): remote.Command {
    const { runId: _runId, rank: _rank, ...launched } = this.#launchArguments(rank, argv);
    const launch = { ...launched, restart: true };
    return this.#agent(
      `${node.plan.name}-follow`,
      node,
      "follow",
      { runId: this.runId, rank, fromStart: true, launch },
      { dependsOn: [...launches], logging: remote.Logging.Stdout },
    );
  }

  #agent(
    name: string,
    node: Node,
    subcommand: string,
    stdin: object,
    {
      dependsOn,
      logging = remote.Logging.None,
      ...rest
    }: { dependsOn: Resource[]; delete?: string; logging?: remote.Logging },
  ): remote.Command {
    return new remote.Command(
      name,
      {
        connection: node.connection,
        create: `python3 ${home}/agent.py ${subcommand}`,
        // Another run, or another instance, is an update: replacing would stop the old rank over the old connection,
        // which may lead nowhere by then.
        stdin: node.instance.id.apply((instance) => JSON.stringify({ ...stdin, instance })),
        addPreviousOutputInEnv: false,
        logging,
        ...rest,
      },
      {
        parent: this,
        dependsOn: [node.ready ?? node.instance, ...dependsOn],
        deletedWith: node.instance,
      },
    );
  }

  get #directory(): string {
    return `~/${home}/runs/${this.runId}/work`;
  }

  #fetches() {
    return Object.values(this.#args.files).map(({ name, sha256, from }: RunFile) => ({
      name,
      sha256,
      ...("url" in from ? from : { path: `~/${home}/${name}` }),
    }));
  }

  #launchArguments(rank: number, argv: readonly string[]) {
    const { script, maxDuration } = this.#args.settings;
    const directory = this.#directory;
    return { runId: this.runId, rank, argv, directory, environment: script.env, maxSeconds: maxDuration };
  }

  #node(name: string): Node {
    const node = this.#args.nodes.get(name);
    if (node === undefined) throw new Error(`The plan names a node "${name}" that it does not have.`);
    return node;
  }

  /** As `outputs.training` shows it: what this `up` saw. */
  output() {
    const { plan, settings, files } = this.#args;
    return {
      state: settings.wait ? "succeeded" : "running",
      runId: this.runId,
      mode: settings.mode,
      script: files.script.name,
      scriptSha256: files.script.sha256,
      worldSize: plan.worldSize,
      masterAddr: plan.masterAddr,
      masterPort: plan.masterPort,
      ranks: all(this.#followers.map(({ rank, node, follower }) => rankOutput(rank, node, follower))),
      report: null,
    };
  }
}

function rankOutput(rank: number, node: string, follower: remote.Command | undefined): Output<object> {
  if (follower === undefined) return output({ rank, node });
  return follower.stdout.apply((text) => {
    const { exitCode, result } = summary.parse(JSON.parse(text.trimEnd().split("\n").at(-1) ?? ""));
    if (result === null) return { rank, node, exitCode };
    const { epochs, finalLoss, accuracy, parametersSha256, secondsPerStep, samplesSeen } = result;
    return {
      rank,
      node,
      exitCode,
      epochs,
      finalLoss,
      accuracy,
      parametersSha256,
      secondsPerStep,
      samplesSeen,
    };
  });
}
