import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { compileCache } from "../../../local-cloud/compile-cache.mjs";
import { pulumiEnvironment, withWorkingConfig, writeWorkingConfig } from "../../../scripts/dev/stack.ts";
import { findWorkspace, type Workspace } from "../../../scripts/dev/workspace.ts";

let workspace: Workspace;
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), "stack-"));
  workspace = { root: directory, pulumi: join(directory, "p"), cloud: join(directory, "c"), stack: "dev" };
  mkdirSync(workspace.pulumi);
});
afterEach(() => rmSync(workspace.root, { recursive: true }));

describe("the working configuration", () => {
  const commit = (config: object) =>
    writeFileSync(join(workspace.root, "Pulumi.dev.yaml"), stringify({ config }));
  const path = () => join(workspace.pulumi, "Pulumi.dev.yaml");
  const read = () =>
    parse(readFileSync(path(), "utf8")) as { config: Record<string, unknown>; encryptionsalt?: string };
  /** What `pulumi config set` and `config rm` do to the file. */
  const edit = (change: (file: ReturnType<typeof read>) => void) => {
    const file = read();
    change(file);
    writeFileSync(path(), stringify(file));
  };

  test("starts as the committed file with what the machine knows", () => {
    commit({ "crosszone:zones": [{ name: "a" }] });
    expect(writeWorkingConfig(workspace, { "qingcloud:configFile": "/x" })).toBe(path());
    expect(read().config).toEqual({ "crosszone:zones": [{ name: "a" }], "qingcloud:configFile": "/x" });
  });

  test("takes a committed change, also a key that is new and one that is gone", () => {
    commit({ one: 1, two: 2 });
    writeWorkingConfig(workspace);
    commit({ one: 11, three: 3 });
    writeWorkingConfig(workspace);
    expect(read().config).toEqual({ one: 11, three: 3 });
  });

  test("keeps what was set by `config set`, also against a committed change", () => {
    commit({ "crosszone:training": { epochs: 10 }, other: 1 });
    writeWorkingConfig(workspace);
    edit(({ config }) => Object.assign(config, { "crosszone:training": { epochs: 3 }, mine: true }));
    for (const other of [1, 2]) {
      commit({ "crosszone:training": { epochs: 20 }, other });
      writeWorkingConfig(workspace);
      expect(read().config).toEqual({ "crosszone:training": { epochs: 3 }, mine: true, other });
    }
  });

  test("goes back to the committed value when `config rm` takes the own one away", () => {
    commit({ one: 1 });
    writeWorkingConfig(workspace);
    edit(({ config }) => Object.assign(config, { one: 5 }));
    writeWorkingConfig(workspace);
    edit(({ config }) => delete config.one);
    writeWorkingConfig(workspace);
    expect(read().config).toEqual({ one: 1 });
  });

  test("has the machine's values of today, and none that it does not know any more", () => {
    commit({});
    writeWorkingConfig(workspace, { "qingcloud:configFile": "/x", "crosszone:ssh": { proxy: { port: 1 } } });
    writeWorkingConfig(workspace, { "qingcloud:configFile": "/y", "crosszone:ssh": { proxy: { port: 2 } } });
    expect(read().config).toEqual({ "qingcloud:configFile": "/y", "crosszone:ssh": { proxy: { port: 2 } } });
    writeWorkingConfig(workspace, { "qingcloud:configFile": "/y" });
    expect(read().config).toEqual({ "qingcloud:configFile": "/y" });
    edit(({ config }) => Object.assign(config, { "qingcloud:configFile": "/mine" }));
    writeWorkingConfig(workspace, { "qingcloud:configFile": "/z" });
    expect(read().config).toEqual({ "qingcloud:configFile": "/z" });
  });

  test("keeps the encryption salt, and is for its owner only", () => {
    commit({ one: 1 });
    writeWorkingConfig(workspace);
    edit((file) => Object.assign(file, { encryptionsalt: "v1:abc=:v1:def" }));
    writeWorkingConfig(workspace);
    expect(read()).toEqual({ config: { one: 1 }, encryptionsalt: "v1:abc=:v1:def" });
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  test("of a stack without a committed file is what was set", () => {
    writeWorkingConfig(workspace);
    edit(({ config }) => Object.assign(config, { mine: 1 }));
    writeWorkingConfig(workspace);
    expect(read().config).toEqual({ mine: 1 });
  });
});

describe("the arguments of the CLI", () => {
  const file = "/work/.pulumi/Pulumi.dev.yaml";
  const withFile = (...args: string[]) => withWorkingConfig(args, file, "/work");

  test.each([
    "config",
    "destroy",
    "dn",
    "down",
    "import",
    "pre",
    "preview",
    "refresh",
    "up",
    "update",
    "watch",
  ])("get the working configuration with %s", (command) => {
    expect(withFile(command, "--x")).toEqual([command, "--x", "--config-file", ".pulumi/Pulumi.dev.yaml"]);
  });

  test("get it also where flags stand before the command", () => {
    expect(withFile("--stack", "prod", "up")).toEqual([
      "--stack",
      "prod",
      "up",
      "--config-file",
      ".pulumi/Pulumi.dev.yaml",
    ]);
    expect(withFile("--non-interactive", "-s=prod", "config")).toContain("--config-file");
  });

  test.each([
    [[]],
    [["stack", "output"]],
    [["stack", "rename", "up"]],
    [["--stack", "up", "stack"]],
    [["cancel"]],
  ])("stay as they are with %j", (args) => {
    expect(withFile(...args)).toEqual(args);
  });

  test.each([["--config-file", "mine.yaml"], ["--config-file=mine.yaml"]])(
    "keep the user's own file: %s",
    (...own) => {
      const given = ["up", ...own.map(String)];
      expect(withFile(...given)).toEqual(given);
    },
  );
});

describe("the environment of the CLI", () => {
  test("has a passphrase for its owner only, made once, state inside the workspace, and Node's cache of compiled modules", () => {
    const environment = pulumiEnvironment(workspace);
    const passphrase = join(workspace.pulumi, "passphrase");
    expect(statSync(passphrase).mode & 0o777).toBe(0o600);
    const text = readFileSync(passphrase, "utf8");
    expect(text).toMatch(/^[\w-]{32}$/);
    expect(environment.PULUMI_CONFIG_PASSPHRASE_FILE).toBe(passphrase);
    expect(environment.PULUMI_BACKEND_URL).toBe(`file://${join(workspace.pulumi, "state")}?metadata=skip`);
    expect(existsSync(join(workspace.pulumi, "state"))).toBe(true);
    expect(environment.NODE_COMPILE_CACHE).toBe(process.env.NODE_COMPILE_CACHE ?? compileCache);
    expect(environment.PATH?.startsWith(join(workspace.pulumi, "bin"))).toBe(true);
    pulumiEnvironment(workspace);
    expect(readFileSync(passphrase, "utf8")).toBe(text);
  });

  test("of another directory is found by CROSSZONE_DIRECTORY, and the stack by PULUMI_STACK", () => {
    const found = findWorkspace({ CROSSZONE_DIRECTORY: workspace.root, PULUMI_STACK: "prod" });
    expect(found).toEqual({
      root: join(import.meta.dirname, "..", "..", ".."),
      pulumi: join(workspace.root, ".pulumi"),
      cloud: join(workspace.root, ".local-cloud"),
      stack: "prod",
    });
    expect(statSync(found.pulumi).mode & 0o777).toBe(0o700);
  });
});
