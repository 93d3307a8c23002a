/** What the local and the remote command have in common. */
import { type Properties, unknownValue } from "../../provider/rpc/values.ts";
import { LineSplitter } from "./engine.ts";
import { type Context, expectType, type Failure } from "./resource.ts";

const loggings: readonly unknown[] = ["stdout", "stderr", "stdoutAndStderr", "none"];
const shownOutput = 16 * 1024;

export type Output = { readonly stdout: string; readonly stderr: string };

/** One command to run, wherever it runs. */
export interface Step {
  readonly command: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin: string;
}

/** Checks the inputs that both commands have. */
export function checkCommon(inputs: Properties): Failure[] {
  const failures = [
    ...["create", "update", "delete", "stdin"].flatMap((name) => expectType(inputs, name, "string", false)),
    ...expectType(inputs, "environment", "object", false),
  ];
  const { logging } = inputs;
  if (logging !== undefined && logging !== unknownValue && !loggings.includes(logging)) {
    failures.push({
      property: "logging",
      reason: `logging is ${logging}; allowed are ${loggings.join(", ")}`,
    });
  }
  return failures;
}

/** The step for a command; the previous output goes along in its environment unless the inputs say otherwise. */
export function stepFor(command: string, inputs: Properties, previous: Properties): Step {
  const environment = Object.fromEntries(
    Object.entries((inputs.environment ?? {}) as Properties).map(([name, value]) => [name, String(value)]),
  );
  if (inputs.addPreviousOutputInEnv !== false) {
    if (previous.stdout) environment.PULUMI_COMMAND_STDOUT = String(previous.stdout);
    if (previous.stderr) environment.PULUMI_COMMAND_STDERR = String(previous.stderr);
  }
  return { command, environment, stdin: typeof inputs.stdin === "string" ? inputs.stdin : "" };
}

/** Runs one step; throws unless it ends with exit code 0. */
export type Run = (step: Step, inputs: Properties, context: Context) => Promise<Output>;

/** Create, update and delete of a command, given how a step is run. */
export function commandLifecycle(run: Run) {
  const runIfGiven = async (command: unknown, inputs: Properties, previous: Properties, context: Context) => {
    if (typeof command === "string") return run(stepFor(command, inputs, previous), inputs, context);
    return { stdout: previous.stdout ?? "", stderr: previous.stderr ?? "" };
  };
  return {
    create: (inputs: Properties, context: Context) => runIfGiven(inputs.create, inputs, {}, context),
    update: (inputs: Properties, state: Properties, context: Context) =>
      runIfGiven(inputs.update ?? inputs.create, inputs, state, context),
    delete: async (state: Properties, context: Context) => {
      await runIfGiven(state.delete, state, state, context);
    },
  };
}

/** Collects what a command prints, and shows it live as far as `logging` allows. */
export class Collector {
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly #both: Buffer[] = [];
  readonly #shown: { stdout: LineSplitter | undefined; stderr: LineSplitter | undefined };

  constructor(inputs: Properties, context: Context) {
    const logging = inputs.logging ?? "stdoutAndStderr";
    const splitter = () => new LineSplitter((line) => context.log.line(context.redact(line)));
    this.#shown = {
      stdout: logging === "stdout" || logging === "stdoutAndStderr" ? splitter() : undefined,
      stderr: logging === "stderr" || logging === "stdoutAndStderr" ? splitter() : undefined,
    };
  }

  add(stream: "stdout" | "stderr", chunk: Buffer): void {
    (stream === "stdout" ? this.#stdout : this.#stderr).push(chunk);
    this.#both.push(chunk);
    this.#shown[stream]?.push(chunk);
  }

  /** The whole output, one line end taken off as the official provider does. */
  finish(): Output {
    this.#shown.stdout?.end();
    this.#shown.stderr?.end();
    const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8").replace(/\n$/, "");
    return { stdout: text(this.#stdout), stderr: text(this.#stderr) };
  }

  /** The error for a step that failed: how, which command, and the end of its output, without secrets. */
  failure(how: string, step: Step, context: Context): Error {
    this.finish();
    const output = Buffer.concat(this.#both);
    const end = output.subarray(Math.max(0, output.length - shownOutput)).toString("utf8");
    const leftOut =
      output.length > shownOutput ? `(the first ${output.length - shownOutput} bytes are left out)\n` : "";
    return new Error(context.redact(`${how}: running ${JSON.stringify(step.command)}:\n${leftOut}${end}`));
  }
}
