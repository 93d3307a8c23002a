/**
 * The command that the engine carries out, from the CLI's command line: the engine does not say it to a provider, and one
 * that sees nothing but deletions may be a part of an `up` as well as of a `destroy`.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** Flags that may stand before the command, with their value as a word of its own. */
const flagsWithValue: ReadonlySet<string> = new Set([
  ...["--stack", "-s", "--cwd", "-C", "--color", "--verbose", "-v", "--tracing", "--profiling"],
]);

/** Options by which a command leaves resources untouched. */
const partial = /^(--(target|target-replace|exclude|exclude-protected)(=|$)|-[a-zA-Z]*t)/;
/** The same, as variables that the CLI takes for options. */
const partialVariable = /^PULUMI_OPTION_(TARGET|TARGET_REPLACE|EXCLUDE|EXCLUDE_PROTECTED)$/;

const destroying: ReadonlySet<string> = new Set(["destroy", "dn", "down"]);

/** The arguments that are no flags and no values of flags, e.g. `stack rename live`. */
export function positionals(args: readonly string[]): string[] {
  return args.filter((arg, index) => !arg.startsWith("-") && !flagsWithValue.has(args[index - 1] ?? ""));
}

/** The command among the arguments, e.g. `up` of `--stack prod up --yes`. */
export function commandOf(args: readonly string[]): string | undefined {
  return positionals(args)[0];
}

export function isPartial(
  args: readonly string[],
  environment: Readonly<NodeJS.ProcessEnv> = process.env,
): boolean {
  return (
    args.some((arg) => partial.test(arg)) ||
    Object.entries(environment).some(
      ([name, value]) => partialVariable.test(name) && !["", "false"].includes(value ?? ""),
    )
  );
}

/** Whether the command goes on where something has failed, and leaves what depends on that untouched. */
export function isContinuing(
  args: readonly string[],
  {
    PULUMI_CONTINUE_ON_ERROR: own = "",
    PULUMI_OPTION_CONTINUE_ON_ERROR: option = "",
  }: Readonly<NodeJS.ProcessEnv> = process.env,
): boolean {
  const isGiven = args.some((arg) => /^--continue-on-error(=true)?$/.test(arg));
  return isGiven || [own, option].some((value) => !["", "false"].includes(value));
}

/** Whether the command changes nothing, e.g. `up --help`. */
export function isShowing(
  args: readonly string[],
  { PULUMI_OPTION_PREVIEW_ONLY = "" }: Readonly<NodeJS.ProcessEnv> = process.env,
): boolean {
  return (
    args.some((arg) => /^(-h|--help|--preview-only)(=true)?$/.test(arg)) ||
    !["", "false"].includes(PULUMI_OPTION_PREVIEW_ONLY)
  );
}

/** Whether the whole stack goes. */
export function isWholeDestroy(
  args: readonly string[],
  environment: Readonly<NodeJS.ProcessEnv> = process.env,
): boolean {
  return destroying.has(commandOf(args) ?? "") && !isPartial(args, environment);
}

/** Arguments of the process that started this one; empty where the system does not say. */
export function argumentsOfParent(pid = process.ppid, processes = "/proc"): readonly string[] {
  try {
    return readFileSync(`${processes}/${pid}/cmdline`, "utf8").split("\0").slice(1, -1);
  } catch {
    // Systems without /proc.
  }
  try {
    const options = ["-ww", "-o", "args=", "-p", String(pid)];
    const line = execFileSync("ps", options, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return line.trim().split(/\s+/).slice(1);
  } catch {
    return [];
  }
}
