/**
 * Single files of this project's programs: one file starts in half the time of the hundreds that it is made of.
 * toolchain/start takes them as long as no source has changed since.
 */
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Plugin } from "rolldown";
import { succeed } from "./process.ts";
import type { Step } from "./steps.ts";
import type { Workspace } from "./workspace.ts";

/** The programs that toolchain/start starts. */
const programs = [
  "local-cloud/main.ts",
  "provider/main.ts",
  "scripts/dev/pulumi.ts",
  "scripts/dev/start.ts",
  "scripts/dev/sweep.ts",
  "scripts/dev/train.ts",
  "toolchain/command/main.ts",
  "toolchain/language-host/main.ts",
] as const;

/** The program that Pulumi runs, and the SDK's runner: two files that share the SDK. */
const pulumiProgram = {
  "infra/index": "infra/index.ts",
  "infra/run": "node_modules/@pulumi/pulumi/cmd/run/index.js",
};

/** Packages that are loaded from node_modules when they are needed: binaries, and those that toolchain/language-host replaces. */
const external = [
  /\.node$/,
  "@npmcli/arborist",
  /^@opentelemetry\/(exporter|instrumentation|resources|sdk)/,
  "@resvg/resvg-js",
  "cpu-features",
  "normalize-package-data",
  "rolldown",
  "source-map-support/register",
  "typescript",
];

/** The programs of a checkout, in node_modules: they find their packages there, and go with them. */
function programsFolder(root: string): string {
  return join(root, "node_modules", ".cache", "programs");
}

export function programsStep({ root }: Workspace): Step {
  return {
    name: "programs",
    async present() {
      const { stdout } = await succeed(join(root, "toolchain", "program"), [programs[0]]);
      return stdout.startsWith(programsFolder(root)) ? "single files there" : undefined;
    },
    async make() {
      try {
        await makePrograms(root);
        return "single files made";
      } catch (error) {
        return `no single files, so all start from their sources, in twice the time: ${(error as Error).message}`;
      }
    },
  };
}

async function makePrograms(root: string): Promise<void> {
  const folder = programsFolder(root);
  mkdirSync(dirname(folder), { recursive: true });
  const beside = mkdtempSync(`${folder}-`);
  try {
    // Before a source is read: one that changes meanwhile is newer.
    writeFileSync(join(beside, "made"), `${realpathSync(root)}\n`);
    const inputs = [...programs.map((file) => ({ [file.replace(/\.ts$/, "")]: file })), pulumiProgram];
    await Promise.all(inputs.map((input) => bundle(root, input, beside)));
    rmSync(folder, { recursive: true, force: true });
    renameSync(beside, folder);
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

/**
 * @param input the first file of each output, by the output's name, all in one folder, without an ending
 * @param into folder of the outputs until all are made
 */
async function bundle(root: string, input: Readonly<Record<string, string>>, into: string): Promise<void> {
  const { rolldown } = await import("rolldown");
  const [name = "", ...others] = Object.keys(input);
  const place = dirname(name);
  const bundle = await rolldown({
    input,
    cwd: root,
    platform: "node",
    external,
    plugins: [automationLater, ownPlaces(join(programsFolder(root), place))],
    logLevel: "silent",
  });
  try {
    await bundle.write({
      dir: into,
      entryFileNames: "[name].mjs",
      chunkFileNames: `${place}/[name].mjs`,
      ...(others.length === 0 && { codeSplitting: false }),
    });
  } finally {
    await bundle.close();
  }
}

/** The SDK loads its Automation API by a relative path; toolchain/language-host replaces it by its name. */
const automationLater: Plugin = {
  name: "automation-later",
  resolveId: {
    filter: { id: /\/automation(\/index(\.js)?)?$/ },
    handler: (source, importer) =>
      importer?.includes("/@pulumi/pulumi/") && source.startsWith(".")
        ? { id: "@pulumi/pulumi/automation/index.js", external: true }
        : undefined,
  },
};

/** Modules that look for files beside themselves still do so: from the folder of the output. */
function ownPlaces(folder: string): Plugin {
  return {
    name: "own-places",
    transform: {
      filter: { code: /import\.meta\.dirname|__dirname/ },
      handler(code, id) {
        // This file only speaks of it.
        if (id === import.meta.filename) return undefined;
        const path = JSON.stringify(`/${relative(folder, dirname(id))}`);
        return code.replaceAll(
          /import\.meta\.dirname|\b__dirname\b(?!:)/g,
          `(import.meta.dirname + ${path})`,
        );
      },
    },
  };
}
