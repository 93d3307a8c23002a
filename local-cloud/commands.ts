/** The commands of the local cloud, as seen from outside its process. */
import { spawn } from "node:child_process";
import { closeSync, createReadStream, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { send } from "./admin-client.ts";
import { compileCache } from "./compile-cache.mjs";
import { describeRunning, describeStatus } from "./descriptions.ts";
import { isRoot, runAsRoot } from "./elevation.ts";
import { Failure } from "./failure.ts";
import { Home } from "./home.ts";
import { clearLeftovers, hasLeftovers } from "./network/leftovers.ts";
import { answers, endOfLost, exists, findRunning, isLost, type PidRecord, readRecord } from "./pid-record.ts";
import type { CloudStatus } from "./status.ts";
import { readStopped, resetStopped, trainingScripts } from "./stopped.ts";

export interface HomeOptions {
  readonly home: string;
  readonly json?: boolean;
}

interface StartOptions extends HomeOptions {
  readonly port?: string;
  readonly dataPlane: "linux" | "none";
  readonly jobs: string;
  readonly rateLimit?: string;
  readonly mssClamp?: "on" | "off";
  readonly link?: readonly string[];
  readonly quota?: string;
  readonly webRoot?: string;
  readonly foreground?: boolean;
}

/** Milliseconds that a start or a stop may take. */
const startDeadline = 60_000;
const stopDeadline = 60_000;
/** How often a server looks whether its home is still there. */
const lossLookMs = 1000;

/** Starts the cloud in a process of its own and waits until its API answers. */
export async function start(options: StartOptions): Promise<void> {
  const home = new Home(options.home);
  home.create();
  const running = await findRunning(home.pid);
  if (running === undefined && options.dataPlane === "linux" && !isRoot) {
    const why = "--data-plane linux cannot run here: the data plane needs root";
    return await runAsRoot(home, why, "\nor use --data-plane none for the API alone");
  }
  if (options.foreground) return await runInForeground(options);
  if (running === undefined) await spawnServer(home, options);
  const found = await waitUntilReady(home, running);
  print(options, found, describeRunning(found, home, running !== undefined));
}

/** Tells the cloud to end and waits until it is gone. */
export async function stop(options: HomeOptions): Promise<void> {
  const home = Home.use(options.home);
  const running = await findRunning(home.pid);
  if (running !== undefined) {
    await end(running);
    const deadline = Date.now() + stopDeadline;
    while (exists(running)) {
      if (Date.now() > deadline) {
        throw new Failure(
          `process ${running.pid} has not ended within ${stopDeadline / 1000} s: end it as root (kill -KILL ${running.pid}) and stop again`,
        );
      }
      await sleep(20);
    }
  }
  if (running !== undefined) return print(options, { stopped: true }, "The local cloud has stopped.");
  await endOfLost(home.state);
  if (!isRoot && (await hasLeftovers(home.prefix, home.machineFolder))) {
    return await runAsRoot(home, "what a killed cloud has left is root's");
  }
  const cleared = await clearLeftovers(home.prefix, home.machineFolder);
  home.clearMachineFolder();
  const also = cleared === 0 ? "" : ` What a killed one had left (${cleared} namespaces) is removed.`;
  print(options, { stopped: false, cleared }, `The local cloud was not running.${also}`);
}

/** Prints what the cloud has and whether it runs. */
export async function status(options: HomeOptions): Promise<void> {
  const home = Home.use(options.home);
  const found = (await runningStatus(options.home)) ?? (await readStopped(home));
  print(options, found, describeStatus(found));
  if (!found.running) process.exitCode = 3;
}

/** What the cloud of a home says of itself; undefined where none runs. */
export async function runningStatus(home: string): Promise<CloudStatus | undefined> {
  const running = await findRunning(new Home(home).pid);
  return running === undefined ? undefined : await ask(running, "GET", "status");
}

/** Removes all resources, of a running cloud or of a stopped one. */
export async function reset(options: HomeOptions): Promise<void> {
  const home = Home.use(options.home);
  const running = await findRunning(home.pid);
  if (running !== undefined) await ask(running, "POST", "reset");
  else if (existsSync(home.state)) {
    if (!isRoot && home.readSettings()?.dataPlane === "linux") {
      return await runAsRoot(home, "the disks of its nodes are root's");
    }
    await resetStopped(home);
  }
  print(options, { reset: true }, "The local cloud has no resources any more.");
}

/** Prints the log, and what is added to it with `--follow`. */
export async function logs(options: HomeOptions & { readonly follow?: boolean }): Promise<void> {
  const home = Home.use(options.home);
  const { log } = home;
  if (!existsSync(log)) throw new Failure(`${log} does not exist: start the local cloud first`);
  for (let position = 0; ; await sleep(200)) {
    const { size } = statSync(log);
    if (size > position) {
      const stream = createReadStream(log, { start: position, end: size - 1 });
      for await (const chunk of stream as AsyncIterable<Buffer>) process.stdout.write(chunk);
      position = size;
    }
    if (!options.follow) return;
  }
}

/** A user cannot signal the cloud that root runs for them: its server is asked. */
async function end(running: PidRecord): Promise<void> {
  try {
    process.kill(running.pid, "SIGTERM");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EPERM") await ask(running, "POST", "stop");
    else if (code !== "ESRCH") throw error; // it has just ended
  }
}

async function runInForeground(options: StartOptions): Promise<void> {
  const ended = new Promise<string>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => resolve(signal));
  });
  const log = (line: string): void => {
    process.stderr.write(`${new Date().toISOString()} ${line}\n`);
  };
  process.on("uncaughtException", (error) => log(`uncaught: ${error.stack ?? error.message}`));
  process.on("unhandledRejection", (error) => log(`unhandled: ${String(error)}`));
  const { startCloud } = await import("./server.ts");
  const cloud = await startCloud({
    home: options.home,
    port: readPort(options.port),
    dataPlane: options.dataPlane,
    jobs: options.jobs,
    rateLimit: options.rateLimit,
    mssClamp: options.mssClamp,
    links: options.link,
    quota: options.quota,
    webRoot: options.webRoot ?? trainingScripts,
    guide: trainingScripts,
    log,
  });
  const asked = cloud.endAsked.then(() => "asked by a command");
  const home = new Home(options.home);
  log(`${await Promise.race([ended, asked, lossOf(home)])}: stopping`);
  await cloud.stop();
  log("stopped");
  process.exit(0);
}

/** Settles when the home was deleted: nobody could reach the cloud then, and the next start makes another. */
function lossOf({ path, pid }: Home): Promise<string> {
  return new Promise((resolve) => {
    const looking = setInterval(() => {
      if (!isLost(pid)) return;
      clearInterval(looking);
      resolve(`${path} was deleted`);
    }, lossLookMs).unref();
  });
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(port <= 65535)) throw new Failure(`--port ${text}: must be a number from 0 to 65535`);
  return port;
}

async function spawnServer(home: Home, options: StartOptions): Promise<void> {
  readPort(options.port);
  const flags = {
    "--home": home.path,
    "--port": options.port,
    "--data-plane": options.dataPlane,
    "--jobs": options.jobs,
    "--rate-limit": options.rateLimit,
    "--mss-clamp": options.mssClamp,
    "--quota": options.quota,
    "--link": options.link,
    "--web-root": options.webRoot,
  };
  const given = Object.entries(flags).flatMap(([flag, value = []]) =>
    [value].flat().flatMap((each) => [flag, each]),
  );
  const logStart = existsSync(home.log) ? statSync(home.log).size : 0;
  const descriptor = openSync(home.log, "a", 0o600);
  const child = spawn(
    join(import.meta.dirname, "..", "toolchain", "start"),
    ["--disable-warning=ExperimentalWarning", "local-cloud/main.ts", "start", "--foreground", ...given],
    {
      detached: true,
      stdio: ["ignore", descriptor, descriptor],
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache, CROSSZONE_NODE: process.execPath },
    },
  );
  closeSync(descriptor);
  home.handOver();
  let isAborted = false;
  const abort = (): void => {
    isAborted = true;
    child.kill("SIGTERM");
  };
  process.once("SIGINT", abort);
  process.once("SIGTERM", abort);
  const deadline = Date.now() + startDeadline;
  for (;;) {
    const record = readRecord(home.pid);
    if (!isAborted && record !== undefined && record.pid === child.pid && (await answers(record))) break;
    if (child.exitCode !== null || child.signalCode !== null) {
      if (isAborted) throw new Failure("the start was interrupted: nothing runs");
      // Another start was first: this one waits for that cloud.
      if ((await findRunning(home.pid)) !== undefined) break;
      const said = readFileSync(home.log).subarray(logStart).toString("utf8").trim();
      throw new Failure(
        said.replace(/^cloud: /, "") || `the local cloud ended at its start, see ${home.log}`,
      );
    }
    if (Date.now() > deadline) {
      child.kill("SIGTERM");
      throw new Failure(`the API has not answered within ${startDeadline / 1000} s, see ${home.log}`);
    }
    await sleep(10);
  }
  child.unref();
  process.off("SIGINT", abort);
  process.off("SIGTERM", abort);
}

async function waitUntilReady(home: Home, before: PidRecord | undefined): Promise<CloudStatus> {
  const deadline = Date.now() + startDeadline;
  for (;;) {
    const record = (await findRunning(home.pid)) ?? before;
    if (record === undefined) throw new Failure(`the local cloud has ended, see ${home.log}`);
    if (await answers(record)) return await ask(record, "GET", "status");
    if (Date.now() > deadline) {
      throw new Failure(
        `the local cloud that another start has begun, process ${record.pid}, has not answered within ${startDeadline / 1000} s, see ${home.log}: wait, or end that start with Ctrl-C`,
      );
    }
    await sleep(20);
  }
}

/** Asks a running cloud; throws a Failure with what it says against the command. */
export async function ask<Answer = CloudStatus>(
  record: PidRecord,
  method: "GET" | "POST" | "DELETE",
  command: string,
  body?: object,
): Promise<Answer> {
  const response = await send(record, method, command, body);
  const answer = response.body as Answer & { readonly message?: string };
  if (response.status < 400) return answer;
  throw new Failure(
    response.status < 500 && answer.message !== undefined
      ? answer.message
      : `process ${record.pid} answers ${command} with: ${answer.message}`,
  );
}

/** Prints a command's outcome: the value with `--json`, else the text. */
export function print(options: HomeOptions, value: unknown, text: string): void {
  process.stdout.write(`${options.json ? JSON.stringify(value, null, 2) : text}\n`);
}
