/** `npm run check`: types, lint, format and the pages that are made of code; with `--write` what can be fixed is. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { capture } from "./process.ts";
import { referencePage } from "./reference.ts";

const root = join(import.meta.dirname, "..", "..");
const bin = (name: string) => join(root, "node_modules", ".bin", name);

export interface Check {
  readonly name: string;
  readonly passed: boolean;
  readonly said: string;
}

/** Runs the checks at the same time. */
export async function runChecks({ write = false } = {}): Promise<Check[]> {
  const checks = [
    // More checkers are done sooner on many cores, but each finds out the same types again.
    { name: "types (tsc)", command: bin("tsc"), args: ["--noEmit", "-p", root, "--checkers", "1"] },
    {
      name: "lint and format (biome)",
      command: bin("biome"),
      args: ["check", ...(write ? ["--write"] : []), root],
    },
    {
      name: "types of Python (pyright)",
      command: bin("pyright"),
      // The Python whose PyTorch the nodes' image has.
      args: ["--project", root, "--pythonpath", "/usr/bin/python3"],
    },
    { name: "shell scripts (shellcheck)", command: "shellcheck", args: ["--shell=sh", ...shellScripts()] },
  ];
  const found = await Promise.all(
    checks.map(async ({ name, command, args }) => {
      try {
        const { code, stdout, stderr } = await capture(command, args, { cwd: root });
        return { name, passed: code === 0, said: `${stdout}${stderr}`.trim() };
      } catch (error) {
        return { name, passed: false, said: `${String(error)}; \`npm test\` installs what is missing` };
      }
    }),
  );
  return [...found, checkReference(write)];
}

function shellScripts(): string[] {
  const folder = join(root, "scripts");
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".sh"))
    .map((path) => join(folder, path));
}

/** The provider's reference page is what its descriptions say. */
function checkReference(write: boolean): Check {
  const path = join(root, "docs", "provider.md");
  const page = referencePage();
  if (write) writeFileSync(path, page);
  const passed = existsSync(path) && readFileSync(path, "utf8") === page;
  const said = "It is not what the provider's descriptions say. Write it again: npm run check -- --write";
  return { name: "reference page (docs/provider.md)", passed, said: passed ? "" : said };
}

if (import.meta.main) {
  for (const { name, passed, said } of await runChecks({ write: process.argv.includes("--write") })) {
    process.stdout.write(`${passed ? "passed" : "failed"}: ${name}\n${passed ? "" : `${said}\n`}`);
    if (!passed) process.exitCode = 1;
  }
}
