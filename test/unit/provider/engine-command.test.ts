import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";
import {
  argumentsOfParent,
  commandOf,
  isContinuing,
  isPartial,
  isShowing,
  isWholeDestroy,
  positionals,
} from "../../../provider/engine-command.ts";

test("the command is the first word that is no flag and no flag's value", () => {
  expect(commandOf(["--cwd", "config", "--tracing", "up", "destroy", "--yes"])).toBe("destroy");
  expect(commandOf(["--version"])).toBeUndefined();
  expect(positionals(["-s", "dev", "stack", "--yes", "rename", "live"])).toEqual(["stack", "rename", "live"]);
});

test.each([
  ["destroy --yes --skip-preview", true],
  ["-s up destroy", true],
  ["dn", true],
  ["down --stack dev", true],
  ["destroy --target URN", false],
  ["destroy -tURN", false],
  ["destroy -yt URN", false],
  ["destroy --exclude-protected", false],
  ["destroy --exclude=URN", false],
  ["up --stack destroy", false],
  ["-s destroy up", false],
  ["", false],
])("pulumi %s is a destroy of the whole stack: %j", (line, isWhole) => {
  expect(isWholeDestroy(line.split(" ").filter((word) => word !== ""))).toBe(isWhole);
});

test.each([
  ["up --help", true],
  ["destroy -h", true],
  ["destroy --preview-only", true],
  ["up --yes", false],
])("pulumi %s only shows something: %j", (line, answer) => {
  expect(isShowing(line.split(" "), {})).toBe(answer);
});

test("options that are variables count, too", () => {
  expect(isWholeDestroy(["destroy"], { PULUMI_OPTION_TARGET: "URN" })).toBe(false);
  expect(isWholeDestroy(["destroy"], { PULUMI_OPTION_YES: "true" })).toBe(true);
  expect(isPartial(["up"], { PULUMI_OPTION_EXCLUDE: "URN" })).toBe(true);
  for (const none of [{}, { PULUMI_OPTION_TARGET: "" }, { PULUMI_OPTION_TARGET_DEPENDENTS: "true" }])
    expect(isPartial(["up"], none)).toBe(false);
  expect(isShowing(["up"], { PULUMI_OPTION_PREVIEW_ONLY: "true" })).toBe(true);
  expect(isShowing(["up"], { PULUMI_OPTION_PREVIEW_ONLY: "false" })).toBe(false);
});

test("a command goes on after errors by its option or the CLI's variables for it", () => {
  expect(isContinuing(["up", "--yes"], {})).toBe(false);
  expect(isContinuing(["up", "--continue-on-error=false"], {})).toBe(false);
  expect(isContinuing(["up", "--continue-on-error"], {})).toBe(true);
  for (const name of ["PULUMI_CONTINUE_ON_ERROR", "PULUMI_OPTION_CONTINUE_ON_ERROR"]) {
    expect(isContinuing(["up"], { [name]: "true" })).toBe(true);
    expect(isContinuing(["up"], { [name]: "false" })).toBe(false);
  }
});

test.each(["/proc", "/nonexistent"])(
  "the arguments of a process are found, with its processes in %s",
  async (processes) => {
    const child = spawn("sleep", ["60"]);
    try {
      await once(child, "spawn");
      expect(argumentsOfParent(child.pid, processes)).toEqual(["60"]);
    } finally {
      child.kill();
      await once(child, "exit");
    }
  },
);
