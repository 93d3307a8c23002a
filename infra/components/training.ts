import { posix } from "node:path";
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
import type { TrainingPlan } from "../plan/plan.ts";
import { rankCommand, rankEnvironment, runIdOf } from "../plan/ranks.ts";
import { inProject, type RunFile, type RunFiles } from "../training/files.ts";
import type { TrainingSettings } from "../training/schema.ts";
import type { Node } from "./zone.ts";

export interface TrainingArgs {
  readonly plan: TrainingPlan;
  readonly settings: TrainingSettings;
  readonly files: RunFiles;
  /** By name, ready and connected. */
  readonly nodes: ReadonlyMap<string, Node>;
}

/** Relative to the user's home on a node; NodeReady makes it. */
const home = ".crosszone";
const agent = "scripts/node/agent";

const summary = z.object({
  rank: z.number(),
  attempt: z.number(),
  state: z.enum(["running", "succeeded", "failed", "stopped"]),
  exitCode: z.number().nullable(),
  /** What the script told in its last line; one of the user's own may tell less, or nothing. */
  result: z
    .object({
      epochs: z.number(),
      finalLoss: z.number(),
      accuracy: z.number(),
      parametersSha256: z.string(),
      secondsPerStep: z.number(),
      samplesSeen: z.number(),
    })
    .partial()
    .nullable(),
});

/**
 * One run: its files on every node, a rank on each, and, with `wait`, a follower of each until it ends.
 * A changed setting is another run: the old ranks are stopped and new ones started; the network is not touched.
 */
export class Training extends ComponentResource {
  readonly runId: string;
  readonly #args: TrainingArgs;
  readonly #fetched: readonly remote.Command[];
  readonly #followers: readonly { rank: number; node: string; follower: remote.Command | undefined }[];

  constructor(name: string, args: TrainingArgs, options: ComponentResourceOptions = {}) {
    super("crosszone:training:Training", name, {}, options);
    this.#args = args;
    const { plan, settings, files } = args;
    const commands = (data: string | undefined) => {
      const names = { script: files.script.name, data };
      return plan.ranks.map(({ rank }) => rankCommand(plan, settings, rank, names));
    };
    const hashes = this.#files.map(({ sha256 }) => sha256);
    const { from } = files.script;
    const surroundings = {
      master: [plan.masterAddr, plan.masterPort],
      env: settings.script.env,
      // Of a script that is brought its hash says what it is.
      image: "image" in from ? from.image : null,
      container: this.#isContained ? settings.container : null,
    };
    this.runId = runIdOf(commands(files.data?.name), surroundings, hashes);
    const started = commands(files.data && this.#pathOf(files.data));
    const ranks = plan.ranks.map(({ rank, node: name }, index) => {
      const [node, argv] = [this.#node(name), started[index] ?? []];
      return { rank, name, node, argv, ...this.#launch(rank, node, argv) };
    });
    const launches = ranks.map(({ launched }) => launched);
    this.#fetched = ranks.map(({ fetched }) => fetched);
    this.#followers = ranks.map(({ rank, name, node, argv }) => ({
      rank,
      node: name,
      follower: settings.wait ? this.#follow(rank, node, argv, launches) : undefined,
    }));
    this.registerOutputs({ runId: this.runId });
  }

  /** Uploads, verifies and starts; deleting it stops the rank. */
  #launch(rank: number, node: Node, argv: readonly string[]) {
    const name = node.plan.name;
    const upload = (what: string, source: asset.FileAsset | asset.FileArchive) =>
      new remote.CopyToRemote(
        `${name}-${what}`,
        { connection: node.connection, source, remotePath: home, triggers: [node.instance.id] },
        { parent: this, dependsOn: [node.ready ?? node.instance], deletedWith: node.instance },
      );
    const uploads = [
      upload("agent", new asset.FileArchive(inProject(agent))),
      ...this.#files.flatMap(({ name: file, from }) =>
        "path" in from ? upload(file, new asset.FileAsset(from.path)) : [],
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
    const launched = this.#agent(`${name}-rank-${rank}`, node, "launch", this.#launchArguments(rank, argv), {
      dependsOn: [fetched],
      delete: `python3 ${home}/agent stop`,
    });
    return { fetched, launched };
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
        create: `python3 ${home}/agent ${subcommand}`,
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

  get #files(): readonly RunFile[] {
    const { script, more, data } = this.#args.files;
    return [script, ...more, ...(data === undefined ? [] : [data])];
  }

  /** Where files are brought to. */
  get #directory(): string {
    return `~/${home}/runs/${this.runId}/work`;
  }

  get #isContained(): boolean {
    return this.#args.settings.runtime === "container";
  }

  /** A file of the image is on the node, unless the image is a container's. */
  #isOnNode({ from }: RunFile): boolean {
    return !("image" in from && this.#isContained);
  }

  #fetches() {
    return this.#files
      .filter((file) => this.#isOnNode(file))
      .map(({ name, sha256, from }) => ({
        name,
        ...(sha256 === undefined ? {} : { sha256 }),
        ...("path" in from ? { path: `~/${home}/${name}` } : from),
      }));
  }

  #launchArguments(rank: number, argv: readonly string[]) {
    const { plan, settings, files } = this.#args;
    const { from } = files.script;
    // A script of the image is started in its own folder, as the guide does.
    const own = "image" in from ? posix.dirname(from.image) : undefined;
    return {
      runId: this.runId,
      rank,
      argv,
      directory: this.#isContained ? this.#directory : (own ?? this.#directory),
      ...(this.#isContained ? { container: { ...settings.container, ...(own && { directory: own }) } } : {}),
      environment: {
        ...rankEnvironment(plan, rank),
        CHECKPOINT_EVERY: String(settings.checkpointEverySteps),
        ...settings.script.env,
      },
      maxSeconds: settings.maxDuration,
    };
  }

  /** Of a file that was brought, as the script finds it: in the folder that it is started in, else by its whole path. */
  #pathOf({ name }: RunFile): string {
    return "image" in this.#args.files.script.from ? `${this.#directory}/${name}` : name;
  }

  #node(name: string): Node {
    const node = this.#args.nodes.get(name);
    if (node === undefined) throw new Error(`The plan names a node "${name}" that it does not have.`);
    return node;
  }

  /** Of a script that an image has: found out on the first node; nobody looks into a container's image. */
  get #hashOnNode(): Output<string> | null {
    const { script } = this.#args.files;
    return this.#isOnNode(script) ? (this.#fetched[0]?.stdout.apply(hashOfScript) ?? null) : null;
  }

  /** As `outputs.training` shows it: what this `up` saw. */
  output() {
    const { plan, settings, files } = this.#args;
    return {
      state: settings.wait ? "succeeded" : "running",
      runId: this.runId,
      mode: settings.mode,
      runtime: settings.runtime,
      script: files.script.name,
      scriptSha256: files.script.sha256 ?? this.#hashOnNode,
      worldSize: plan.worldSize,
      masterAddr: plan.masterAddr,
      masterPort: plan.masterPort,
      ranks: all(this.#followers.map(({ rank, node, follower }) => rankOutput(rank, node, follower))),
      report: null,
    };
  }
}

const fetchedFiles = z.object({ files: z.tuple([z.object({ sha256: z.string() })], z.unknown()) });

/** The script is the first of the files that a node fetched or looked at. */
function hashOfScript(stdout: string): string {
  return fetchedFiles.parse(JSON.parse(stdout)).files[0].sha256;
}

function rankOutput(rank: number, node: string, follower: remote.Command | undefined): Output<object> {
  if (follower === undefined) return output({ rank, node });
  return follower.stdout.apply((text) => {
    const { exitCode, result } = summary.parse(JSON.parse(text.trimEnd().split("\n").at(-1) ?? ""));
    return { rank, node, exitCode, ...result };
  });
}
