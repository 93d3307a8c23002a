import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  clearStaleLock,
  knownIds,
  otherCommand,
  requireUnlocked,
  stateFile,
} from "../../../scripts/dev/state-file.ts";
import type { Workspace } from "../../../scripts/dev/workspace.ts";

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

  test("is never cleared where the system does not show processes; the command that clears it is printed", () => {
    write(2 ** 22 + 1);
    const withoutProc = join(workspace.root, "no-proc");
    expect(clearStaleLock(workspace, withoutProc)).toEqual([
      `the state of stack dev is locked by process ${2 ** 22 + 1} on ${hostname()} since 2026-11-24T00:00:00Z. If that no longer runs: npm run pulumi -- cancel --yes --stack dev`,
    ]);
    writeFileSync(lock, "{");
    expect(clearStaleLock(workspace, withoutProc)).toEqual([
      "the state of stack dev is locked by another process. If that no longer runs: npm run pulumi -- cancel --yes --stack dev",
    ]);
    expect([existsSync(lock), existsSync(`${lock}.attrs`)]).toEqual([true, true]);
  });

  test("of a process that lives is kept where the system hides it from this user", () => {
    const processes = join(workspace.root, "proc");
    mkdirSync(join(processes, "self"), { recursive: true });
    writeFileSync(join(processes, "self", "stat"), "");
    write(process.pid);
    expect(clearStaleLock(workspace, processes)).toEqual([]);
    expect(existsSync(lock)).toBe(true);
  });

  test("of a process that lives is kept", async () => {
    const { pid = 0 } = pulumiProcess();
    await vi.waitFor(() => expect(named(pid)).toBe("pulumi"));
    write(pid);
    expect(clearStaleLock(workspace)).toEqual([]);
    expect(existsSync(lock)).toBe(true);
    expect(() => requireUnlocked(workspace)).toThrow(
      `another command is changing the stack dev: process ${pid} since 2026-11-24T00:00:00Z. Wait until it has ended, or press Ctrl-C where it runs (or: kill -INT ${pid}), and run this again`,
    );
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
    expect(otherCommand(workspace)).toBe(
      `another command is changing the stack dev: process ${2 ** 22 + 1} on the machine another-host since 2026-11-24T00:00:00Z. Wait until it has ended, or press Ctrl-C where it runs, and run this again. If another-host or that process no longer runs: npm run pulumi -- cancel --yes --stack dev`,
    );
  });

  test("is no matter where there is none", () => {
    expect(clearStaleLock({ ...workspace, stack: "other" })).toEqual([]);
    expect(otherCommand({ ...workspace, stack: "other" })).toBeUndefined();
  });

  test.each(["1234.json", "1234.json.18acf0b2c1d3e4f5.tmp"])(
    "%s that was not written to its end is cleared once nobody can be writing it",
    async (file) => {
      const cut = join(dirname(lock), file);
      writeFileSync(cut, "");
      const writer = spawn("sh", ["-c", 'exec 3>>"$0"; echo; exec sleep 600', cut], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      children.push(writer);
      await once(writer.stdout, "data");
      expect(clearStaleLock(workspace)).toEqual([]);
      const ended = once(writer, "exit");
      writer.kill("SIGKILL");
      await ended;
      expect(clearStaleLock(workspace)).toEqual(["cleared a state lock that was not written to its end"]);
      expect(existsSync(cut)).toBe(false);
    },
  );

  test("that is whole and did not come into its place counts as one, and goes with its process", () => {
    write(2 ** 22 + 1);
    const beside = `${lock}.18acf0b2c1d3e4f5.tmp`;
    renameSync(lock, beside);
    expect(clearStaleLock(workspace)).toHaveLength(1);
    expect(existsSync(beside)).toBe(false);
  });

  describe("attributes beside the files of the backend", () => {
    const attributes = () => `${stateFile(workspace)}.attrs`;
    beforeEach(() => mkdirSync(dirname(attributes()), { recursive: true }));

    test.each([
      ["that are empty", ""],
      ["that are cut off", '{"user.metadata":'],
    ])("%s are removed with the lock of a dead process, and told", (_, text) => {
      writeFileSync(attributes(), text);
      writeFileSync(stateFile(workspace), "{}");
      write(2 ** 22 + 1);
      expect(clearStaleLock(workspace).slice(1)).toEqual([
        "removed dev.json.attrs, whose writing was cut off",
      ]);
      expect([existsSync(attributes()), existsSync(stateFile(workspace))]).toEqual([false, true]);
    });

    test("that are whole are kept", () => {
      writeFileSync(attributes(), "{}");
      write(2 ** 22 + 1);
      expect(clearStaleLock(workspace)).toHaveLength(1);
      expect(existsSync(attributes())).toBe(true);
    });

    test("are left alone while the process of the lock lives: it is writing them", async () => {
      const { pid = 0 } = pulumiProcess();
      await vi.waitFor(() => expect(named(pid)).toBe("pulumi"));
      writeFileSync(attributes(), "");
      write(pid);
      expect(clearStaleLock(workspace)).toEqual([]);
      expect(existsSync(attributes())).toBe(true);
    });
  });
});

test("ids are known of the states of all stacks, and not of what else lies there", () => {
  expect(knownIds(workspace)).toEqual(new Set());
  const folder = dirname(stateFile(workspace));
  mkdirSync(folder, { recursive: true });
  const write = (file: string, ...ids: (string | undefined)[]) => {
    const resources = ids.map((id) => ({ urn: "urn:a", type: "t", id }));
    writeFileSync(join(folder, file), JSON.stringify({ checkpoint: { latest: { resources } } }));
  };
  write("dev.json", "eip-1", undefined, "i-1");
  write("prod.json", "eip-2");
  write("dev.json.bak", "eip-3");
  writeFileSync(join(folder, "cut-off.json"), "{");
  expect(knownIds(workspace)).toEqual(new Set(["eip-1", "i-1", "eip-2"]));
});
