/** `command:local:Command`: runs commands on this machine. Globs of assets and archives are not supported. */
import { spawn } from "node:child_process";
import type { Properties } from "../../provider/rpc/values.ts";
import { Collector, checkCommon, commandLifecycle, type Output, type Step } from "./command-inputs.ts";
import { type Context, expectType, type Failure, type Resource } from "./resource.ts";

export const localCommand: Resource = {
  outputs: ["stdout", "stderr"],
  check(inputs): Failure[] {
    const globs = ["assetPaths", "archivePaths"].filter((name) => inputs[name] !== undefined);
    return [
      ...checkCommon(inputs),
      ...expectType(inputs, "dir", "string", false),
      ...globs.map((property) => ({
        property,
        reason: `${property} is not supported by this stand-in for the command provider; install the official plugin`,
      })),
    ];
  },
  ...commandLifecycle(runLocally),
};

function runLocally(step: Step, inputs: Properties, context: Context): Promise<Output> {
  const interpreter = Array.isArray(inputs.interpreter) ? inputs.interpreter.map(String) : [];
  const [program = "/bin/sh", ...leading] = interpreter.length > 0 ? interpreter : ["/bin/sh", "-c"];
  const collector = new Collector(inputs, context);
  return new Promise((resolve, reject) => {
    context.signal.throwIfAborted();
    const child = spawn(program, [...leading, step.command], {
      ...(typeof inputs.dir === "string" ? { cwd: inputs.dir } : {}),
      env: { ...process.env, ...step.environment },
      // A group of its own, so that what the command started ends with it when the engine cancels.
      detached: true,
    });
    const endGroup = () => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    context.signal.addEventListener("abort", endGroup, { once: true });
    process.once("exit", endGroup);
    child.stdout.on("data", (chunk: Buffer) => collector.add("stdout", chunk));
    child.stderr.on("data", (chunk: Buffer) => collector.add("stderr", chunk));
    child.stdin.on("error", () => {}); // a command need not read its input
    child.stdin.end(step.stdin);
    child.on("error", (error) => reject(collector.failure(error.message, step, context)));
    child.on("close", (code, signal) => {
      context.signal.removeEventListener("abort", endGroup);
      process.off("exit", endGroup);
      if (code === 0) return resolve(collector.finish());
      const how = context.signal.aborted
        ? "cancelled"
        : signal === null
          ? `exit status ${code}`
          : `signal: ${signal}`;
      reject(collector.failure(how, step, context));
    });
  });
}
