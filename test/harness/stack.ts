/** The Pulumi CLI in the project's environment, on a stack and a cloud of the test's own. */
import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";
import { outputsIn } from "../../scripts/dev/outputs.ts";
import { isBehind, pendingCreates } from "../../scripts/dev/repair-state.ts";
import { behindFile } from "../../scripts/dev/state-file.ts";
import { findWorkspace } from "../../scripts/dev/workspace.ts";
import { readCheckpoint, type Stored } from "./checkpoint.ts";
import { afterCommand, cliCommand, makeStack } from "./cli.ts";
import { Cloud } from "./cloud.ts";
import { configure, type Value } from "./configuration.ts";
import { inThisProcess } from "./in-this-process.ts";
import { keyEnvironment } from "./key-service.ts";
import { type Ended, type Running, startOf, startProcess, waitFor } from "./process.ts";

export type { Stored } from "./checkpoint.ts";

export const up = ["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never"] as const;

/** Commands to which the project's own adds nothing but their environment once the stack is made. */
const plain: ReadonlySet<string> = new Set([
  ...["config", "destroy", "package", "preview", "refresh", "schema", "stack", "up"],
]);

export class Stack {
  readonly cloud: Cloud;
  #program: string | undefined;
  #isHere: boolean;
  #ofKey: NodeJS.ProcessEnv = {};
  readonly #running = new Set<Running>();

  private constructor(cloud: Cloud, isHere: boolean) {
    this.cloud = cloud;
    this.#isHere = isHere;
  }

  /**
   * A cloud, and the stack `dev` on it, of which only the network is made: without a data plane there is nothing to log
   * in to. @param more as of `Cloud.start`
   */
  static async start(...more: Parameters<typeof Cloud.start>): Promise<Stack> {
    return await Stack.#on(await Cloud.start(...more), false);
  }

  /**
   * The same, with the cloud in the test's own process, and with provider and program there for each command that `run`
   * leaves to the CLI itself.
   * @param stored as of `Cloud.here`
   */
  static async here(stored?: string): Promise<Stack> {
    return await Stack.#on(await Cloud.here(stored), true);
  }

  static async #on(cloud: Cloud, isHere: boolean): Promise<Stack> {
    const stack = new Stack(cloud, isHere);
    try {
      if (isHere) {
        stack.#ofKey = await keyEnvironment();
        await makeStack(stack.workspace);
      }
      stack.configure({ "training.mode": "none", "tunnel.check": "off" });
      return stack;
    } catch (error) {
      await stack.remove();
      throw error;
    }
  }

  /** From now on they are in this process, as of a stack that is `here`; for claims that no process of them changes. */
  attachProvider(): void {
    this.#isHere = true;
  }

  /** What `run` runs in this process instead of the project's own program. @param path of its TypeScript */
  useProgram(path: string): void {
    this.#program = path;
  }

  /** Sets values of the stack's configuration, by path; undefined removes one. */
  configure(values: Readonly<Record<string, Value>>): void {
    configure(this.workspace, values);
  }

  /** Where the CLI keeps what is this stack's. */
  get workspace() {
    return findWorkspace({ CROSSZONE_DIRECTORY: this.cloud.directory });
  }

  /** As `npm run pulumi -- ARGS`, in a process group. */
  start(...args: readonly string[]): Running {
    return this.command("pulumi", ...args);
  }

  /** As `npm run NAME -- ARGS`. */
  command(name: string, ...args: readonly string[]): Running {
    return this.#start([...startOf(`scripts/dev/${name}.ts`), ...args]);
  }

  /** As `start`; what the project's own command adds nothing to is run by the CLI itself once the stack is made. */
  async run(...args: readonly string[]): Promise<Ended> {
    const isPlain = plain.has(args[0] ?? "") && !args.includes("--target") && !this.#isMore(args);
    const command = isPlain ? await cliCommand(this.workspace, args) : undefined;
    if (command === undefined) return await this.start(...args).ended;
    const here = this.#isHere
      ? await inThisProcess(command.line, args, {
          entry: this.#program,
          behindFile: behindFile(this.workspace),
        })
      : undefined;
    try {
      const ended = await this.#start(here?.line ?? command.line, { ...command.env, ...here?.env }).ended;
      afterCommand(this.workspace, args, ended.code);
      return ended;
    } finally {
      here?.stop();
    }
  }

  /** Whether the project's command looks first, or takes out of the state what a killed run was creating. */
  #isMore([name]: readonly string[]): boolean {
    if (name === "up") return isBehind(this.workspace);
    return name === "destroy" && pendingCreates(this.workspace).length > 0;
  }

  #start([program = "", ...args]: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const running = startProcess(program, args, {
      env: { ...cleanEnvironment(), ...this.#ofKey, ...env, CROSSZONE_DIRECTORY: this.cloud.directory },
    });
    this.#running.add(running);
    void running.ended.finally(() => this.#running.delete(running)).catch(() => {});
    return running;
  }

  /** A command that must succeed; what it printed on standard output. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, stdout, text } = await this.run(...args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${text}`);
    return stdout;
  }

  /** The output of `stack export`: secrets are encrypted. */
  async export(): Promise<string> {
    return await this.ok("stack", "export");
  }

  /** The resources of one of the provider's types, or of all, as they are in the state. */
  resources(type = ""): Stored[] {
    return readCheckpoint(this.workspace).resources.filter(
      (each) => each.type.startsWith("qingcloud:") && each.type.endsWith(type),
    );
  }

  /** The stack's outputs; those that are secret are hidden. */
  outputs<Outputs>(): Outputs {
    return outputsIn(readCheckpoint(this.workspace).resources) as Outputs;
  }

  /** Each of the provider's resources as it is in the state, as text by its URN; what a mere write changes is left out. */
  stateByUrn(): Record<string, string> {
    return lastingByUrn(this.resources());
  }

  /**
   * Lets the CLI look for drift and for changes, and expects neither in what it says, the state or the cloud.
   * @returns its output
   */
  async noChanges(...more: readonly string[]): Promise<string> {
    const state = () => JSON.stringify(this.stateByUrn());
    const before = state();
    const calls = this.cloud.calls().length;
    const printed = await this.ok(...up, "--refresh", "--expect-no-changes", ...more);
    const changes = this.cloud
      .calls()
      .slice(calls)
      .filter(({ action }) => !/^(Describe|Get)/.test(action));
    if (changes.length > 0) throw new Error(`there were changes: ${JSON.stringify(changes)}`);
    if (state() !== before) throw new Error(`the state changed from ${before} to ${state()}`);
    return printed;
  }

  /** An `up` that is killed once an action, whose jobs do not end, was called so often; of a cloud in this process. */
  async killUpAt(action: string, count = 1): Promise<void> {
    await this.cloud.hold(action);
    const begun = this.cloud.calls().length;
    const running = this.start(...up);
    const calls = () =>
      this.cloud
        .calls()
        .slice(begun)
        .filter((call) => call.action === action);
    await waitFor(`${count} calls of ${action}`, () => calls().length >= count, 120);
    await this.kill(running);
    await this.cloud.letGo();
  }

  /** Kills everything that a command started, as a machine that loses its power does. */
  async kill(running: Running): Promise<void> {
    killAllOf(running);
    await running.ended;
  }

  /** Ends what still runs, stops the cloud and removes the folders: also after a failure. */
  async remove(): Promise<void> {
    for (const running of [...this.#running]) await this.kill(running);
    await this.cloud.remove();
  }
}

/** The part of a resource that the next write of the state keeps. */
const lasting = ({ urn, type, id, inputs, outputs, initErrors }: Stored) => ({
  ...{ urn, type, id, inputs, outputs, initErrors },
});
const byUrn = (one: { urn: string }, other: { urn: string }): number => (one.urn < other.urn ? -1 : 1);
/** A folder that was copied; a refresh leaves of it what it holds, without where that was. */
const archive = z.object({
  "4dabf18193072939515e22adb298388d": z.literal("0def7320c3a5731c473e5ecbe6d01bc7"),
  hash: z.string(),
});
/** A secret is encrypted again each time it is written. */
const withoutCiphertext = (key: string, value: unknown): unknown =>
  key === "ciphertext" ? "" : (archive.safeParse(value).data ?? value);

/** Resources as they are in the state, as text by their URN; what a mere write changes is left out. */
export function lastingByUrn(resources: readonly Stored[]): Record<string, string> {
  const sorted = resources.map(lasting).sort(byUrn);
  return Object.fromEntries(sorted.map((each) => [each.urn, JSON.stringify(each, withoutCiphertext)]));
}

/** Kills a command and everything that comes from it. */
export function killAllOf({ child: { pid } }: Running): void {
  // Process 0 would be everything.
  for (const each of pid === undefined ? [] : descendantsOf(pid)) {
    try {
      process.kill(each, "SIGKILL");
    } catch {
      // It has ended in the meantime.
    }
  }
}

/** A process and all that come from it, the deepest last. */
export function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number[]>();
  for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(entry);
    if (parent !== undefined) parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)]);
  }
  const all = [pid];
  for (const each of all) all.push(...(parents.get(each) ?? []));
  return all;
}

function parentOf(pid: string): number | undefined {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

/** Nothing of the caller's environment chooses an account, a stack, a state or its key. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PULUMI|QINGCLOUD|VAULT)_/.test(name)),
  );
}
