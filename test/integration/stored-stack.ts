/**
 * Stacks that earlier versions have left. A folder of upgrade/ holds one: the configuration and what `stack export
 * --show-secrets` gave after `up`, with texts in place of its keys; since 0.2.0 also the state of the local cloud that it
 * was made on.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
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

/** @param keep is given the stack as soon as it has to be removed */
export async function importStored(version: string, keep: (stack: Stack) => void): Promise<StoredStack> {
  const cloud = join(folder, version, "cloud.db");
  const hasCloud = existsSync(cloud);
  const stack = await Stack.here(hasCloud ? cloud : undefined);
  keep(stack);
  // The first secret gives the stack its salt.
  await stack.ok("config", "set", "--secret", "test:any", "thing");
  const { configFile, directory } = stack.cloud;
  const own = (name: string) => join(directory, `${version}-${name}`);
  const { encryptionsalt } = parse(readFileSync(join(directory, ".pulumi", "Pulumi.dev.yaml"), "utf8"));
  const state = storedState(version);
  state.deployment.secrets_providers = { type: "passphrase", state: { salt: encryptionsalt } };
  writeFileSync(own("state.json"), JSON.stringify(state).replaceAll("CONFIG_FILE", configFile));
  const { config } = parse(readFileSync(join(folder, version, "config.yaml"), "utf8"));
  const settings = { encryptionsalt, config: { ...config, "qingcloud:configFile": configFile } };
  writeFileSync(own("config.yaml"), stringify(settings));
  await stack.ok("stack", "import", "--file", own("state.json"));
  return { stack, hasCloud, configuration: ["--config-file", own("config.yaml")] };
}
