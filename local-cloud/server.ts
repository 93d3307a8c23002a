/** A local cloud in this process: state, data plane, jobs and API, started and stopped in order. */
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { CallLog } from "./api/call-log.ts";
import { type Commands, createControl } from "./api/control.ts";
import type { Api } from "./api/dispatch.ts";
import { listen } from "./api/http.ts";
import { RateLimit } from "./api/rate-limit.ts";
import { Failure } from "./failure.ts";
import { Home } from "./home.ts";
import { createDataPlane, requireLinux } from "./linux-data-plane.ts";
import type { DataPlane } from "./network/data-plane.ts";
import { endOfLost, register, unregister } from "./pid-record.ts";
import { defaultQuotas, readQuotas } from "./services/account/limits.ts";
import { Faults } from "./services/faults/faults.ts";
import { readDurations } from "./services/jobs/jobs.ts";
import { JobRunner } from "./services/jobs/runner.ts";
import { Links, parseLink } from "./services/links/links.ts";
import { Sampler } from "./services/monitoring/sampler.ts";
import { seed } from "./services/zones/seed.ts";
import { zones } from "./services/zones/zones.ts";
import { type CloudStatus, withDetails, zoneStatuses } from "./status.ts";
import { Measurements } from "./store/measurements.ts";
import { Store } from "./store/store.ts";

export interface ServerOptions {
  readonly home: string;
  /** 0 takes any, undefined the home's or the usual one. */
  readonly port?: number | undefined;
  readonly dataPlane: "linux" | "none";
  /** `instant`, `realistic` or the path of a JSON file. */
  readonly jobs: string;
  readonly rateLimit?: string | undefined;
  /** Whether routers lower the MSS of TCP; undefined for what the home says. */
  readonly mssClamp?: "on" | "off" | undefined;
  /** Links between zones that are other than the home's, as `--link` writes them. */
  readonly links?: readonly string[] | undefined;
  /** e.g. `instance=2000,cpu=4096`; undefined the home's. */
  readonly quota?: string | undefined;
  /** What the web server inside the internet serves. */
  readonly webRoot: string;
  /** The guide's scripts, which the deep learning image has. @default webRoot */
  readonly guide?: string;
  readonly log: (line: string) => void;
}

export interface RunningCloud {
  readonly endpoint: string;
  /** Settled when a command asks it to end: a user cannot signal a cloud of root's. */
  readonly endAsked: Promise<void>;
  stop(): Promise<void>;
}

/** How often the recycle bin and ended jobs are looked through. */
const pruneInterval = 60_000;
/** How often the data plane is looked at for what has died. */
const inspectInterval = 10_000;

/** A free port may be taken by a cloud that starts at the same moment: another is chosen, this many times. */
const portChoices = 8;

/**
 * Starts a local cloud. The data plane becomes what the state says in the background: the API answers at once.
 * @throws Failure for what its user can fix
 */
export async function startCloud(options: ServerOptions): Promise<RunningCloud> {
  for (let choice = 1; ; choice++) {
    try {
      return await startOnPorts(options);
    } catch (error) {
      const isOurs = !options.port && new Home(options.home).readSettings() === undefined;
      if (!isOurs || !isPortTaken(error) || choice === portChoices) throw error;
    }
  }
}

function isPortTaken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === "EADDRINUSE") || isPortTaken(error.cause);
}

async function startOnPorts(options: ServerOptions): Promise<RunningCloud> {
  const { log } = options;
  const durations = readSetting(() => readDurations(options.jobs));
  const rateLimit = readSetting(() => new RateLimit(options.rateLimit));
  const linkRequests = readSetting(() => (options.links ?? []).map(parseLink));
  if (options.dataPlane === "linux") await requireLinux();
  const home = new Home(options.home);
  home.create();
  await endOfLost(home.state);
  const settings = await home.chooseSettings(options.port, options.dataPlane, {
    ...(options.mssClamp === undefined ? {} : { mssClamp: options.mssClamp }),
    ...(options.quota === undefined ? {} : { quotas: readSetting(() => readQuotas(options.quota ?? "")) }),
  });
  const token = randomBytes(24).toString("hex");
  await register(home.pid, { port: settings.apiPort, token });
  writeFileSync(home.adminHeader, `Authorization: Bearer ${token}\n`, { mode: 0o600 });
  const undo: (() => void | Promise<void>)[] = [
    () => unregister(home.pid),
    () => home.clearMachineFolder(),
    () => rmSync(home.adminHeader, { force: true }),
  ];
  const end = Promise.withResolvers<void>();
  const stop = async (): Promise<void> => {
    // One that fails keeps nothing else from being stopped.
    for (const step of undo.splice(0).reverse()) {
      await Promise.try(step).catch((error: Error) => log(`stop: ${error.stack ?? error.message}`));
    }
  };
  try {
    const store = new Store(home.state);
    undo.push(() => store.close());
    seed(store);
    const dataPlane = await createDataPlane(options, home, settings);
    undo.push(() => dataPlane.stop());
    const measurements = openMeasurements(home.measurements);
    undo.push(() => measurements.close());
    const sampler = new Sampler({
      dataPlane,
      measurements,
      sizeOf: (id) => zones.flatMap((zone) => store.get("instance", zone.id, id) ?? [])[0],
      log,
      now: Date.now,
    });
    if (options.dataPlane !== "none") sampler.start();
    undo.push(() => sampler.stop());
    const runner = new JobRunner(store, dataPlane, durations, log);
    undo.push(() => runner.stop());
    const credentials = home.writeConfig(settings.apiPort);
    const calls = new CallLog(home.calls);
    const faults = new Faults(store, () => runner.wake());
    undo.push(() => calls.close());
    const api: Api = {
      store,
      runner,
      credentials,
      calls,
      rateLimit,
      faults,
      leaseDelay: durations.lease * 1000,
      measurements,
      quotas: { ...defaultQuotas, ...settings.quotas },
      log,
    };
    const endpoint = `http://127.0.0.1:${settings.apiPort}/iaas/`;
    // The answer goes out first.
    const stopSoon = () => void setImmediate(end.resolve);
    const commands = { ...createCommands(options, home, api, dataPlane, endpoint), end: stopSoon };
    home.handOver();
    for (const request of linkRequests) commands.links.set(request);
    const { server } = await listen(api, createControl(token, commands), settings.apiPort).catch(
      (error: Error) => {
        throw portFailure(error, settings.apiPort);
      },
    );
    undo.push(() => close(server));
    home.saveSettings(settings);
    home.handOver();
    const prune = (): void => {
      runner.prune();
      measurements.thin(Date.now() / 1000);
    };
    const pruning = setInterval(prune, pruneInterval);
    const inspection = setInterval(() => runner.inspect(), inspectInterval);
    undo.push(() => [pruning, inspection].forEach(clearInterval));
    prune();
    void runner.forgetGone();
    runner.wake();
    log(`local cloud: the API answers at ${endpoint}, data plane ${options.dataPlane}, jobs ${options.jobs}`);
    return { endpoint, endAsked: end.promise, stop };
  } catch (error) {
    await stop();
    home.handOver();
    throw error;
  }
}

function createCommands(
  options: ServerOptions,
  home: Home,
  { store, runner, faults, measurements }: Api,
  dataPlane: DataPlane,
  endpoint: string,
): Omit<Commands, "end"> {
  const { log } = options;
  return {
    faults,
    links: new Links(
      store,
      () => dataPlane.observe(),
      () => runner.untilShown(),
    ),
    inEffect: () => runner.untilShown().catch((error: Error) => log(`faults: ${error.message}`)),
    async status(): Promise<CloudStatus> {
      const observation = await dataPlane.observe();
      return {
        running: true,
        pid: process.pid,
        home: home.path,
        config: home.config,
        endpoint,
        dataPlane: options.dataPlane,
        ...(dataPlane.bastion === undefined ? {} : { bastion: dataPlane.bastion }),
        ...(dataPlane.internetUrl === undefined ? {} : { internetUrl: dataPlane.internetUrl }),
        zones: zoneStatuses(store),
        ...observation,
        ...withDetails(store, observation),
        faults: faults.list(),
      };
    },
    async reset(): Promise<void> {
      await runner.reset();
      measurements.clear();
    },
  };
}

function readSetting<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Failure((error as Error).message, { cause: error });
  }
}

function openMeasurements(file: string): Measurements {
  try {
    return new Measurements(file);
  } catch (error) {
    const reason = (error as Error).message;
    throw new Failure(
      `${file} can not be read (${reason}): delete it, only what GetMonitor answers is lost`,
      {
        cause: error,
      },
    );
  }
}

function portFailure(error: Error, port: number): Error {
  if (!("code" in error) || (error.code !== "EADDRINUSE" && error.code !== "EACCES")) return error;
  const what = error.code === "EADDRINUSE" ? "is in use by another program" : "may not be used by this user";
  return new Failure(
    `port ${port} on 127.0.0.1 ${what}: stop that program or give another port with --port`,
    {
      cause: error,
    },
  );
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
