/**
 * Stacks that earlier versions have left. A folder of upgrade/ holds one: the configuration and what `stack export
 * --show-secrets` gave after `up`, with texts in place of its keys, and names that fit these; since 0.2.0 also the state of the local cloud that it
 * was made on.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { stateFile } from "../../scripts/dev/state-file.ts";
import { keyInState, keySettings } from "../harness/key-service.ts";
import { Stack } from "../harness/stack.ts";

const folder = join(import.meta.dirname, "upgrade");

export const storedVersions = readdirSync(folder);

export function storedState(version: string) {
  return JSON.parse(readFileSync(join(folder, version, "state.json"), "utf8"));
}

export interface StoredStack {
  readonly stack: Stack;
  readonly hasCloud: boolean;
  /** Options of commands: its configuration. */
  readonly configuration: readonly string[];
}

/** Each version's state as the CLI has imported it, and its directory, for other stacks of that version. */
const imported = new Map<string, { readonly directory: string; readonly state: string }>();

/** @param keep is given the stack as soon as it has to be removed */
export async function importStored(version: string, keep: (stack: Stack) => void): Promise<StoredStack> {
  const cloud = join(folder, version, "cloud.db");
  const hasCloud = existsSync(cloud);
  const stack = await Stack.here(hasCloud ? cloud : undefined);
  keep(stack);
  const { directory, configFile } = stack.cloud;
  const known = imported.get(version);
  if (known === undefined) {
    await importByCli(stack, version);
    imported.set(version, { directory, state: readFileSync(stateFile(stack.workspace), "utf8") });
  } else {
    writeFileSync(stateFile(stack.workspace), known.state.replaceAll(known.directory, directory));
  }
  const { config } = parse(readFileSync(join(folder, version, "config.yaml"), "utf8"));
  const settings = { ...keySettings, config: { ...config, "qingcloud:configFile": configFile } };
  const file = join(directory, `${version}-config.yaml`);
  writeFileSync(file, stringify(settings));
  return { stack, hasCloud, configuration: ["--config-file", file] };
}

async function importByCli(stack: Stack, version: string): Promise<void> {
  const { configFile, directory } = stack.cloud;
  const state = storedState(version);
  state.deployment.secrets_providers = keyInState;
  const file = join(directory, `${version}-state.json`);
  writeFileSync(file, JSON.stringify(state).replaceAll("CONFIG_FILE", configFile));
  await stack.ok("stack", "import", "--file", file);
}
