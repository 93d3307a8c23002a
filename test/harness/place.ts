/** The project's commands as a user runs them, with state, cloud, ports and namespaces that belong to one test file. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runningStatus } from "../../local-cloud/commands.ts";
import { checkPrerequisites } from "../../local-cloud/network/machine/prerequisites.ts";
import type { CloudStatus } from "../../local-cloud/status.ts";
import { outputsIn } from "../../scripts/dev/outputs.ts";
import { behindFile } from "../../scripts/dev/state-file.ts";
import { findWorkspace, type Workspace } from "../../scripts/dev/workspace.ts";
import { type Call, callsOf, changingActions } from "./calls.ts";
import { type Checkpoint, readCheckpoint } from "./checkpoint.ts";
import { afterCommand, cliCommand } from "./cli.ts";
import { configure, type Value } from "./configuration.ts";
import { keepEvidence } from "./evidence.ts";
import { inThisProcess } from "./in-this-process.ts";
import { type Ended, type Running, startOf, startProcess, succeeded, userEnvironment } from "./process.ts";

interface RunOptions {
  readonly stdin?: string;
  /** A program that runs the command; standard input stays open then. */
  readonly wrapper?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The scripts behind the npm commands. */
const scripts = {
  start: "scripts/dev/start.ts",
  pulumi: "scripts/dev/pulumi.ts",
  train: "scripts/dev/train.ts",
  cloud: "local-cloud/main.ts",
} as const;

/** Those that were not removed. */
export const places = new Set<Place>();

/** Whether a failure is that of a test; `evidence-hooks.ts` says so of a test file. */
export const story = { hasBegun: true };

export function evidence(folders: string): string {
  return `the cloud's log, its calls, the stack's state and the nodes' logs are kept in ${folders}`;
}

export class Place {
  readonly directory = mkdtempSync(join(tmpdir(), "crosszone-e2e-"));
  readonly workspace: Workspace = findWorkspace({ CROSSZONE_DIRECTORY: this.directory });
  readonly pulumiHome = this.workspace.pulumi;
  readonly cloudHome = this.workspace.cloud;
  readonly #running = new Set<Running>();
  #kept: string | undefined;

  /** @throws Error with what the machine lacks */
  constructor() {
    const missing = checkPrerequisites();
    places.add(this);
    if (missing.length === 0) return;
    places.delete(this);
    rmSync(this.directory, { recursive: true });
    throw new Error(`This machine cannot run the end-to-end tests:\n${missing.join("\n")}`);
  }

  /** A command as the user types it: `npm ARGS`. */
  npm(args: readonly string[], options: RunOptions = {}): Running {
    return this.#run(["npm", ...args], options);
  }

  /** `npm run NAME -- ARGS`, which must succeed; what it printed on standard output. */
  async npmOk(name: string, ...args: string[]): Promise<string> {
    return succeeded(await this.npm(["run", "--silent", name, "--", ...args]).ended, [name, ...args]);
  }

  /** Runs what `npm start` does, without npm. */
  start(): Promise<Ended> {
    return this.run("start").ended;
  }

  /** Runs what `npm run pulumi -- ARGS` does. */
  pulumi(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    return this.run("pulumi", args, options).ended;
  }

  /** As `pulumi`, and must succeed; what it printed on standard output. */
  async pulumiOk(...args: string[]): Promise<string> {
    return succeeded(await this.pulumi(args), args);
  }

  /**
   * `up` without a preview or a report; once the stack is made, without a process of the project around the CLI, and with
   * program and provider in this process. More flags may follow.
   */
  async up(...flags: string[]): Promise<Ended> {
    return await (await this.startUp(...flags)).ended;
  }

  /** Starts what `up` waits for. */
  async startUp(...flags: string[]): Promise<Running> {
    return this.#cli(["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never", ...flags]);
  }

  /** `preview`, in the same way. */
  async preview(...flags: string[]): Promise<Ended> {
    return await (await this.#cli(["preview", "--non-interactive", "--color", "never", ...flags])).ended;
  }

  async #cli(args: readonly string[]): Promise<Running> {
    const command = await cliCommand(this.workspace, args);
    if (command === undefined) return this.run("pulumi", args);
    const here = await inThisProcess(command.line, args, { behindFile: behindFile(this.workspace) });
    // The program says in the outputs where the report of a run will be.
    process.env.CROSSZONE_REPORTS = command.env.CROSSZONE_REPORTS;
    const running = this.#run(here.line, { env: { ...command.env, ...here.env } });
    const end = () => {
      delete process.env.CROSSZONE_REPORTS;
      here.stop();
    };
    void running.ended
      .then(({ code }) => afterCommand(this.workspace, args, code))
      .finally(end)
      .catch(() => {});
    return running;
  }

  /** As `up`, and must succeed; the actions that it had called which change something, sorted. */
  changesByUp(...flags: string[]): Promise<string[]> {
    return this.changesBy(async () => succeeded(await this.up(...flags), ["up", ...flags]));
  }

  /** Runs what `npm run cloud -- ARGS` does; it must succeed. */
  async cloudOk(...args: string[]): Promise<string> {
    return succeeded(await this.run("cloud", [...args, "--home", this.cloudHome]).ended, args);
  }

  /** Runs what `npm run train -- ARGS` does. */
  train(...args: string[]): Running {
    return this.run("train", args);
  }

  /** The running cloud's status. @throws Error where none runs */
  async status(): Promise<CloudStatus> {
    const status = await runningStatus(this.cloudHome);
    if (status === undefined) throw new Error(`no local cloud of ${this.cloudHome} is running`);
    return status;
  }

  checkpoint(): Checkpoint {
    return readCheckpoint(this.workspace);
  }

  /** The stack's outputs, secrets hidden. */
  outputs(): unknown {
    return outputsIn(this.checkpoint().resources);
  }

  /** Sets values of the stack's configuration, by path; undefined removes one. */
  configure(settings: Readonly<Record<string, Value>>): void {
    configure(this.workspace, settings);
  }

  /** The API calls so far. */
  calls(): Call[] {
    return callsOf(this.cloudHome);
  }

  /** Actions that `work` had called which change something, sorted. */
  async changesBy(work: () => Promise<unknown>): Promise<string[]> {
    const before = this.calls().length;
    await work();
    return changingActions(this.calls().slice(before));
  }

  /** A command of the project in its own process group, without npm around it. */
  run(name: keyof typeof scripts, args: readonly string[] = [], options: RunOptions = {}): Running {
    return this.#run([...startOf(scripts[name]), ...args], options);
  }

  #run(line: readonly string[], { stdin = "", wrapper = [], env = {} }: RunOptions): Running {
    const [program = "", ...args] = [...wrapper, ...line];
    const running = startProcess(program, args, {
      env: { ...userEnvironment(), CROSSZONE_DIRECTORY: this.directory, ...env },
      stdin: wrapper.length === 0 ? stdin : null,
    });
    this.#running.add(running);
    void running.ended.finally(() => this.#running.delete(running)).catch(() => {});
    return running;
  }

  /** Keeps what was noted so far. @returns the folder; one for all failures of a story, that of the first */
  keep(): string {
    this.#kept ??= keepEvidence(this.workspace);
    return this.#kept;
  }

  /** Ends what still runs, destroys, stops the cloud, removes the folders: also after a failure, and twice. */
  async remove(): Promise<void> {
    // A failure before the first test is no test's: it is reported here.
    const kept = story.hasBegun ? undefined : this.keep();
    for (const { child, ended } of [...this.#running]) {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
      await ended;
    }
    // The cloud's own reset: quick, and it works whatever the stack's state is.
    const home = ["--home", this.cloudHome];
    await this.run("cloud", ["reset", ...home]).ended;
    await this.run("cloud", ["stop", ...home]).ended;
    rmSync(this.directory, { recursive: true, force: true });
    places.delete(this);
    if (kept !== undefined) throw new Error(evidence(kept));
  }
}
