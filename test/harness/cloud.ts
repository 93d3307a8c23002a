/** A local cloud without a data plane, in its own process or in the test's, and the log of the calls that it got. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { runningStatus } from "../../local-cloud/commands.ts";
import { startTestCloud, TestClient, type TestCloud } from "../local-cloud/support.ts";
import { type Call, type Change, callsOf, changesAmong } from "./calls.ts";
import { runs, startOf } from "./process.ts";

export class Cloud {
  /** Holds the cloud's home and whatever else the test keeps. */
  readonly directory: string;
  readonly home: string;

  /** More of `cloud start`. */
  readonly options: readonly string[];

  /** Where it runs in this process. */
  #here: TestCloud | undefined;

  private constructor(directory: string, options: readonly string[]) {
    this.options = options;
    this.directory = directory;
    this.home = join(directory, ".local-cloud");
  }

  /**
   * @param jobs `instant`, `realistic`, or a file with the seconds of each action
   * @param options more of `cloud start`
   */
  static async start(jobs = "instant", ...options: readonly string[]): Promise<Cloud> {
    const cloud = new Cloud(mkdtempSync(join(tmpdir(), "crosszone-integration-")), options);
    try {
      await cloud.startAgain(jobs);
    } catch (error) {
      await cloud.remove();
      throw error;
    }
    return cloud;
  }

  /**
   * In this process, its jobs ending at once: nothing but the API is the same, and it starts in milliseconds.
   * @param stored the durable state that it begins with, a file
   */
  static async here(stored?: string): Promise<Cloud> {
    const cloud = new Cloud(mkdtempSync(join(tmpdir(), "crosszone-integration-")), []);
    if (stored !== undefined) {
      mkdirSync(cloud.home, { mode: 0o700 });
      copyFileSync(stored, join(cloud.home, "state.db"));
    }
    cloud.#here = await startTestCloud({ home: cloud.home });
    return cloud;
  }

  /** Lets no job of an action end until `letGo`, from the nth call on; of a cloud in this process. */
  async hold(action: string, nth = 1): Promise<void> {
    await this.#here?.fault({ action, kind: "hang-job", nth, times: 1000 });
  }

  /** Refuses an action until `letGo`; of a cloud in this process. */
  async refuse(action: string): Promise<void> {
    await this.#here?.fault({ action, kind: "refuse", code: 1200, message: "no more", times: 1000 });
  }

  async letGo(): Promise<void> {
    await this.#here?.clearFaults();
  }

  get configFile(): string {
    return join(this.home, "config.yaml");
  }

  /** Process id of the server. */
  get pid(): number {
    return (JSON.parse(readFileSync(join(this.home, "cloud.json"), "utf8")) as { pid: number }).pid;
  }

  get client(): TestClient {
    return TestClient.ofHome(this.home);
  }

  /** Starts it again with other job times; what it holds stays. */
  async restart(jobs: string): Promise<void> {
    await this.run("stop");
    await this.startAgain(jobs);
  }

  /** Starts it after it has ended. The last of options that are given twice wins. */
  async startAgain(jobs: string, ...options: readonly string[]): Promise<void> {
    const usual = ["--data-plane", "none", "--port", "0", "--jobs", jobs];
    await this.run("start", ...usual, ...this.options, ...options);
  }

  /** Ends its process without warning (kill -9). */
  async kill(): Promise<void> {
    const { pid } = this;
    process.kill(pid, "SIGKILL");
    while (runs(pid)) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  calls(): Call[] {
    return callsOf(this.home);
  }

  /** The changes that `work` had made: actions with their parameters, without those that were refused. */
  async changesBy(work: () => Promise<unknown>): Promise<Change[]> {
    const before = this.calls().length;
    await work();
    return changesAmong(
      this.calls()
        .slice(before)
        .filter(({ ret_code }) => ret_code === 0),
    );
  }

  /** What `cloud status --json` says. */
  async status(): Promise<string> {
    return await this.run("status");
  }

  /** Counts of the resources in each zone, without zeros. */
  async resources(): Promise<Record<string, Record<string, number>>> {
    const status = await runningStatus(this.home);
    if (status === undefined) throw new Error(`no cloud runs in ${this.home}`);
    const some = (counts: object) => Object.entries(counts).filter(([, count]) => count > 0);
    return Object.fromEntries(
      status.zones.map(({ id, resources }) => [id, Object.fromEntries(some(resources))]),
    );
  }

  /** Stops it; answers what the command says. */
  async stop(): Promise<unknown> {
    return JSON.parse(await this.run("stop"));
  }

  /** Stops it and removes everything; also when it never ran. */
  async remove(): Promise<void> {
    if (this.#here === undefined) await this.run("stop");
    else await this.#here.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async run(command: string, ...options: string[]): Promise<string> {
    const [start, ...program] = startOf("local-cloud/main.ts", "--disable-warning=ExperimentalWarning");
    const argv = [...program, command, "--home", this.home, "--json", ...options];
    return (await promisify(execFile)(start, argv)).stdout;
  }
}
