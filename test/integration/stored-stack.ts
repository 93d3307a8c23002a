/**
 * Stacks that earlier versions have left. A folder of upgrade/ holds one: the configuration and what `stack export
 * --show-secrets` gave after `up`, with texts in place of its keys; since 0.2.0 also the state of the local cloud that it
 * was made on.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { stateFile } from "../../scripts/dev/state-file.ts";
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

/** What the CLI has made of a version's state, for the other stacks of that version. */
interface Imported {
  readonly directory: string;
  readonly encryptionsalt: string;
  readonly passphrase: string;
  readonly state: string;
}
const imported = new Map<string, Imported>();

/** @param keep is given the stack as soon as it has to be removed */
export async function importStored(version: string, keep: (stack: Stack) => void): Promise<StoredStack> {
  const cloud = join(folder, version, "cloud.db");
  const hasCloud = existsSync(cloud);
  const stack = await Stack.here(hasCloud ? cloud : undefined);
  keep(stack);
  const { directory, configFile } = stack.cloud;
  const passphraseFile = join(directory, ".pulumi", "passphrase");
  const known = imported.get(version);
  let encryptionsalt = known?.encryptionsalt;
  if (known === undefined) {
    encryptionsalt = await importByCli(stack, version);
    const passphrase = readFileSync(passphraseFile, "utf8");
    const state = readFileSync(stateFile(stack.workspace), "utf8");
    imported.set(version, { directory, encryptionsalt, passphrase, state });
  } else {
    writeFileSync(passphraseFile, known.passphrase, { mode: 0o600 });
    writeFileSync(stateFile(stack.workspace), known.state.replaceAll(known.directory, directory));
  }
  const { config } = parse(readFileSync(join(folder, version, "config.yaml"), "utf8"));
  const settings = { encryptionsalt, config: { ...config, "qingcloud:configFile": configFile } };
  const file = join(directory, `${version}-config.yaml`);
  writeFileSync(file, stringify(settings));
  return { stack, hasCloud, configuration: ["--config-file", file] };
}

/** @returns the salt of its secrets */
async function importByCli(stack: Stack, version: string): Promise<string> {
  // The first secret gives the stack its salt.
  await stack.ok("config", "set", "--secret", "test:any", "thing");
  const { configFile, directory } = stack.cloud;
  const { encryptionsalt } = parse(readFileSync(join(directory, ".pulumi", "Pulumi.dev.yaml"), "utf8"));
  const state = storedState(version);
  state.deployment.secrets_providers = { type: "passphrase", state: { salt: encryptionsalt } };
  const file = join(directory, `${version}-state.json`);
  writeFileSync(file, JSON.stringify(state).replaceAll("CONFIG_FILE", configFile));
  await stack.ok("stack", "import", "--file", file);
  return encryptionsalt;
}
