/** `command:remote:Command`: runs commands over SSH. */
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import type { ClientChannel } from "ssh2";
import type { Properties } from "../../provider/rpc/values.ts";
import { Collector, checkCommon, commandLifecycle, type Output, type Step } from "./command-inputs.ts";
import { checkConnection, readConnection } from "./connection.ts";
import type { Context, Resource } from "./resource.ts";
import { type Session, withSession } from "./ssh.ts";

/** For what the server said last, which ssh2 hands on after the end of the connection. */
const lastWordsMs = 1_000;

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
    const lose = (why: string) => reject(collector.failure(exit || why, step, context));
    channel.on("close", () => {
      if (exit === "") return resolve(collector.finish());
      // A channel that closes without an exit code; what became of the connection says more.
      void Promise.race([session.lost, delay(0, `the connection to ${session.target} was lost`)]).then(lose);
    });
    void session.lost.then(async (why) => {
      if (!context.signal.aborted) await delay(lastWordsMs);
      lose(why);
    });
    channel.end(step.stdin);
  });
}

/** As a shell counts, and as the official provider words it. */
function asStatus(signal: string | undefined): string {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return `${128 + (numbers[signal ?? ""] ?? 0)} from signal ${signal?.replace(/^SIG/, "")}`;
}
