/** An account in a local cloud without a data plane, and the plugins that work on it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { Engine } from "../integration/engine.ts";
import { Plugin } from "../integration/plugin.ts";
import { HalfMade, type Resource } from "../integration/plugin-answers.ts";
import { startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { type Call, callsOf } from "./calls.ts";

export const zone = "gpu1a";
export const own = { zone, mark: "0badcafe" };

export class Account {
  #cloud: TestCloud;
  readonly engine: Engine;
  readonly #directory: string;
  readonly #plugins: Plugin[] = [];

  private constructor(cloud: TestCloud, engine: Engine, directory: string) {
    this.#cloud = cloud;
    this.engine = engine;
    this.#directory = directory;
  }

  /** @param jobs seconds by action; absent: all end at once */
  static async start({ jobs }: { jobs?: object } = {}): Promise<Account> {
    const directory = mkdtempSync(join(tmpdir(), "crosszone-resilience-"));
    const cloud = await startTestCloud({
      home: join(directory, "cloud"),
      jobs: jobs === undefined ? "instant" : jobsFile(directory, jobs),
    });
    return new Account(cloud, await Engine.start(), directory);
  }

  get cloud(): TestCloud {
    return this.#cloud;
  }

  /** Starts the cloud again with other job times or another rate limit; what it holds stays. */
  async restart({ jobs, rateLimit }: { jobs?: object; rateLimit?: string } = {}): Promise<void> {
    const { home } = this.#cloud;
    await this.#cloud.stop();
    this.#cloud = await startTestCloud({
      home,
      jobs: jobs === undefined ? "instant" : jobsFile(this.#directory, jobs),
      ...(rateLimit === undefined ? {} : { rateLimit }),
    });
  }

  get configFile(): string {
    return join(this.cloud.home, "config.yaml");
  }

  get client() {
    return this.cloud.client;
  }

  /** Takes all faults back. */
  async clearFaults(): Promise<void> {
    await this.cloud.clearFaults();
  }

  /** Lets no job of an action end, or of `*`, until `letGo` or `clearFaults`. */
  async hold(action: string): Promise<void> {
    await this.cloud.fault({ action, kind: "hang-job", times: 1000 });
  }

  /** Does `work`, and once it has looked at what is there lets all held jobs end: it finds them at work. */
  async letGo<Result>(work: () => Promise<Result>): Promise<Result> {
    const before = this.calls().length;
    const result = work();
    result.catch(() => {});
    await vi.waitFor(
      () => {
        const looks = this.calls().slice(before);
        expect(looks.map(({ action }) => action)).toContainEqual(expect.stringMatching(/^Describe(?!Zones)/));
      },
      { timeout: 20_000, interval: 10 },
    );
    await this.clearFaults();
    return await result;
  }

  /** A file that goes with the account. */
  write(name: string, text: string): string {
    const path = join(this.#directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  }

  /**
   * A provider as another run has it, in this process: nothing is remembered but what the test hands over.
   * @param command the CLI's, as of `Plugin.here`
   */
  async plugin(
    configFile: string | undefined = this.configFile,
    command?: string,
    behindFile?: string,
  ): Promise<Plugin> {
    const ofCli = { ...(command && { command }), ...(behindFile && { behindFile }) };
    return this.#kept(await Plugin.here(configFile, { engine: this.engine.address, ...ofCli }));
  }

  /** The same as a process, which can be killed, says something on standard error, and pauses as long as it says. */
  async process(
    configFile: string | undefined = this.configFile,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Plugin> {
    return this.#kept(await Plugin.start(configFile, { engine: this.engine.address, env }));
  }

  #kept(plugin: Plugin): Plugin {
    this.#plugins.push(plugin);
    return plugin;
  }

  calls(): Call[] {
    return callsOf(this.cloud.home);
  }

  /** The calls that `work` made. */
  async callsBy(work: () => Promise<unknown>): Promise<Call[]> {
    return (await this.watch(work)).calls;
  }

  /** What `work` came to, and the calls that it made. */
  async watch<Result>(work: () => Promise<Result>): Promise<{ result: Result; calls: Call[] }> {
    const before = this.calls().length;
    const result = await work();
    return { result, calls: this.calls().slice(before) };
  }

  async stop(): Promise<void> {
    for (const plugin of this.#plugins.splice(0)) await plugin.stop();
    this.engine.stop();
    await this.cloud.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function jobsFile(directory: string, jobs: object): string {
  const path = join(directory, "jobs.json");
  writeFileSync(path, JSON.stringify(jobs));
  return path;
}

const isChange = ({ action }: Call): boolean => !/^(Describe|Get)/.test(action);

/** The actions that changed something, in their order; a refused one has its code, e.g. `JoinRouter 1400`. */
export function changesOf(calls: readonly Call[]): string[] {
  return calls
    .filter(isChange)
    .map(({ action, ret_code }) => (ret_code === 0 ? action : `${action} ${ret_code}`));
}

/** What a promise is rejected with. @throws Error where it is not */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("error" in outcome && outcome.error instanceof Error) return outcome.error;
  throw new Error(`it ended well: ${JSON.stringify(outcome)}`);
}

/** The half-made resource that a failure keeps in state. */
export function halfMadeOf(error: Error): Resource {
  if (error instanceof HalfMade) return error.resource;
  throw new Error(`nothing is kept in state: ${error.message}`);
}
