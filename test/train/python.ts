/** Runs Python scripts as child processes of a test, and makes sure that none outlives it. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export class Python {
  readonly process: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  stdout = "";
  stderr = "";

  constructor(
    script: string,
    args: readonly string[],
    options: { stdin?: string; env?: NodeJS.ProcessEnv; namespace?: string } = {},
  ) {
    const started = performance.now();
    const inNamespace = options.namespace === undefined ? [] : ["ip", "netns", "exec", options.namespace];
    const [program = "", ...rest] = [...inNamespace, "/usr/bin/python3", script, ...args];
    this.process = spawn(program, rest, { env: { ...process.env, ...options.env } });
    this.process.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.process.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.process.stdin.on("error", () => {}); // a script that refuses its arguments reads no input
    this.process.stdin.end(options.stdin ?? "");
    this.ended = new Promise((resolve) =>
      this.process.once("close", (code, signal) => {
        const seconds = (performance.now() - started) / 1000;
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr, seconds });
      }),
    );
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.ended;
  }
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts();
  return port;
}

/** Two that differ. */
export async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()] as const;
  for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
  const [one, other] = servers.map((server) => (server.address() as AddressInfo).port);
  for (const server of servers) await once(server.close(), "close");
  return [one as number, other as number];
}
