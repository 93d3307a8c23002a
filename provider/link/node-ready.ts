import { z } from "zod";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { messageOf } from "../../qingcloud/errors.ts";
import { type Context, defineResource } from "../resource.ts";
import {
  describeLacks,
  type Facts,
  facts,
  identity,
  lackOfPython,
  lacksOf,
  type Need,
  need,
} from "./node-facts.ts";
import { nodeScript } from "./node-script.ts";
import { type Connection, connectionInput, KeyRefusedError, openSession } from "./ssh.ts";

const retryPauseMs = 300;
/** How long a key that is refused is offered again: a new node may get its keys after its SSH server has started. */
const refusedMs = 60_000;
/** How long a refresh waits for a node that was ready before. */
const lookTimeoutMs = 10_000;

export const nodeReady = defineResource({
  type: "qingcloud:link:NodeReady",
  description:
    "A node that can be worked with: SSH answers with the stack's host key, and what the run needs is installed. Waits until the deadline of `customTimeouts` (10 minutes). A refresh forgets it where the node's system was installed again or the node does not answer: the next `up` waits for it again.",
  inputs: z.strictObject({
    connection: connectionInput.describe("How the node is reached."),
    needs: z
      .array(need)
      .default([])
      .describe(
        "python: by that name; torch; cuda: a PyTorch with CUDA; gpu: with its driver; sudo; docker; nvidia-runtime: GPUs in containers. python3 is always needed.",
      ),
    directory: z
      .string()
      .default(".crosszone")
      .describe("Made in the user's home, for what the run puts there."),
    triggers: z
      .array(z.string())
      .default([])
      .describe("Checked again when one changes, e.g. the instance's id."),
  }),
  outputs: facts,
  replaceOn: [],
  isMeasured: true,
  secrets: ["connection"],

  async create(context, inputs) {
    const outputs = await untilReady(context, inputs);
    return { id: `${inputs.connection.host}:${inputs.connection.port}`, outputs };
  },
  async read({ signal }, _id, known) {
    if (known === undefined || !facts.safeParse(known.outputs).success) return known;
    const outputs = await lookAgain(signal, known.inputs, known.outputs);
    return outputs === undefined ? undefined : { inputs: known.inputs, outputs };
  },
  update: (context, _id, { news }) => untilReady(context, news),
  async delete() {},
});

/**
 * Looks again at a node that was ready before.
 * @returns its facts with its last start; undefined where it is to be made ready again: its system was installed again, or it
 * does not answer
 */
export async function lookAgain(
  cancelled: AbortSignal,
  { connection, directory }: Pick<Wanted, "connection" | "directory">,
  before: Facts,
): Promise<Facts | undefined> {
  if (before.installation === null) return before; // by an earlier version
  const signal = AbortSignal.any([cancelled, AbortSignal.timeout(lookTimeoutMs)]);
  try {
    const session = await openSession(connection, signal);
    try {
      const script = await nodeScript("facts.py", directory, "identity");
      const { stdout } = await session.run("python3 -", script);
      const { installation, boot } = identity.parse(JSON.parse(stdout));
      return installation === before.installation ? { ...before, boot } : undefined;
    } finally {
      session.close();
    }
  } catch {
    cancelled.throwIfAborted();
    return undefined;
  }
}

interface Wanted {
  readonly connection: Connection;
  readonly needs: readonly Need[];
  readonly directory: string;
}

/** A wrong host key counts as not ready: the image's own is there until the user data has run. */
export async function untilReady(
  context: Pick<Context, "signal" | "deadline" | "progress">,
  wanted: Wanted,
  refusedForMs = refusedMs,
): Promise<Facts> {
  const { host, port } = wanted.connection;
  const started = Date.now();
  let refusedAt: number | undefined;
  for (;;) {
    try {
      return await look(context, wanted);
    } catch (error) {
      if (error instanceof LackError || context.signal.aborted) throw error;
      const reason = messageOf(error);
      const seconds = Math.round((Date.now() - started) / 1000);
      refusedAt = error instanceof KeyRefusedError ? (refusedAt ?? Date.now()) : undefined;
      if (refusedAt !== undefined && Date.now() - refusedAt >= refusedForMs) {
        throw new Error(
          `${reason}, for ${Math.round((Date.now() - refusedAt) / 1000)} s: it is the right server, and waiting does not help. Does the image have this user (crosszone:ssh.user), and does ~/.ssh/authorized_keys there hold the stack's key (\`npm run pulumi -- stack output --show-secrets operatorKey\`)?`,
          { cause: error },
        );
      }
      if (Date.now() > context.deadline) {
        throw new Error(
          `The node at ${host}:${port} was not ready after ${seconds} s: ${reason}. Is its SSH port open in the router's security group (crosszone:operatorCidrs), and has its user data run? A node that crashed shows as running: restart it.`,
          { cause: error },
        );
      }
      context.progress(`waiting for SSH at ${host}:${port}: ${seconds} s, ${reason}`);
      await abortableDelay(retryPauseMs, context.signal);
    }
  }
}

/** The node is up, but its image lacks something: waiting does not help. */
class LackError extends Error {
  override readonly name = "LackError";
}

async function look(
  { signal }: Pick<Context, "signal">,
  { connection, needs, directory }: Wanted,
): Promise<Facts> {
  const session = await openSession(connection, signal);
  try {
    const { stdout, stderr, code } = await session.run("python3 -", await nodeScript("facts.py", directory));
    const node = `The node at ${connection.host}:${connection.port}`;
    if (code === 127) throw new LackError(describeLacks(node, [lackOfPython], needs, undefined));
    if (code !== 0)
      throw new Error(`${node} could not be looked at: ${stderr.trim() || `exit code ${code}`}`);
    const found = facts.parse(JSON.parse(stdout));
    const lacks = lacksOf(needs, found);
    if (lacks.length > 0) throw new LackError(describeLacks(node, lacks, needs, found));
    return found;
  } finally {
    session.close();
  }
}
