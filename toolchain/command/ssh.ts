/**
 * SSH connections, shared by all commands that have the same target in this process: the first pays for the
 * handshake (some 80 ms through a bastion), the next take 3 ms.
 */
import { connect as connectTcp } from "node:net";
import type { Duplex } from "node:stream";
import { Client, type ConnectConfig, type ServerHostKeyAlgorithm } from "ssh2";
import { type Connection, fingerprint, type Hop } from "./connection.ts";
import type { Context } from "./resource.ts";
import { nameOf, RefusedKeyError, retry } from "./retry.ts";

/** Below OpenSSH's default MaxSessions of 10 for one connection. */
const sessionsPerClient = 8;
const keepalive = { keepaliveInterval: 5_000, keepaliveCountMax: 3 };
/** Until a connection that is not answered to counts as lost: one more interval passes before ssh2 says so. */
const silenceSeconds = (keepalive.keepaliveInterval / 1000) * (keepalive.keepaliveCountMax + 1);

/** A place on a connection for one channel at a time. */
export interface Session {
  readonly client: Client;
  /** For messages: host and port. */
  readonly target: string;
  /** Why nothing more comes over the connection, once that is so. A channel of it may never close. */
  readonly lost: Promise<string>;
  /** Opens a channel; where that fails the whole task is run again, once, on a new connection. */
  open<Opened>(request: Request<Opened>): Promise<Opened>;
}

/** What is opened is undefined with an error alone. */
type Request<Opened> = (
  done: (error: Error | undefined, opened?: Opened | PromiseLike<Opened>) => void,
) => void;

class ChannelError extends Error {
  /** The server said no, so the connection is alive. */
  readonly refused: boolean;

  constructor(message: string, refused: boolean) {
    super(message);
    this.refused = refused;
  }
}

interface Shared {
  readonly client: Client;
  readonly lost: Promise<string>;
  sessions: number;
}

const pools = new Map<string, Set<Shared>>();
const dialing = new Map<string, Promise<Shared>>();

/** Runs a task with a session on the target; the connection stays open for the next. */
export async function withSession<Result>(
  connection: Connection,
  context: Context,
  task: (session: Session) => Promise<Result>,
): Promise<Result> {
  context.signal.throwIfAborted();
  const target = nameOf(connection);
  for (let attempt = 1; ; attempt++) {
    const shared = await takeClient(connection, context);
    const cancelled = Promise.withResolvers<string>();
    const endClient = () => {
      shared.client.destroy();
      cancelled.resolve("cancelled");
    };
    context.signal.addEventListener("abort", endClient, { once: true });
    const lost = Promise.race([shared.lost, cancelled.promise]);
    try {
      const session = {
        client: shared.client,
        target,
        lost,
        open: <Opened>(request: Request<Opened>) => openChannel(shared, target, request),
      };
      return await task(session);
    } catch (error) {
      if (!(error instanceof ChannelError) || context.signal.aborted) throw error;
      // No more sessions on it. A refusal (fewer sessions allowed than usual) leaves the others theirs.
      pools.get(JSON.stringify(connection))?.delete(shared);
      if (!error.refused) shared.client.destroy();
      if (attempt === 2)
        throw new Error(`cannot open a channel on the connection to ${target}: ${error.message}`);
    } finally {
      context.signal.removeEventListener("abort", endClient);
      shared.sessions--;
    }
  }
}

function openChannel<Opened>(
  { client, lost }: Pick<Shared, "client" | "lost">,
  target: string,
  request: Request<Opened>,
): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const closed = () => reject(new ChannelError(`${target} closed the connection`, false));
    client.once("close", closed);
    void lost.then((why) => reject(new ChannelError(why, false)));
    const done: Parameters<Request<Opened>>[0] = (error, opened) => {
      client.removeListener("close", closed);
      if (error) reject(new ChannelError(error.message, "reason" in error));
      else resolve(opened as Opened | PromiseLike<Opened>);
    };
    try {
      request(done);
    } catch (error) {
      // ssh2 throws where the connection is closed already.
      done(error instanceof Error ? error : new Error(String(error)));
    }
  });
}

async function takeClient(connection: Connection, context: Context): Promise<Shared> {
  const key = JSON.stringify(connection);
  const pool = pools.get(key) ?? new Set<Shared>();
  pools.set(key, pool);
  for (;;) {
    for (const shared of pool) {
      if (shared.sessions >= sessionsPerClient) continue;
      shared.sessions++;
      return shared;
    }
    const pending = dialing.get(key);
    if (pending === undefined) break;
    // Whoever dials reports the error; this one then dials itself, with its own log and limits.
    await pending.catch(() => {});
    context.signal.throwIfAborted();
  }

  const dial = dialTarget(connection, context).then((client) => {
    const shared = { client, lost: lossOf(client, nameOf(connection)), sessions: 0 };
    pool.add(shared);
    void shared.lost.then(() => {
      pool.delete(shared);
      client.destroy();
    });
    return shared;
  });
  dialing.set(key, dial);
  try {
    const shared = await dial;
    shared.sessions++;
    return shared;
  } finally {
    dialing.delete(key);
  }
}

/**
 * Why a connection is over, once it is. Through a bastion ssh2 may never emit "close": it waits for the bastion's word on
 * a channel whose other end is gone; and from "end" on it sends no keepalive.
 */
function lossOf(client: Client, target: string): Promise<string> {
  return new Promise((resolve) => {
    client.on("error", (error: Error & { level?: string }) =>
      resolve(
        error.level === "client-timeout"
          ? `${target} has not answered for ${silenceSeconds} s (is the node running, and can it be reached?)`
          : `the connection to ${target} was lost (${error.message})`,
      ),
    );
    const end = () => resolve(`the connection to ${target} was lost`);
    client.on("end", end).on("close", end);
  });
}

async function dialTarget(connection: Connection, context: Context): Promise<Client> {
  const { proxy, ...target } = connection;
  if (proxy === undefined) {
    return retry(target, context, () =>
      handshake(target, connectTcp({ host: target.host, port: target.port, noDelay: true }), context),
    );
  }
  // Every attempt goes through a new channel: the old one is dead after a failed handshake.
  return retry(target, context, () =>
    withSession({ ...proxy, proxy: undefined }, context, async (bastion) => {
      const socket = await forward(bastion, target);
      return handshake(target, socket, context);
    }),
  );
}

async function forward(bastion: Session, target: Hop): Promise<Duplex> {
  try {
    return await bastion.open<Duplex>((done) => {
      // A bastion waits for minutes for an address that is silent.
      const seconds = target.perDialTimeoutSeconds;
      let isLate = false;
      const giveUp = () => {
        isLate = true;
        // As the bastion says it after minutes: its connection lives.
        done(Object.assign(new Error(`no answer within ${seconds} s`), { reason: 2 }));
      };
      const timer = seconds > 0 ? setTimeout(giveUp, seconds * 1000) : undefined;
      bastion.client.forwardOut("127.0.0.1", 0, target.host, target.port, (error, channel) => {
        clearTimeout(timer);
        if (isLate) channel?.destroy();
        else done(error, channel);
      });
    });
  } catch (error) {
    if (!(error instanceof ChannelError && error.refused)) throw error;
    // The target's fault, not the bastion's, whose connection serves other targets too.
    throw new Error(`the proxy ${bastion.target} cannot reach it: ${error.message}`);
  }
}

function handshake(hop: Hop, socket: Duplex, context: Context): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    let wrongKey: string | undefined;
    const end = () => {
      client.destroy();
      socket.destroy();
    };
    const fail = (error: Error & { level?: string }) => {
      end();
      const isRefused = error.level === "client-authentication";
      reject(
        wrongKey !== undefined ? new Error(wrongKey) : isRefused ? new RefusedKeyError(error.message) : error,
      );
    };
    const cancel = () => fail(new Error("cancelled"));
    context.signal.addEventListener("abort", cancel, { once: true });
    client.once("ready", () => {
      context.signal.removeEventListener("abort", cancel);
      resolve(client);
    });
    client.on("error", fail); // stays: an error of an idle connection must not end the process
    client.once("close", () => fail(new Error(`${nameOf(hop)} closed the connection`)));
    socket.on("error", fail);
    client.on("keyboard-interactive", (_name, _instructions, _language, prompts, answer) =>
      answer(prompts.map(() => hop.password ?? "")),
    );
    try {
      client.connect({
        ...clientConfig(hop),
        sock: socket,
        hostVerifier: (key: Buffer) => {
          if (hop.hostKey === undefined || hop.hostKey.key.equals(key)) return true;
          wrongKey = `the host key of ${nameOf(hop)} is ${fingerprint(key)}, expected is ${fingerprint(hop.hostKey.key)}`;
          return false;
        },
      });
    } catch (error) {
      // ssh2 throws at once for a private key that it cannot read.
      fail(
        new Error(
          `the credentials for ${nameOf(hop)} cannot be used: ${error instanceof Error ? error.message : error}`,
        ),
      );
    }
  });
}

function clientConfig(hop: Hop): ConnectConfig {
  const given = {
    password: hop.password,
    privateKey: hop.privateKey,
    passphrase: hop.privateKeyPassword,
    agent: hop.agentSocketPath,
  };
  return {
    username: hop.user,
    readyTimeout: hop.perDialTimeoutSeconds * 1000,
    tryKeyboard: hop.password !== undefined,
    ...keepalive,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    // A server has several keys; without this it may show another than the expected one.
    ...(hop.hostKey === undefined ? {} : { algorithms: { serverHostKey: algorithmsFor(hop.hostKey.type) } }),
  };
}

function algorithmsFor(keyType: string): ServerHostKeyAlgorithm[] {
  return keyType === "ssh-rsa"
    ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"]
    : [keyType as ServerHostKeyAlgorithm];
}
