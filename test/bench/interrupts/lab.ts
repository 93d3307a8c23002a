/**
 * The place of one worker: a stack with two zones and its cloud in this process, put back to a kept moment before each
 * command. Provider and program run in this process too; where processes are to be killed, each is its own.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isBehind, keptDeletions, pendingCreates } from "../../../scripts/dev/repair-state.ts";
import { behindFile, readState } from "../../../scripts/dev/state-file.ts";
import { unfinishedFile } from "../../../scripts/dev/unfinished-up.ts";
import { findWorkspace, type Workspace } from "../../../scripts/dev/workspace.ts";
import { AttachedProvider } from "../../harness/attached-provider.ts";
import type { Call } from "../../harness/calls.ts";
import { readCheckpoint } from "../../harness/checkpoint.ts";
import { afterCommand, cliCommand, makeStack } from "../../harness/cli.ts";
import { configure, type Value } from "../../harness/configuration.ts";
import { InlineProgram } from "../../harness/inline-program.ts";
import { keyEnvironment } from "../../harness/key-service.ts";
import { type Ended, type Running, readLines, startOf, startProcess } from "../../harness/process.ts";
import { cleanEnvironment, killAllOf } from "../../harness/stack.ts";
import { startTestCloud, type TestCloud } from "../../local-cloud/support.ts";
import { realNow, realPause } from "./clock.ts";

const clock = join(import.meta.dirname, "clock.ts");
/** By the machine's clock: nothing that the matrix waits for takes so long. */
const longestCommandMs = 180_000;
/** The CLI ends before its memory would have to be collected. */
const ofCli = { GOGC: "off", GOMEMLIMIT: "400MiB" };
const options = ["--non-interactive", "--color", "never"];

export type OwnProcess = "provider" | "program";

export interface Outcome extends Ended {
  /** By the machine's clock. */
  readonly seconds: number;
  readonly isLate: boolean;
  /** How many times as long as in one process it takes without any fault. */
  readonly weight: number;
}

export class Lab {
  readonly directory = mkdtempSync(join(tmpdir(), "crosszone-interrupts-"));
  readonly workspace: Workspace = findWorkspace({ CROSSZONE_DIRECTORY: this.directory });
  #cloud: TestCloud | undefined;
  readonly #running = new Set<Running>();
  #ofKey: NodeJS.ProcessEnv = {};
  /** What commands said, for who looks into a failure. */
  transcript = "";

  async prepare(): Promise<void> {
    this.#ofKey = await keyEnvironment();
    await makeStack(this.workspace);
  }

  get cloud(): TestCloud {
    if (this.#cloud === undefined) throw new Error("the cloud has not been started");
    return this.#cloud;
  }

  async startCloud(): Promise<void> {
    this.#cloud = await startTestCloud({ home: this.workspace.cloud });
  }

  /** What this process still does for a command that has ended reaches no cloud after that. */
  async stopCloud(): Promise<void> {
    await this.#cloud?.stop();
    this.#cloud = undefined;
  }

  /** In the workspace's folder of the CLI. */
  get #kept(): readonly string[] {
    const files = [behindFile, unfinishedFile].map((path) => basename(path(this.workspace)));
    return ["state", "Pulumi.dev.yaml", "base.Pulumi.dev.yaml", ...files];
  }

  /** Keeps state, configuration and cloud, which is stopped. */
  async keep(moment: string): Promise<void> {
    await this.stopCloud();
    const folder = join(this.directory, "moments", moment);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    for (const name of this.#kept) copy(join(this.workspace.pulumi, name), join(folder, name));
    copy(join(this.workspace.cloud, "state.db"), join(folder, "state.db"));
  }

  /** Puts everything back as it was kept, and starts the cloud: another home, port and keys of the same account. */
  async putBack(moment: string): Promise<void> {
    await this.stopCloud();
    const folder = join(this.directory, "moments", moment);
    rmSync(this.workspace.cloud, { recursive: true, force: true });
    mkdirSync(this.workspace.cloud, { mode: 0o700 });
    for (const name of this.#kept) {
      rmSync(join(this.workspace.pulumi, name), { recursive: true, force: true });
      copy(join(folder, name), join(this.workspace.pulumi, name));
    }
    copy(join(folder, "state.db"), join(this.workspace.cloud, "state.db"));
    await this.startCloud();
  }

  configure(values: Readonly<Record<string, Value>>): void {
    configure(this.workspace, values);
  }

  get checkpoint() {
    return readCheckpoint(this.workspace);
  }

  calls(): Call[] {
    return readLines(join(this.workspace.cloud, "calls.jsonl")).map((line) => JSON.parse(line) as Call);
  }

  /**
   * A command as the project runs it.
   * @param own what is a process; with both of them the state is written at each step
   * @param meanwhile is given the command once it runs
   */
  async run(
    args: readonly string[],
    own: readonly OwnProcess[] = [],
    meanwhile: (running: Running) => Promise<void> = async () => {},
  ): Promise<Outcome> {
    const all = [...args, ...options];
    const started = realNow();
    // The project's own command finishes before what a killed one has left.
    const isRepaired =
      pendingCreates(this.workspace).length > 0 ||
      (args[0] === "up" && isBehind(this.workspace)) ||
      keptDeletions(readState(this.workspace) ?? {}).length > 0;
    const ofClock = { NODE_OPTIONS: `--import=${clock}` };
    if (isRepaired) {
      const [start, ...script] = startOf("scripts/dev/pulumi.ts");
      return await this.#ended(this.#start(start, [...script, ...all], ofClock), meanwhile, started, 8);
    }
    const command = await cliCommand(this.workspace, all);
    if (command === undefined) throw new Error("the stack has not been made");
    const [program, ...rest] = command.line;
    const [provider, inline] = await Promise.all([
      own.includes("provider") ? undefined : AttachedProvider.start(all, behindFile(this.workspace)),
      own.includes("program") || !InlineProgram.isFor(args) ? undefined : InlineProgram.start(),
    ]);
    try {
      const running = this.#start(program, [...rest, ...(inline?.args ?? [])], {
        ...command.env,
        ...(provider?.env ?? ofClock),
        ...(own.length === 2 ? {} : { PULUMI_SKIP_CHECKPOINTS: "true" }),
      });
      const outcome = await this.#ended(running, meanwhile, started, 1 + own.length);
      afterCommand(this.workspace, args, outcome.code);
      return outcome;
    } finally {
      inline?.stop();
      provider?.stop();
    }
  }

  #start(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Running {
    const running = startProcess(program, args, {
      env: { ...cleanEnvironment(), ...ofCli, ...this.#ofKey, ...env, CROSSZONE_DIRECTORY: this.directory },
    });
    this.#running.add(running);
    void running.ended.finally(() => this.#running.delete(running)).catch(() => {});
    return running;
  }

  async #ended(
    running: Running,
    meanwhile: (running: Running) => Promise<void>,
    started: number,
    weight = 1,
  ): Promise<Outcome> {
    const late = realPause(longestCommandMs).then(() => "late" as const);
    const [ended] = await Promise.all([Promise.race([running.ended, late]), meanwhile(running)]);
    const isLate = ended === "late";
    if (isLate) killAllOf(running);
    const { code, stdout, stderr, text } = await running.ended;
    this.transcript += `$ ${running.child.spawnargs.join(" ")}\n${text}ended with ${code}\n\n`;
    return { code, stdout, stderr, text, isLate, weight, seconds: (realNow() - started) / 1000 };
  }

  /** Ends and removes everything. */
  async remove(): Promise<void> {
    for (const running of [...this.#running]) {
      killAllOf(running);
      await running.ended.catch(() => {});
    }
    await this.stopCloud();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function copy(from: string, to: string): void {
  if (existsSync(from)) cpSync(from, to, { recursive: true });
}
