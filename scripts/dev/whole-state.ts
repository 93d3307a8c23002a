/** A state file whose writing was cut off, by a full disk or a machine that lost its power: the last whole state is taken. */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { z } from "zod";
import { backend, behindFile, isOpen, lockFiles, readJson, stateFile } from "./state-file.ts";
import type { Workspace } from "./workspace.ts";

const stored = z.object({
  urn: z.string(),
  delete: z.boolean().optional(),
});

/** A state as the CLI writes it, of this stack, when it was taken and what it holds. */
const wholeState = z.object({
  checkpoint: z.object({
    latest: z
      .object({
        manifest: z.object({ time: z.string() }).optional(),
        resources: z.array(stored).optional(),
      })
      .nullish(),
  }),
});

interface Found {
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly resources: number;
}

/**
 * Puts the newest whole state in place of one that cannot be read; the broken one is kept next to it. Nothing is done while
 * the stack is locked.
 * @returns what was found and done, for the user
 * @throws Error where no whole state is left
 */
export function restoreState(workspace: Workspace): string[] {
  if (lockFiles(workspace).length > 0) return [];
  const cutOff = clearCutFiles(workspace);
  const path = stateFile(workspace);
  if (!existsSync(path) || found(path) !== undefined) return cutOff;
  const size = `${statSync(path).size.toLocaleString("en")} bytes, ${faultOf(path)}`;
  const kept = `${path}.broken-${new Date().toISOString().replaceAll(":", "-")}`;
  const [newest] = earlierStates(workspace);
  if (newest === undefined) {
    throw new Error(
      `the state of stack ${workspace.stack} cannot be read (${path}, ${size}), and no earlier whole one is there. Put a copy of yours in its place, if you have one. Without it nothing knows what the stack has made: see what is there in QingCloud's console, or with \`npm run cloud -- status\`, before you move the file away and start with an empty state`,
    );
  }
  replace(path, readFileSync(newest.path), { kept, behind: behindFile(workspace) });
  const when = new Date(newest.time).toISOString();
  return [
    ...cutOff,
    `the state of stack ${workspace.stack} could not be read (${size}). It is kept as ${kept}`,
    `the newest whole state was taken: ${newest.path} of ${when}, with ${newest.resources} resources. What was done later is missing in it: the next \`up\` finds what was made, and continues`,
  ];
}

/**
 * URNs of living resources that stand before, too: the CLI writes that, e.g. of an alias in a run with --target, and reads it
 * no more. Source: pulumi/pulumi, pkg/resource/deploy/snapshot.go, VerifyIntegrity.
 */
function doubledUrns(resources: readonly z.output<typeof stored>[]): string[] {
  const seen = new Set<string>();
  return resources.flatMap(({ urn, delete: isOver }) => {
    const isDoubled = seen.has(urn) && isOver !== true;
    seen.add(urn);
    return isDoubled ? [urn] : [];
  });
}

/** The state at a path; undefined where it is not whole, or the CLI could not read it. */
function found(path: string): Found | undefined {
  const { success, data } = wholeState.safeParse(readJson(path));
  if (!success || doubledUrns(data.checkpoint.latest?.resources ?? []).length > 0) return undefined;
  const { latest } = data.checkpoint;
  const time = Date.parse(latest?.manifest?.time ?? "");
  return {
    path,
    time: Number.isNaN(time) ? statSync(path).mtimeMs : time,
    resources: latest?.resources?.length ?? 0,
  };
}

function faultOf(path: string): string {
  const { data } = wholeState.safeParse(readJson(path));
  const [doubled] = doubledUrns(data?.checkpoint.latest?.resources ?? []);
  return doubled === undefined ? "not written to its end" : `it has ${doubled} twice`;
}

/** Whole states that the CLI has kept, the newest first: before its last write, and at the end of each update. */
function earlierStates(workspace: Workspace): Found[] {
  const { stack } = workspace;
  const own = basename(stateFile(workspace));
  const places: readonly (readonly [folder: string, isState: (file: string) => boolean])[] = [
    [
      dirname(stateFile(workspace)),
      (file) => file === `${own}.bak` || (file.startsWith(`${own}.`) && file.endsWith(".tmp")),
    ],
    [join(backend(workspace), "history", "crosszone", stack), (file) => file.endsWith(".checkpoint.json")],
    [join(backend(workspace), "backups", "crosszone", stack), (file) => file.endsWith(".json")],
  ];
  return places
    .flatMap(([folder, isState]) =>
      filesOf(folder)
        .filter(isState)
        .flatMap((file) => found(join(folder, file)) ?? []),
    )
    .sort((one, other) => other.time - one.time);
}

function filesOf(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** All of a file or, where there is no room, nothing: there is a whole file at `path` at every moment, and the old one stays. */
function replace(
  path: string,
  content: Buffer,
  { kept, behind }: Readonly<Record<"kept" | "behind", string>>,
): void {
  const beside = `${path}.restored`;
  try {
    writeFileSync(beside, content, { mode: 0o600 });
    const descriptor = openSync(beside, "r");
    fsyncSync(descriptor);
    closeSync(descriptor);
    copyFileSync(path, kept);
    appendFileSync(behind, "");
    renameSync(beside, path);
  } catch (error) {
    for (const each of [beside, kept]) rmSync(each, { force: true });
    throw new Error(
      `${path} cannot be read, and the whole state that is there cannot be put in its place (${(error as Error).message}): make room on that disk and run the command again. Nothing was changed`,
      { cause: error },
    );
  }
}

/**
 * Removes what an interrupted writing has left and nobody reads: states not written to their end that never came into their
 * place, and the backend's own file where it is empty, which the CLI refuses and makes again where it is missing.
 */
function clearCutFiles(workspace: Workspace): string[] {
  const folder = dirname(stateFile(workspace));
  const states = filesOf(folder)
    .filter((file) => file.startsWith(`${workspace.stack}.json.`) && file.endsWith(".tmp"))
    .map((file) => join(folder, file))
    .filter((path) => found(path) === undefined);
  const meta = join(backend(workspace), "meta.yaml");
  const empty = existsSync(meta) && readFileSync(meta, "utf8").trim() === "" ? [meta] : [];
  const cutOff = [...states, ...empty].filter((path) => !isOpen(path));
  for (const path of cutOff) rmSync(path, { force: true });
  return cutOff.map((path) => `removed ${basename(path)}, whose writing was cut off`);
}
