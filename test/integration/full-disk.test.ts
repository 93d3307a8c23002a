/** Commands whose state is on a real file system without room, in a view of the machine's folders that is theirs alone. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root, startOf, startProcess, userEnvironment } from "../harness/process.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-full-"));
  mkdirSync(join(directory, ".pulumi"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs a command with a small file system at .pulumi, and lists after it what is there. */
async function onSmallDisk(kib: number, command: readonly string[]) {
  const script = `mount -t tmpfs -o size=${kib}k small "$1/.pulumi" && cd "$1" && shift && "$@"; code=$?; find . -mindepth 1 | sort; exit $code`;
  const view = ["--mount", "--propagation", "private", "sh", "-c", script, "small", directory, ...command];
  const env = { ...userEnvironment(), CROSSZONE_DIRECTORY: directory };
  return await startProcess("unshare", view, { env }).ended;
}

test.each([
  ["npm start", startOf("scripts/dev/start.ts")],
  ["npm run pulumi -- up", [...startOf("scripts/dev/pulumi.ts"), "up", "--yes"]],
])("%s with too little space for the state says so before it makes anything", async (_, command) => {
  const { code, stdout, stderr } = await onSmallDisk(4096, command);
  expect(stderr).toMatch(
    /It needs 32 MiB of free space, and there are \d\. Make room .* Nothing has been created or changed\n$/,
  );
  expect([code, stdout]).toEqual([1, "./.pulumi\n"]);
});

test("a disk that is full all at once takes nothing of the configuration or of the state that was there", async () => {
  const program = join(directory, "program.mjs");
  writeFileSync(
    program,
    `
    import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
    import { dirname } from "node:path";
    import { stateFile } from "${root}/scripts/dev/state-file.ts";
    import { writeWorkingConfig } from "${root}/scripts/dev/stack.ts";
    import { restoreState } from "${root}/scripts/dev/whole-state.ts";
    import { findWorkspace } from "${root}/scripts/dev/workspace.ts";
    const workspace = findWorkspace();
    const state = stateFile(workspace);
    mkdirSync(dirname(state), { recursive: true });
    writeFileSync(state, "{");
    const resources = Array.from({ length: 2000 }, (_, index) => ({ urn: "urn:" + index }));
    writeFileSync(state + ".bak", JSON.stringify({ checkpoint: { latest: { resources } } }));
    const config = writeWorkingConfig(workspace);
    const before = readFileSync(config, "utf8");
    try {
      for (let number = 0; ; number++) writeFileSync(workspace.pulumi + "/filler" + number, Buffer.alloc(4096));
    } catch {}
    const messageOf = (work) => { try { work(); return "none"; } catch (error) { return error.message; } };
    const errors = [
      messageOf(() => writeWorkingConfig(workspace, { more: "x".repeat(10000) })),
      messageOf(() => restoreState(workspace)),
    ];
    const isSame = readFileSync(config, "utf8") === before;
    console.log(JSON.stringify({ errors, isSame, state: readFileSync(state, "utf8"), files: readdirSync(dirname(state)) }));
  `,
  );
  const { code, stdout, text } = await onSmallDisk(256, [process.execPath, program]);
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
  expect(JSON.parse(stdout.split("\n")[0] ?? "")).toEqual({
    errors: [
      expect.stringMatching(/^ENOSPC/),
      expect.stringMatching(
        /ENOSPC.*make room on that disk and run the command again\. Nothing was changed$/,
      ),
    ],
    isSame: true,
    state: "{",
    files: ["dev.json", "dev.json.bak"],
  });
});
