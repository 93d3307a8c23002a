/** QingCloud's own clients, unmodified: installed into the user's cache, and run as programs of scenarios. */
import { type ExecFileException, execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { cacheDirectory } from "../../scripts/dev/workspace.ts";

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
});

/** What a program of scenarios has seen. */
export class Report {
  private readonly results: ReadonlyMap<string, z.infer<typeof report>["results"][number]>;
  constructor(text: string) {
    this.results = new Map(report.parse(JSON.parse(text)).results.map((result) => [result.name, result]));
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

/** Runs the scenarios of a Python client, a folder beside this file, on the cloud that a config.yaml names. */
export async function runPython(folder: string, packages: string, config: string): Promise<Report> {
  return await runScenarios(python, [join(import.meta.dirname, folder, "main.py"), config], {
    PYTHONPATH: `${packages}:${import.meta.dirname}`,
    PYTHONDONTWRITEBYTECODE: "1",
  });
}
