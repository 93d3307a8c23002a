/** The Pulumi CLI in the project's environment, on a stack and a cloud of the test's own. */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cloud, root } from "./cloud.ts";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** Standard output and error, as a terminal shows them. */
  readonly text: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
}

/** A resource of the state. */
export interface Stored {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** URNs. */
  readonly dependencies?: readonly string[];
  readonly initErrors?: readonly string[];
}

export const up = ["up", "--yes", "--skip-preview", "--non-interactive", "--color", "never"] as const;

export class Stack {
  readonly cloud: Cloud;
  readonly #running = new Set<Running>();

  private constructor(cloud: Cloud) {
    this.cloud = cloud;
  }

  /**
   * A cloud, and the stack `dev` on it, of which only the network is made: without a data plane there is nothing to log
   * in to. @param more as of `Cloud.start`
   */
  static async start(...more: Parameters<typeof Cloud.start>): Promise<Stack> {
    const stack = new Stack(await Cloud.start(...more));
    try {
      await stack.ok("config", "set", "--path", "crosszone:training.mode", "none");
      await stack.ok("config", "set", "--path", "crosszone:tunnel.check", "off");
      return stack;
    } catch (error) {
      await stack.remove();
      throw error;
    }
  }

  /** `npm run pulumi -- ARGS`, in a process group of its own. */
  start(...args: readonly string[]): Running {
    const child = spawn(process.execPath, [join(root, "scripts", "dev", "pulumi.ts"), ...args], {
      cwd: root,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...cleanEnvironment(), CROSSZONE_DIRECTORY: this.cloud.directory },
    });
    let [stdout, text] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      stdout += chunk;
      text += chunk;
    });
    child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code) => {
        this.#running.delete(running);
        resolve({ code, stdout, text });
      });
    });
    const running: Running = { child, ended };
    this.#running.add(running);
    return running;
  }

  run(...args: readonly string[]): Promise<Ended> {
    return this.start(...args).ended;
  }

  /** A command that must succeed; what it printed on standard output. */
  async ok(...args: readonly string[]): Promise<string> {
    const { code, stdout, text } = await this.run(...args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${text}`);
    return stdout;
  }

  /** The state as it lies on the disk: what is secret is encrypted. */
  async export(): Promise<string> {
    return await this.ok("stack", "export");
  }

  /** The resources of one of the provider's types, or of all. */
  async resources(type = ""): Promise<Stored[]> {
    const { deployment } = JSON.parse(await this.export()) as { deployment: { resources?: Stored[] } };
    return (deployment.resources ?? []).filter(
      (each) => each.type.startsWith("qingcloud:") && each.type.endsWith(type),
    );
  }

  /** Kills everything that a command started, as a machine that loses its power does. */
  async kill({ child, ended }: Running): Promise<void> {
    for (const pid of descendantsOf(child.pid ?? 0)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended in the meantime.
      }
    }
    await ended;
  }

  /** Ends what still runs, stops the cloud and removes the folders: also after a failure. */
  async remove(): Promise<void> {
    for (const running of [...this.#running]) await this.kill(running);
    await this.cloud.remove();
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

/** Nothing of the caller's environment chooses an account, a stack or a state. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(PULUMI|QINGCLOUD)_/.test(name)),
  );
}
