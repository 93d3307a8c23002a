import { z } from "zod";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { type Context, defineResource } from "../resource.ts";
import { describeLacks, type Facts, facts, lackOfPython, lacksOf, type Need, need } from "./node-facts.ts";
import { nodeScript } from "./node-script.ts";
import { type Connection, connectionInput, openSession } from "./ssh.ts";

const retryPauseMs = 300;

export const nodeReady = defineResource({
  type: "qingcloud:link:NodeReady",
  description:
    "A node that can be worked with: SSH answers with the stack's host key, and what the run needs is installed. Waits until the deadline of `customTimeouts` (10 minutes).",
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
  async read(_context, _id, known) {
    return known;
  },
  update: (context, _id, { news }) => untilReady(context, news),
  async delete() {},
});

interface Wanted {
  readonly connection: Connection;
  readonly needs: readonly Need[];
  readonly directory: string;
}

/** A wrong host key counts as not ready: the image's own is there until the user data has run. */
async function untilReady(context: Context, wanted: Wanted): Promise<Facts> {
  const { host, port } = wanted.connection;
  const started = Date.now();
  for (;;) {
    try {
      return await look(context, wanted);
    } catch (error) {
      if (error instanceof LackError || context.signal.aborted) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      const seconds = Math.round((Date.now() - started) / 1000);
      if (Date.now() > context.deadline) {
        throw new Error(
          `The node at ${host}:${port} was not ready after ${seconds} s: ${reason}. Is its SSH port open in the router's security group (crosszone:operatorCidrs), and has its user data run?`,
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

async function look(context: Context, { connection, needs, directory }: Wanted): Promise<Facts> {
  const session = await openSession(connection, context.signal);
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
