/** SSH to a node, through a bastion where there is one; host keys are pinned on both hops. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { Client, ClientChannel, ConnectConfig } from "ssh2";
import { z } from "zod";

const endpoint = {
  host: z.string().min(1).describe("Address or name."),
  port: z.number().int().min(1).max(65535).default(22).describe("Port."),
  user: z.string().min(1).describe("User."),
  privateKey: z.string().min(1).describe("In OpenSSH's form."),
  hostKey: z.string().min(1).describe("The expected public host key, `ssh-ed25519 AAAA…`."),
};

/** The same shape as `@pulumi/command` takes. */
export const connectionInput = z.strictObject({
  ...endpoint,
  proxy: z.strictObject(endpoint).optional().describe("A bastion to go through."),
});

type Endpoint = Omit<z.output<typeof connectionInput>, "proxy">;
export type Connection = z.output<typeof connectionInput>;

/** The server is not the one that the stack made, or not yet. */
export class HostKeyError extends Error {
  override readonly name = "HostKeyError";
}

/** The server is the right one, and does not let the user in. */
export class KeyRefusedError extends Error {
  override readonly name = "KeyRefusedError";
}

export interface Finished {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number | null;
}

export interface Session {
  /**
   * Runs a command with `stdin` and waits for its end.
   * @param onOutput sees standard output as it comes; the result is without it then
   */
  run(command: string, stdin?: string, onOutput?: (text: string) => void): Promise<Finished>;
  /** Starts a command; `firstLine` comes with its first line of output. */
  start(command: string, stdin: string): { firstLine: Promise<string>; finished: Promise<Finished> };
  close(): void;
}

/** Of each hop. */
const readyTimeoutMs = 15_000;
const keepalive = { keepaliveInterval: 1_000, keepaliveCountMax: 10 };

/**
 * Opens a session; each hop has 15 s.
 * @throws HostKeyError with both fingerprints, KeyRefusedError, or what the network said
 */
export async function openSession(connection: Connection, signal: AbortSignal): Promise<Session> {
  const hops: Client[] = [];
  const close = () => {
    for (const hop of hops.reverse()) hop.end();
    for (const hop of hops) hop.destroy();
  };
  signal.addEventListener("abort", close, { once: true });
  // Before the socket is there: nobody would hear its error while the module is loaded.
  await import("ssh2");
  try {
    let socket: Duplex = connect({
      host: connection.proxy?.host ?? connection.host,
      port: connection.proxy?.port ?? connection.port,
      noDelay: true,
    });
    if (connection.proxy !== undefined) {
      const bastion = await login(connection.proxy, socket, hops);
      socket = await forward(bastion, connection);
    }
    const client = await login(connection, socket, hops);
    return sessionOver(client, () => {
      signal.removeEventListener("abort", close);
      close();
    });
  } catch (error) {
    signal.removeEventListener("abort", close);
    close();
    throw error;
  }
}

async function login(endpoint: Endpoint, sock: Duplex, hops: Client[]): Promise<Client> {
  const { Client } = (await import("ssh2")).default;
  const client = new Client();
  hops.push(client);
  return await new Promise((resolve, reject) => {
    let wrongKey: HostKeyError | undefined;
    const hostVerifier = (key: Buffer): boolean => {
      const expected = Buffer.from(endpoint.hostKey.split(" ")[1] ?? "", "base64");
      if (expected.equals(key)) return true;
      wrongKey = new HostKeyError(
        `${endpoint.host}:${endpoint.port} shows the host key ${fingerprint(key)}, expected is ${fingerprint(expected)}`,
      );
      return false;
    };
    const config: ConnectConfig = {
      sock: sock as ConnectConfig["sock"] & Duplex,
      username: endpoint.user,
      privateKey: endpoint.privateKey,
      readyTimeout: readyTimeoutMs,
      hostVerifier,
      algorithms: { serverHostKey: ["ssh-ed25519"] },
      ...keepalive,
    };
    const fail = (error: Error & { level?: string }) => {
      const { host, port, user } = endpoint;
      const isRefused = error.level === "client-authentication";
      const refused = new KeyRefusedError(`${host}:${port} refuses the key of user ${user}`);
      reject(wrongKey ?? (isRefused ? refused : error));
    };
    sock.once("error", fail);
    client.once("ready", () => resolve(client));
    // ssh2 emits errors for as long as the connection lives; later ones end the streams, which report them.
    client.on("error", fail);
    client.once("close", () => fail(new Error(`${endpoint.host}:${endpoint.port} closed the connection`)));
    client.connect(config);
  });
}

/** A bastion waits for minutes for an address that is silent. */
function forward(bastion: Client, { host, port }: Pick<Endpoint, "host" | "port">): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const silence = new Error(`${host}:${port} did not answer the bastion within ${readyTimeoutMs / 1000} s`);
    const timer = setTimeout(() => reject(silence), readyTimeoutMs);
    bastion.forwardOut("127.0.0.1", 0, host, port, (error, channel) => {
      clearTimeout(timer);
      if (error) reject(error);
      else resolve(channel);
    });
  });
}

function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

function sessionOver(client: Client, close: () => void): Session {
  const start = (command: string, stdin: string, onOutput?: (text: string) => void) => {
    let firstLineFound: (line: string) => void;
    let noFirstLine: (error: Error) => void;
    const firstLine = new Promise<string>((resolve, reject) => {
      firstLineFound = resolve;
      noFirstLine = reject;
    });
    firstLine.catch(() => {});
    const finished = new Promise<Finished>((resolve, reject) => {
      const fail = (error: Error) => {
        noFirstLine(error);
        reject(error);
      };
      const lost = () => fail(new Error(`the connection was lost while \`${command}\` ran`));
      client.once("close", lost);
      client.exec(command, (error, channel: ClientChannel) => {
        if (error) return fail(error);
        let stdout = "";
        let stderr = "";
        let code: number | null = null;
        channel.setEncoding("utf8").on("data", (text: string) => {
          if (onOutput !== undefined) {
            onOutput(text);
            return;
          }
          stdout += text;
          const end = stdout.indexOf("\n");
          if (end >= 0) firstLineFound(stdout.slice(0, end));
        });
        channel.stderr.setEncoding("utf8").on("data", (text: string) => {
          stderr += text;
        });
        channel.on("exit", (exitCode: number | null) => {
          code = exitCode;
        });
        channel.on("close", () => {
          client.off("close", lost);
          noFirstLine(new Error(stderr.trim() || `\`${command}\` said nothing`));
          resolve({ stdout, stderr, code });
        });
        channel.end(stdin);
      });
    });
    finished.catch(() => {});
    return { firstLine, finished };
  };
  return { start, run: (command, stdin = "", onOutput) => start(command, stdin, onOutput).finished, close };
}
