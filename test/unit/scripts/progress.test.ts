import { expect, test } from "vitest";
import { describeStatus } from "../../../scripts/dev/debian.ts";
import { describeShare, Progress } from "../../../scripts/dev/progress.ts";

function recorded(output: { isTTY?: boolean; columns?: number } = {}) {
  const written: string[] = [];
  const clock = { now: 0 };
  const progress = new Progress({ ...output, write: (text) => written.push(text) }, () => clock.now);
  return { written, clock, progress };
}

test("in a pipe progress is a line every ten seconds at most, of all steps; what stays is printed at once", () => {
  const { written, clock, progress } = recorded();
  for (let second = 0; second <= 25; second += 1) {
    clock.now = second * 1000;
    progress.update("CLI", `${second} %`);
    if (second === 12) progress.update("apt", "downloading, 5 %");
    if (second === 15) progress.print("a line that stays");
    if (second === 16) progress.end("apt");
  }
  expect(written).toEqual(["CLI: 10 %\n", "a line that stays\n", "CLI: 20 %\n"]);
});

test("in a pipe the line names all that goes on", () => {
  const { written, clock, progress } = recorded();
  progress.update("apt", "downloading, 5 %");
  clock.now = 10_000;
  progress.update("CLI", "4 %");
  expect(written).toEqual(["apt: downloading, 5 %; CLI: 4 %\n"]);
});

test("on a terminal one line is rewritten, never wider than the terminal, and goes when the step ends", () => {
  const { written, progress } = recorded({ isTTY: true, columns: 20 });
  progress.update("CLI", "compiling 1667 packages, 3 %");
  progress.print("apt: done");
  progress.update("CLI", "4 %");
  progress.end("CLI");
  progress.end("CLI");
  progress.print("the end");
  const clear = "\r\x1b[K";
  expect(written).toEqual([
    `${clear}CLI: compiling 1667`,
    `${clear}apt: done\n`,
    `${clear}CLI: compiling 1667`,
    `${clear}CLI: 4 %`,
    clear,
    `${clear}the end\n`,
  ]);
});

test("a terminal that does not know its width gets 79 characters at most", () => {
  const { written, progress } = recorded({ isTTY: true, columns: 0 });
  progress.update("CLI", "x".repeat(100));
  expect(written).toEqual([`\r\x1b[KCLI: ${"x".repeat(74)}`]);
});

test.each([
  [0, 1667, 60_000, "0 %"],
  [40, 1667, 10_000, "2 %"],
  [500, 1667, 86_000, "29 %, about 4 min left"],
  [1600, 1667, 280_000, "95 %, about 20 s left"],
  [1667, 1667, 280_000, "100 %, a few seconds left"],
  [1670, 1667, 280_000, "100 %, a few seconds left"],
  [0, 0, 0, "0 %"],
])("%i of %i packages after %i ms: %s", (done, total, elapsed, text) => {
  expect(describeShare(done, total, elapsed)).toBe(text);
});

test.each([
  ["dlstatus:1:12.5:Retrieving file 2 of 20 (8s remaining)", "downloading, 12 %"],
  ["pmstatus:crun:41.53:Unpacking crun (amd64)", "installing, 41 %"],
  ["pmstatus:libc6:amd64:100:Installed libc6:amd64", "installing, 100 %"],
  ["pmerror:crun:41:dpkg was interrupted", undefined],
  ["media-change:Disc:/media/cdrom/:please", undefined],
])("apt's status line %s: %s", (line, text) => {
  expect(describeStatus(line)).toBe(text);
});
