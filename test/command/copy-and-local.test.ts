import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Properties, signatureKey } from "../../provider/rpc/values.ts";
import { archiveSignature, assetSignature } from "../../toolchain/command/copy-to-remote.ts";
import { Plugin, secret, urn } from "./plugin.ts";
import { Sshd } from "./sshd.ts";

let sshd: Sshd;
let plugin: Plugin;
let folder: string;

beforeAll(async () => {
  [sshd, plugin, folder] = await Promise.all([
    Sshd.start(),
    Plugin.start(),
    mkdtemp(join(tmpdir(), "copy-")),
  ]);
});

afterAll(async () => {
  await plugin?.stop();
  await sshd?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("CopyToRemote", () => {
  const copy = urn("remote:CopyToRemote", "copy");
  const file = (path: string, hash: string) => ({ [signatureKey]: assetSignature, path, hash });
  const text = (content: string, hash: string) => ({ [signatureKey]: assetSignature, text: content, hash });
  const archive = (path: string) => ({ [signatureKey]: archiveSignature, path, hash: path });
  const inputs = (source: Properties, remotePath: string) => ({
    connection: secret(sshd.connection),
    source,
    remotePath,
  });

  test("copies a file to a path, and into a folder that exists, byte for byte", async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    await writeFile(join(folder, "source.bin"), content);
    await mkdir(join(folder, "existing"));
    const given = inputs(file(join(folder, "source.bin"), "a"), join(folder, "target.bin"));
    const { state } = await plugin.create(copy, given);
    expect(state).toEqual(given);
    await plugin.create(copy, inputs(file(join(folder, "source.bin"), "a"), join(folder, "existing")));
    expect(content.equals(await readFile(join(folder, "target.bin")))).toBe(true);
    expect(content.equals(await readFile(join(folder, "existing/source.bin")))).toBe(true);
  });

  test("copies a folder, and only its content if the path ends with a slash", async () => {
    await mkdir(join(folder, "tree/deep"), { recursive: true });
    await writeFile(join(folder, "tree/deep/leaf"), "leaf");
    await plugin.create(copy, inputs(archive(join(folder, "tree")), join(folder, "whole")));
    await plugin.create(copy, inputs(archive(`${join(folder, "tree")}/`), join(folder, "content")));
    expect(await readFile(join(folder, "whole/tree/deep/leaf"), "utf8")).toBe("leaf");
    expect(await readFile(join(folder, "content/deep/leaf"), "utf8")).toBe("leaf");
  });

  test("says that a disk is full, which SFTP has no word for", async () => {
    const disk = join(folder, "disk");
    await mkdir(disk);
    const small = ["unshare", "--mount", "--propagation", "private", "sh", "-c"];
    const mount = `mount -t tmpfs -o size=1m small ${disk} && exec "$0" "$@"`;
    const full = await Sshd.start(undefined, {}, [...small, mount]);
    try {
      await writeFile(join(folder, "large.bin"), Buffer.alloc(2_000_000));
      const connection = secret({ ...full.connection, dialErrorLimit: 0 });
      const given = { connection, source: file(join(folder, "large.bin"), "l"), remotePath: disk };
      await expect(plugin.create(copy, given)).rejects.toThrow(
        /^cannot copy \S+ to remote path \S+\/disk\/large\.bin: the disk there is full, \d+ KiB are free; delete /,
      );
    } finally {
      await full.stop();
    }
  });

  test("an update copies again only if the content or the path changed", async () => {
    const target = join(folder, "text");
    const first = inputs(text("first", "1"), target);
    await plugin.create(copy, first);
    await writeFile(target, "changed by hand");
    await plugin.update(copy, first, first);
    expect(await readFile(target, "utf8")).toBe("changed by hand");
    await plugin.update(copy, first, inputs(text("second", "2"), target));
    expect(await readFile(target, "utf8")).toBe("second");
  });

  test("a failure names the paths", async () => {
    const target = join(folder, "missing/file");
    await expect(plugin.create(copy, inputs(text("x", "x"), target))).rejects.toThrow(
      `cannot write remote file ${target}: No such file`,
    );
    await expect(plugin.create(copy, inputs(text("x", "x"), folder))).rejects.toThrow(
      `remote path ${folder} is a directory`,
    );
  });

  test("check refuses a source that is no asset, diff compares assets by content", async () => {
    expect(await plugin.check(copy, { ...inputs({}, "/x") })).toEqual([
      "source: source must be a FileAsset, a StringAsset or a FileArchive",
    ]);
    const [before, moved, changed] = [file("/a", "1"), file("/b", "1"), file("/a", "2")].map((source) => ({
      source,
    }));
    expect((await plugin.diff(copy, before ?? {}, moved ?? {})).diffs).toEqual([]);
    expect((await plugin.diff(copy, before ?? {}, changed ?? {})).diffs).toEqual(["source"]);
  });
});

describe("local Command", () => {
  const local = urn("local:Command", "local");

  test("runs in its folder with stdin, environment and interpreter", async () => {
    const given = {
      create: "pwd; cat; echo $COLOUR >&2",
      stdin: "in",
      dir: folder,
      environment: { COLOUR: "blue" },
    };
    expect((await plugin.create(local, given)).state).toEqual({
      ...given,
      stdout: `${folder}\nin`,
      stderr: "blue",
    });
    const other = { create: "print(6 * 7)", interpreter: ["/usr/bin/python3", "-c"] };
    expect((await plugin.create(local, other)).state.stdout).toBe("42");
  });

  test("fails with the exit status, the command and its output", async () => {
    await expect(plugin.create(local, { create: "echo no; exit 4" })).rejects.toThrow(
      'exit status 4: running "echo no; exit 4":\nno\n',
    );
  });

  test("refuses what this stand-in does not do", async () => {
    expect(await plugin.check(local, { create: "true", archivePaths: ["*"] })).toEqual([
      "archivePaths: archivePaths is not supported by this stand-in for the command provider; install the official plugin",
    ]);
    await expect(plugin.create(urn("remote:CopyFile", "old"), {})).rejects.toThrow(
      "command:remote:CopyFile is not supported by this stand-in for the command provider; supported are command:local:Command, command:remote:Command, command:remote:CopyToRemote",
    );
  });

  test("cancel ends what the command started", async () => {
    const running = plugin.create(local, { create: "echo $$; sleep 60 | sleep 60" });
    running.catch(() => {});
    await expect.poll(() => plugin.messages(local).at(-1)).toMatch(/^\d+$/);
    const group = Number(plugin.messages(local).at(-1));
    await plugin.cancel();
    await expect(running).rejects.toThrow("cancelled by the engine");
    await expect.poll(() => isRunning(group)).toBe(false);
  });

  test("an engine that is gone ends the plugin, and what the command started", async () => {
    const own = await Plugin.start();
    own.create(local, { create: "echo $$; sleep 60 | sleep 60" }).catch(() => {});
    await expect.poll(() => own.messages(local).at(-1)).toMatch(/^\d+$/);
    const group = Number(own.messages(local).at(-1));
    await own.loseEngine();
    await expect.poll(() => isRunning(group)).toBe(false);
    await own.stop();
  });
});

/** Whether a process of the group is left; one that nobody has waited for yet has ended all the same. */
async function isRunning(group: number): Promise<boolean> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")));
  return stats.some((stat) => {
    const [state, , processGroup] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(processGroup) === group && state !== "Z";
  });
}
