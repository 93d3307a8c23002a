/**
 * States that earlier versions have left. A folder of upgrade/ holds one: the configuration and what `stack export
 * --show-secrets` gave after `up`, with texts in place of its keys; since 0.2.0 also the state of the local cloud that it
 * was made on.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { stateFile } from "../../scripts/dev/state-file.ts";
import { Stack } from "../harness/stack.ts";

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const states = join(import.meta.dirname, "upgrade");
const versions = readdirSync(states);
let stack: Stack;
afterEach(async () => await stack?.remove());

test.each(versions)("a stack that version %s has made previews without a change", async (version) => {
  const cloud = join(states, version, "cloud.db");
  const hasCloud = existsSync(cloud);
  stack = await Stack.here(hasCloud ? cloud : undefined);
  // The first secret gives the stack its salt.
  await stack.ok("config", "set", "--secret", "test:any", "thing");
  const { configFile, directory } = stack.cloud;
  const own = (name: string) => join(directory, `${version}-${name}`);
  const { encryptionsalt } = parse(readFileSync(join(directory, ".pulumi", "Pulumi.dev.yaml"), "utf8"));
  const state = JSON.parse(readFileSync(join(states, version, "state.json"), "utf8"));
  state.deployment.secrets_providers = { type: "passphrase", state: { salt: encryptionsalt } };
  writeFileSync(own("state.json"), JSON.stringify(state).replaceAll("CONFIG_FILE", configFile));
  const { config } = parse(readFileSync(join(states, version, "config.yaml"), "utf8"));
  const settings = { encryptionsalt, config: { ...config, "qingcloud:configFile": configFile } };
  writeFileSync(own("config.yaml"), stringify(settings));

  await stack.ok("stack", "import", "--file", own("state.json"));
  const kept = stack.resources();
  expect(kept.length).toBeGreaterThanOrEqual(24);
  const calls = await stack.cloud.changesBy(() =>
    stack.ok(
      "preview",
      "--diff",
      "--color",
      "never",
      "--expect-no-changes",
      "--config-file",
      own("config.yaml"),
    ),
  );
  expect(calls).toEqual([]);
  if (hasCloud) {
    const refresh = ["refresh", "--yes", "--skip-preview", "--expect-no-changes", "--color", "never"];
    await stack.ok(...refresh, "--config-file", own("config.yaml"));
  }
  const texts = readFileSync(stateFile(stack.workspace), "utf8");
  for (const secret of ["private key of operator", "pre-shared-key-of-the-tunnel"]) {
    expect(texts).not.toContain(secret);
  }
});

test("earlier versions have left two zones, and a mesh over an intranet with a resource a firewall rule", () => {
  expect(versions).toEqual(["0.1.0", "0.2.0-intranet-mesh", "0.2.0-two-zones"]);
  const mesh = JSON.parse(readFileSync(join(states, "0.2.0-intranet-mesh", "state.json"), "utf8"));
  const types = (mesh.deployment.resources as { type: string }[]).map(({ type }) => type);
  expect(types.filter((type) => type === "qingcloud:cloud:SecurityGroupRule")).toHaveLength(16);
});
