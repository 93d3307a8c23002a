/** The IKE daemon of one router: started when the router has tunnels, restarted when it dies. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { RestartPauses } from "../machine/restarting.ts";
import { environment, namespacePath, until } from "../machine/shell.ts";
import { installedChildren, terminate } from "./associations.ts";
import { type Initiator, keepUp } from "./initiator.ts";
import { childNames, connection, sharedKey, type TunnelPlan } from "./ipsec.ts";
import { ViciSession } from "./vici.ts";

/** Its own /run and configuration, so that many daemons live side by side: their paths are compiled in. */
const startScript = `mount -t tmpfs -o mode=755 charon /run
mount --bind "$1" /etc/strongswan.conf
exec /usr/lib/ipsec/charon`;

export interface CharonOptions {
  readonly namespace: string;
  /** File with strongSwan's settings. */
  readonly configuration: string;
  /** The daemon's log. */
  readonly logFile: string;
  readonly log: (line: string) => void;
  /** Called after the daemon came up, first or again: what its peers hold of it is worthless then. Awaited before anyone calls a peer: a reset that comes later would end the new call. */
  readonly onStart: () => Promise<void>;
}

export class Charon {
  readonly #options: CharonOptions;
  #plans: readonly TunnelPlan[] = [];
  /** Loaded connections by id, each with the text of what was loaded. */
  readonly #loaded = new Map<string, string>();
  readonly #initiators = new Map<string, Initiator>();
  #process: ChildProcess | undefined;
  /** Control session of a daemon that is up. */
  #session: ViciSession | undefined;
  #starting: Promise<void> | undefined;
  readonly #pauses = new RestartPauses();
  #restart: NodeJS.Timeout | undefined;

  constructor(options: CharonOptions) {
    this.#options = options;
  }

  /** Makes the daemon hold these tunnels and no others; the tunnels that stay as they are stay up. */
  async apply(plans: readonly TunnelPlan[]): Promise<void> {
    this.#plans = plans;
    if (plans.length === 0) return this.stop();
    await this.#start();
    if (this.#session) await this.#load(this.#session);
  }

  /** Calls the peers of the tunnels that this side initiates, now. */
  initiate(): void {
    for (const plan of this.#plans.filter(({ initiates }) => initiates)) {
      const existing = this.#initiators.get(plan.id);
      if (existing) existing.callAgain();
      else
        this.#initiators.set(
          plan.id,
          keepUp(plan, () => this.#socket(), this.#options.log),
        );
    }
  }

  /** Drops the SAs with a peer whose daemon started anew; the side that initiates then calls again. */
  async reset(peer: string): Promise<void> {
    const socket = this.#socket();
    if (!socket) return;
    const concerned = this.#plans.filter(({ tunnel }) => tunnel.remoteAddress === peer);
    for (const { id } of concerned) {
      await terminate(socket, id);
      this.#initiators.get(id)?.wake();
    }
  }

  /** Ids of the tunnels of which every child SA is up. */
  async established(): Promise<Set<string>> {
    const socket = this.#socket();
    if (!socket) return new Set();
    // A daemon that ends meanwhile has none.
    const up = await installedChildren(socket).catch(() => new Set());
    const complete = this.#plans.filter((plan) => childNames(plan).every((name) => up.has(name)));
    return new Set(complete.map(({ tunnel }) => tunnel.id));
  }

  /** Ends the daemon. */
  async stop(): Promise<void> {
    this.#plans = [];
    clearTimeout(this.#restart);
    for (const id of [...this.#initiators.keys()]) this.#stopInitiator(id);
    const daemon = this.#process;
    if (!daemon) return;
    const exit = once(daemon, "exit");
    daemon.kill("SIGKILL");
    await exit;
  }

  #socket(): string | undefined {
    return this.#session && controlSocket(this.#process);
  }

  #start(): Promise<void> {
    clearTimeout(this.#restart);
    if (this.#session) return Promise.resolve();
    this.#starting ??= this.#startDaemon().finally(() => {
      this.#starting = undefined;
    });
    return this.#starting;
  }

  async #startDaemon(): Promise<void> {
    const { namespace, logFile, onStart } = this.#options;
    const daemon = this.#spawn();
    this.#process = daemon;
    this.#loaded.clear();
    let session: ViciSession | undefined;
    await until(`charon in ${namespace} to listen (its log: ${logFile})`, async () => {
      if (this.#process !== daemon)
        throw new Error(`charon in ${namespace} ended at its start: see ${logFile}`);
      session = await openSession(daemon);
      return session !== undefined;
    });
    if (!session) return;
    const wakeAll = () => {
      for (const initiator of this.#initiators.values()) initiator.wake();
    };
    await session.listen("child-updown", wakeAll);
    await session.listen("ike-updown", wakeAll);
    await this.#load(session);
    this.#session = session;
    await onStart();
  }

  #spawn(): ChildProcess {
    const { namespace, configuration, logFile, log } = this.#options;
    const output = openSync(logFile, "a", 0o600);
    const own = [`--net=${namespacePath(namespace)}`, "--", "unshare", "--mount", "--propagation", "private"];
    const args = [...own, "--", "sh", "-e", "-c", startScript, "charon", configuration];
    const daemon = spawn("nsenter", args, {
      env: environment,
      detached: true,
      stdio: ["ignore", output, output],
    });
    closeSync(output);
    const startedAt = performance.now();
    daemon.on("error", (error) => log(`charon in ${namespace}: ${error.message}`));
    daemon.on("exit", (code, signal) => this.#ended(startedAt, signal ?? `status ${code}`));
    return daemon;
  }

  #ended(startedAt: number, how: string): void {
    this.#process = undefined;
    this.#session?.close();
    this.#session = undefined;
    if (this.#plans.length === 0) return;
    const pause = this.#pauses.next(startedAt);
    this.#options.log(`charon in ${this.#options.namespace} ended (${how}): restart in ${pause} ms`);
    this.#restart = setTimeout(() => this.#startAgain(), pause);
  }

  async #startAgain(): Promise<void> {
    try {
      await this.#start();
      this.initiate();
    } catch (error) {
      // Its end, if it came that far, has planned the next attempt.
      this.#options.log(`charon in ${this.#options.namespace} did not restart: ${String(error)}`);
    }
  }

  async #load(session: ViciSession): Promise<void> {
    const wanted = new Set(this.#plans.map(({ id }) => id));
    for (const id of [...this.#loaded.keys()]) {
      if (!wanted.has(id)) await this.#unload(session, id);
    }
    for (const plan of this.#plans) {
      const text = JSON.stringify([connection(plan), sharedKey(plan)]);
      if (!plan.initiates) this.#stopInitiator(plan.id);
      if (this.#loaded.get(plan.id) === text) continue;
      if (this.#loaded.has(plan.id)) await this.#unload(session, plan.id);
      await session.request("load-shared", sharedKey(plan));
      await session.request("load-conn", connection(plan));
      this.#loaded.set(plan.id, text);
    }
  }

  async #unload(session: ViciSession, id: string): Promise<void> {
    this.#stopInitiator(id);
    await session.request("unload-conn", { name: id });
    await session.request("unload-shared", { id });
    const socket = controlSocket(this.#process);
    if (socket) await terminate(socket, id);
    this.#loaded.delete(id);
  }

  #stopInitiator(id: string): void {
    this.#initiators.get(id)?.stop();
    this.#initiators.delete(id);
  }
}

function controlSocket(daemon: ChildProcess | undefined): string | undefined {
  return daemon && `/proc/${daemon.pid}/root/run/charon.vici`;
}

/** A session with a daemon, or undefined while it does not listen yet. */
async function openSession(daemon: ChildProcess): Promise<ViciSession | undefined> {
  // Until the program is charon, its /run is the machine's own.
  if (readFileSync(`/proc/${daemon.pid}/comm`, "utf8").trim() !== "charon") return undefined;
  return ViciSession.open(controlSocket(daemon) ?? "").catch(() => undefined);
}
