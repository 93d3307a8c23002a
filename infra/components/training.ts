import { join, posix, relative } from "node:path";
import { remote } from "@pulumi/command";
import {
  all,
  asset,
  ComponentResource,
  type ComponentResourceOptions,
  type Input,
  type Output,
  output,
  type Resource,
} from "@pulumi/pulumi";
import { launchCommand, launchEnvironment, runIdOf } from "../plan/ranks.ts";
import type { LaunchPlan, TrainingPlan } from "../plan/training.ts";
import { messagesOf, type Path, type Setting, type TunedZone, type Tuning, tune } from "../plan/tuning.ts";
import { pathIn, pathOnNodes } from "../training/data.ts";
import type { RunFiles } from "../training/files.ts";
import { inProject, type RunFile } from "../training/local-files.ts";
import type { TrainingSettings } from "../training/schema.ts";
import { hashOfScript, rankOutputs } from "./results.ts";
import type { Node } from "./zone.ts";

export interface TrainingArgs {
  readonly plan: TrainingPlan;
  readonly settings: TrainingSettings;
  readonly files: RunFiles;
  /** By name, ready and connected. */
  readonly nodes: ReadonlyMap<string, Node>;
  readonly zones: readonly TunedZone[];
  /** Between the zones, as the checks have found them. */
  readonly paths: Output<readonly Path[]>;
  /** What else the plan has chosen by itself, to be shown. */
  readonly chosen: readonly Setting[];
}

/** Relative to the user's home on a node; NodeReady makes it. */
const home = ".crosszone";
const agent = "scripts/node/agent";

type Order = Readonly<Record<string, unknown>>;

/** What an agent is told to start, beside run and rank. */
interface Launch {
  readonly plan: LaunchPlan;
  readonly order: Output<Order>;
}

/**
 * One run: its files on every node, a rank on each, and, with `wait`, a follower of each until it ends.
 * A changed setting is another run: the old ranks are stopped and new ones started; the network is not touched.
 */
export class Training extends ComponentResource {
  readonly runId: string;
  readonly #args: TrainingArgs;
  readonly #tuning: Output<Tuning>;
  readonly #fetched: readonly remote.Command[];
  readonly #followers: readonly { launch: LaunchPlan; follower: remote.Command | undefined }[];

  constructor(name: string, args: TrainingArgs, options: ComponentResourceOptions = {}) {
    super("crosszone:training:Training", name, {}, options);
    this.#args = args;
    const { plan, settings, files } = args;
    /** `folder` is the run's, as seen from where the script is started. */
    const commandsIn = (folder: string) => {
      const data = files.data && pathIn(folder, files.data);
      const names = { script: files.script.name, data };
      return plan.launches.map((launch) => launchCommand(plan, settings, launch, names));
    };
    this.#tuning = args.paths.apply((paths) =>
      tune(this.#among(paths), args.zones, plan.worldSize, messagesOf(settings)),
    );
    const hashes = this.#files.map(({ sha256 }) => sha256);
    const { from } = files.script;
    const surroundings = {
      master: [plan.masterAddr, plan.masterPort],
      env: settings.script.env,
      // Of a script that is brought its hash says what it is.
      image: "image" in from ? from.image : null,
      container: this.#isContained ? settings.container : null,
    };
    this.runId = runIdOf(commandsIn("."), surroundings, hashes);
    // A script of an image is started in the image's folder, not in the run's.
    const started = commandsIn("image" in from ? this.#directory : ".");
    const nodes = new Set(plan.launches.map(({ node }) => node));
    this.#fetched = [...nodes].map((node) => this.#fetch(this.#node(node)));
    const launches = plan.launches.map((launch, index) => ({
      plan: launch,
      order: this.#order(launch, started[index] ?? []),
    }));
    // Nothing starts before every node has the files, and rank 0 is started first: the others wait for its word.
    const launched: remote.Command[] = [];
    for (const launch of launches) {
      launched.push(this.#launch(launch, [...this.#fetched, ...launched.slice(0, 1)]));
    }
    this.#followers = launches.map((launch) => ({
      launch: launch.plan,
      follower: settings.wait ? this.#follow(launch, launched) : undefined,
    }));
    this.registerOutputs({ runId: this.runId });
  }

  /** Uploads the run's files, or lets the node fetch them, and verifies them. */
  #fetch(node: Node): remote.Command {
    const name = node.plan.name;
    const upload = (what: string, source: asset.FileAsset | asset.FileArchive) =>
      new remote.CopyToRemote(
        `${name}-${what}`,
        { connection: node.connection, source, remotePath: home, triggers: [installationOf(node)] },
        { parent: this, dependsOn: [node.ready ?? node.instance], deletedWith: node.instance },
      );
    const uploads = [
      upload("agent", new asset.FileArchive(inProject(agent))),
      ...this.#files.flatMap(({ name: file, from }) =>
        "path" in from ? upload(file, new asset.FileAsset(from.path)) : [],
      ),
    ];
    const wanted = { directory: this.#directory, files: this.#fetches() };
    return this.#agent(`${name}-fetch`, node, "fetch", wanted, { dependsOn: uploads });
  }

  /** Starts a rank; deleting it stops the rank. */
  #launch({ plan: { node, ranks }, order }: Launch, dependsOn: Resource[]): remote.Command {
    const [rank] = ranks;
    const wanted = all([order, this.#crew]).apply(([rest, crew]) => ({
      runId: this.runId,
      rank,
      ...rest,
      crew,
    }));
    return this.#agent(`${node}-rank-${rank}`, this.#node(node), "launch", wanted, {
      dependsOn,
      delete: `python3 ${home}/agent stop`,
    });
  }

  #follow({ plan: { node, localRank, ranks }, order }: Launch, launched: readonly remote.Command[]) {
    const [rank] = ranks;
    const name = localRank === 0 ? `${node}-follow` : `${node}-follow-${rank}`;
    const wanted = all([order, this.#crew]).apply(([rest, crew]) => ({
      runId: this.runId,
      rank,
      fromStart: true,
      launch: { ...rest, crew, restart: true },
    }));
    return this.#agent(name, this.#node(node), "follow", wanted, {
      dependsOn: [...launched],
      logging: remote.Logging.Stdout,
    });
  }

  #agent(
    name: string,
    node: Node,
    subcommand: string,
    stdin: Input<object>,
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
        stdin: all([stdin, installationOf(node)]).apply(([given, instance]) =>
          JSON.stringify({ ...given, instance }),
        ),
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
    return [script, ...more, ...(data?.files ?? [])];
  }

  /** Where files are brought to. */
  get #directory(): string {
    return `~/${home}/runs/${this.runId}/work`;
  }

  get #isContained(): boolean {
    return this.#args.settings.runtime === "container";
  }

  /** Data that the node has is seen in the container at the same path. */
  get #container() {
    const { settings, files } = this.#args;
    const { image, options } = settings.container;
    const path = pathOnNodes(files.data);
    const mounts = path === undefined ? [] : ["-v", `${path}:${path}:ro`];
    return { image, options: [...mounts, ...options] };
  }

  /** A file of the image is on the node, unless the image is a container's. */
  #isOnNode({ from }: RunFile): boolean {
    return !("image" in from && this.#isContained);
  }

  #fetches() {
    const there = pathOnNodes(this.#args.files.data);
    const brought = this.#files
      .filter((file) => this.#isOnNode(file))
      .map(({ name, sha256, from }) => ({
        name,
        ...(sha256 === undefined ? {} : { sha256 }),
        ...("path" in from ? { path: `~/${home}/${name}` } : from),
      }));
    return there === undefined ? brought : [...brought, { name: posix.basename(there), there }];
  }

  #order(plan: LaunchPlan, argv: readonly string[]): Output<Order> {
    const { plan: run, settings, files } = this.#args;
    const { from } = files.script;
    // A script of the image is started in its own folder, as the guide does.
    const own = "image" in from ? posix.dirname(from.image) : undefined;
    const group = {
      address: run.masterAddr,
      port: run.controlPort,
      rendezvousPort: run.masterPort,
      size: run.launches.length,
    };
    const { zone } = this.#node(plan.node);
    // Measured values are not part of the run's id: a different value does not start the run again.
    return this.#tuning.apply(
      ({ orders, environment }): Order => ({
        ranks: plan.ranks,
        argv,
        directory: this.#isContained ? this.#directory : (own ?? this.#directory),
        ...(this.#isContained ? { container: { ...this.#container, ...(own && { directory: own }) } } : {}),
        environment: {
          ...launchEnvironment(run, settings.launcher, plan),
          CHECKPOINT_EVERY: String(settings.checkpointEverySteps),
          ...environment,
          ...settings.script.env,
        },
        maxSeconds: settings.maxDuration,
        ...(group.size > 1 ? { group } : {}),
        ...(orders.has(zone) ? { link: orders.get(zone) } : {}),
      }),
    );
  }

  /** The nodes that train: where one was replaced or restarted, all ranks have to start again. */
  get #crew(): Output<[installation: string, boot: string][]> {
    const nodes = new Set(this.#args.plan.launches.map(({ node }) => this.#node(node)));
    return all([...nodes].map((node) => all([installationOf(node), bootOf(node)])));
  }

  /** The paths between zones that train. */
  #among(paths: readonly Path[]): Path[] {
    const zones = new Set(this.#args.plan.launches.map(({ node }) => this.#node(node).zone));
    return paths.filter(({ zones: ends }) => ends.every((end) => zones.has(end)));
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
    const { plan, settings, files, chosen } = this.#args;
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
      ranks: all(this.#followers.map(({ launch, follower }) => rankOutputs(launch, follower))).apply(
        (ranks) => ranks.flat(),
      ),
      tuning: this.#tuning.apply(({ settings: tuned }) => [...chosen, ...tuned]),
      report: settings.wait ? reportPath(this.runId) : null,
    };
  }
}

/** Name of the system on a node's disk: a new one, on another instance or on the same one, has none of the run's files. */
function installationOf({ instance, ready }: Node): Output<string> {
  return all([ready?.installation, instance.id]).apply(([installation, id]) => installation ?? id);
}

function bootOf({ ready }: Node): Output<string> {
  return output(ready?.boot).apply((boot) => boot ?? "");
}

/** Where the commands of scripts/dev write the report of a run that they have waited for; null without them. */
function reportPath(runId: string): string | null {
  const folder = process.env.CROSSZONE_REPORTS;
  if (folder === undefined) return null;
  const path = join(folder, runId, "report.html");
  const inside = relative(inProject("."), path);
  return inside.startsWith("..") ? path : inside;
}
