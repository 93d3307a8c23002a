/** QingCloud's own clients, unmodified: installed into the user's cache, and run as programs of scenarios. */
import { type ExecFileException, execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { Home } from "../../local-cloud/home.ts";
import { fine, Measurements } from "../../local-cloud/store/measurements.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { cacheDirectory } from "../../scripts/dev/workspace.ts";
import { callsOf } from "../harness/calls.ts";
import { firstId, type TestCloud } from "./support.ts";

export const python = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

/** The folder that holds the Python SDK and the CLI, for PYTHONPATH; every package is checked against its hash. */
export async function pythonClients(): Promise<string> {
  const requirements = join(import.meta.dirname, "python-clients.txt");
  const version = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const folder = join(cacheDirectory(), `python-clients-${version}`);
  if (existsSync(folder)) return folder;
  const unfinished = `${folder}.${process.pid}`;
  const install = [
    "-m",
    "pip",
    "install",
    "--quiet",
    "--no-deps",
    "--require-hashes",
    "--target",
    unfinished,
  ];
  await promisify(execFile)(python, [...install, "--requirement", requirements], { timeout: 170_000 });
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

const report = z.object({
  results: z.array(z.object({ name: z.string(), error: z.string().nullable(), said: z.string() })),
  /** What the client can call; Go's names are those of the actions but for the case. */
  actions: z.array(z.string()),
});

/** What a program of scenarios has seen. */
export class Report {
  private readonly results: ReadonlyMap<string, z.infer<typeof report>["results"][number]>;
  private readonly actions: ReadonlySet<string>;
  constructor(text: string) {
    const { results, actions } = report.parse(JSON.parse(text));
    this.results = new Map(results.map((result) => [result.name, result]));
    this.actions = new Set(actions.map((action) => action.toLowerCase()));
  }

  /** The actions that both the client and the cloud know and that no scenario has called. */
  uncalled(cloud: TestCloud): string[] {
    const called = new Set(callsOf(cloud.home).map(({ action }) => action));
    return [...actionsByName.keys()].filter(
      (name) => this.actions.has(name.toLowerCase()) && !called.has(name),
    );
  }

  get names(): string[] {
    return [...this.results.keys()];
  }

  /** Throws with the client's own output unless the scenario has passed. */
  expectPassed(name: string): void {
    const result = this.results.get(name);
    if (result === undefined) throw new Error(`no scenario ${name} among ${this.names.join(", ")}`);
    if (result.error !== null) throw new Error(`${result.error}\nThe client said:\n${result.said}`);
  }
}

/**
 * An EIP in zone gpu2a of which something was measured yesterday, as MONITORED tells it to a program of scenarios: its
 * id, and when the first of its intervals began.
 */
export async function monitoredEip({ client, home }: TestCloud): Promise<Record<"MONITORED", string>> {
  const eip = firstId((await client.ok("AllocateEips", { zone: "gpu2a", bandwidth: "1" })).eips);
  const day = 86_400;
  const start = (Math.floor(Date.now() / 1000 / day) - 1) * day;
  const measurements = new Measurements(new Home(home).measurements);
  const traffic = { resource: eip, meter: "traffic" };
  measurements.add(start, fine, [{ ...traffic, first: 3000, second: 6000 }]);
  measurements.add(start + fine, fine, [{ ...traffic, first: 300, second: 600 }]);
  measurements.add(start + 2 * fine, fine, []);
  measurements.add(start + 5 * fine, fine, [{ ...traffic, first: 900, second: 1200 }]);
  measurements.close();
  return { MONITORED: `${eip} ${start}` };
}

/** Runs a program of scenarios to its end. */
export async function runScenarios(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Report> {
  const run = promisify(execFile)(command, args, {
    env: { ...process.env, ...environment },
    timeout: 100_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  const { stdout } = await run.catch((error: ExecFileException) => {
    throw new Error(`${command} ${args.join(" ")}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  });
  return new Report(stdout);
}

/** Runs the scenarios of a Python client, a folder beside this file, on a cloud. */
export async function runPython(folder: string, packages: string, cloud: TestCloud): Promise<Report> {
  const program = join(import.meta.dirname, folder, "main.py");
  return await runScenarios(python, [program, join(cloud.home, "config.yaml")], {
    PYTHONPATH: `${packages}:${import.meta.dirname}`,
    PYTHONDONTWRITEBYTECODE: "1",
    // The CLI reads local times, and the SDK adds the local zone's offset to what it decompresses.
    TZ: "UTC",
    ...(await monitoredEip(cloud)),
  });
}
