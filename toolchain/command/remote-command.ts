/** `command:remote:Command`: runs commands over SSH. */
import { constants } from "node:os";
import type { ClientChannel } from "ssh2";
import type { Properties } from "../../provider/rpc/values.ts";
import { Collector, checkCommon, commandLifecycle, type Output, type Step } from "./command-inputs.ts";
import { checkConnection, readConnection } from "./connection.ts";
import type { Context, Resource } from "./resource.ts";
import { type Session, withSession } from "./ssh.ts";

export const remoteCommand: Resource = {
  outputs: ["stdout", "stderr"],
  check: (inputs) => [...checkConnection(inputs), ...checkCommon(inputs)],
  ...commandLifecycle(runRemotely),
};

function runRemotely(step: Step, inputs: Properties, context: Context): Promise<Output> {
  return withSession(readConnection(inputs), context, (session) =>
    session.open<Output>((done) => {
      session.client.exec(step.command, { env: step.environment }, (error, channel) => {
        // Listened to at once: beginning and end of a quick command come in one piece.
        done(error, error ? undefined : collectOutput(channel, session, step, inputs, context));
      });
    }),
  );
}

function collectOutput(
  channel: ClientChannel,
  session: Session,
  step: Step,
  inputs: Properties,
  context: Context,
): Promise<Output> {
  const collector = new Collector(inputs, context);
  return new Promise((resolve, reject) => {
    let exit: string | undefined;
    channel.on("data", (chunk: Buffer) => collector.add("stdout", chunk));
    channel.stderr.on("data", (chunk: Buffer) => collector.add("stderr", chunk));
    channel.on("error", () => {}); // a command need not read its input
    channel.on("exit", (code: number | null, signal?: string) => {
      exit = code === 0 ? "" : `Process exited with status ${code === null ? asStatus(signal) : code}`;
    });
    channel.on("close", () => {
      if (exit === "") return resolve(collector.finish());
      const lost = context.signal.aborted ? "cancelled" : `the connection to ${session.target} was lost`;
      reject(collector.failure(exit ?? lost, step, context));
    });
    channel.end(step.stdin);
  });
}

/** As a shell counts, and as the official provider words it. */
function asStatus(signal: string | undefined): string {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return `${128 + (numbers[signal ?? ""] ?? 0)} from signal ${signal?.replace(/^SIG/, "")}`;
}
