import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parse, stringify } from "yaml";
import { compileCache } from "../../../local-cloud/compile-cache.ts";
import {
  clearStaleLock,
  commandOf,
  pendingCreates,
  pulumiEnvironment,
  withWorkingConfig,
  writeWorkingConfig,
} from "../../../scripts/dev/stack.ts";
import { findWorkspace, type Workspace } from "../../../scripts/dev/workspace.ts";

let workspace: Workspace;
const children: ChildProcess[] = [];
beforeEach(() => {
  const directory = mkdtempSync(join(tmpdir(), "stack-"));
  workspace = { root: directory, pulumi: join(directory, "p"), cloud: join(directory, "c"), stack: "dev" };
  mkdirSync(workspace.pulumi);
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    const ended = once(child, "exit");
    if (child.kill("SIGKILL")) await ended;
  }
  rmSync(workspace.root, { recursive: true });
});

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

describe("the state lock", () => {
  let lock: string;
  beforeEach(() => {
    const directory = join(workspace.pulumi, "state", ".pulumi", "locks", "organization", "crosszone", "dev");
    mkdirSync(directory, { recursive: true });
    lock = join(directory, "1234.json");
  });
  const write = (pid: number, host = hostname()) => {
    writeFileSync(
      lock,
      JSON.stringify({ pid, username: "root", hostname: host, timestamp: "2026-11-24T00:00:00Z" }),
    );
    writeFileSync(`${lock}.attrs`, "{}");
  };

  /** A process that is called `pulumi`, as the CLI is. */
  function pulumiProcess(): ChildProcess {
    const program = join(workspace.root, "pulumi");
    symlinkSync("/bin/sleep", program);
    const child = spawn(program, ["600"], { stdio: "ignore" });
    children.push(child);
    return child;
  }
  const stateOf = (pid: number) => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1];
  const named = (pid: number) => readFileSync(`/proc/${pid}/comm`, "utf8").trim();

  test("of a dead process of this host is cleared, with its attributes, and told", async () => {
    const child = pulumiProcess();
    await vi.waitFor(() => expect(named(child.pid ?? 0)).toBe("pulumi"));
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
    write(child.pid ?? 0);
    expect(clearStaleLock(workspace)).toEqual([
      `cleared the state lock of process ${child.pid}, which ended at work (2026-11-24T00:00:00Z)`,
    ]);
    expect([existsSync(lock), existsSync(`${lock}.attrs`)]).toEqual([false, false]);
  });

  test("of a process that lives is kept", async () => {
    const { pid = 0 } = pulumiProcess();
    await vi.waitFor(() => expect(named(pid)).toBe("pulumi"));
    write(pid);
    expect(clearStaleLock(workspace)).toEqual([]);
    expect(existsSync(lock)).toBe(true);
  });

  test("of a process that is dead and not yet buried is cleared", async () => {
    symlinkSync("/bin/sleep", join(workspace.root, "pulumi"));
    // The shell becomes a program that buries no children.
    const script = `"${join(workspace.root, "pulumi")}" 600 & echo $!; exec sleep 600`;
    const parent = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"] });
    children.push(parent);
    const [said] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(said.toString());
    const nameOf = (id: number) => readFileSync(`/proc/${id}/comm`, "utf8").trim();
    await vi.waitFor(() => expect([nameOf(parent.pid ?? 0), nameOf(pid)]).toEqual(["sleep", "pulumi"]), {
      timeout: 5_000,
    });
    process.kill(pid, "SIGKILL");
    await vi.waitFor(() => expect(stateOf(pid)).toBe("Z"), { timeout: 5_000 });
    write(pid);
    expect(clearStaleLock(workspace)).toHaveLength(1);
  });

  test("whose number is another program's by now is cleared", () => {
    write(process.pid);
    expect(clearStaleLock(workspace)).toHaveLength(1);
  });

  test("of another host is kept: nobody here knows whether it works", () => {
    write(2 ** 22 + 1, "another-host");
    expect(clearStaleLock(workspace)).toEqual([]);
    expect(existsSync(lock)).toBe(true);
  });

  test("is no matter where there is none", () => {
    expect(clearStaleLock({ ...workspace, stack: "other" })).toEqual([]);
  });

  test("that was not written to its end is cleared once nobody can be writing it any more", () => {
    writeFileSync(lock, '{"pid": 12');
    expect(clearStaleLock(workspace)).toEqual([]);
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(lock, longAgo, longAgo);
    expect(clearStaleLock(workspace)).toEqual(["cleared a state lock that was not written to its end"]);
    expect(existsSync(lock)).toBe(false);
  });
});

test("pending creates are found in the state, and other operations are none", () => {
  expect(pendingCreates(workspace)).toEqual([]);
  const directory = join(workspace.pulumi, "state", ".pulumi", "stacks", "crosszone");
  mkdirSync(directory, { recursive: true });
  const pending_operations = [
    { type: "creating", resource: { urn: "urn:a" } },
    { type: "updating", resource: { urn: "urn:b" } },
  ];
  writeFileSync(
    join(directory, "dev.json"),
    JSON.stringify({ checkpoint: { latest: { pending_operations } } }),
  );
  expect(pendingCreates(workspace)).toEqual(["urn:a"]);
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

  test("name their command", () => {
    expect(commandOf(["--cwd", "config", "destroy", "--yes"])).toBe("destroy");
    expect(commandOf(["--version"])).toBeUndefined();
  });
});

describe("the environment of the CLI", () => {
  test("has a passphrase for its owner only, made once, state inside the workspace, and Node's cache of compiled modules", () => {
    const environment = pulumiEnvironment(workspace);
    const passphrase = join(workspace.pulumi, "passphrase");
    expect(statSync(passphrase).mode & 0o777).toBe(0o600);
    const text = readFileSync(passphrase, "utf8");
    expect(text).toMatch(/^[\w-]{32}$/);
    expect(environment.PULUMI_CONFIG_PASSPHRASE_FILE).toBe(passphrase);
    expect(environment.PULUMI_BACKEND_URL).toBe(`file://${join(workspace.pulumi, "state")}`);
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
