import { z } from "zod";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { type Context, defineResource } from "../resource.ts";
import { nodeScript } from "./node-script.ts";
import { type Connection, connectionInput, openSession } from "./ssh.ts";

const need = z.enum(["torch", "gpu", "sudo", "docker"]);

const facts = z.object({
  python: z.string().describe("Version of python3."),
  torch: z.string().nullable().describe("Version of PyTorch, or null."),
  gpus: z.number().int().describe("GPUs that nvidia-smi lists."),
  sudo: z.boolean().describe("Whether the user may become root without a password."),
  docker: z.boolean().describe("Whether there is a container runtime, by the command docker."),
});

const retryPauseMs = 300;
const loginTimeoutMs = 15_000;

export const nodeReady = defineResource({
  type: "qingcloud:link:NodeReady",
  description:
    "A node that can be worked with: SSH answers with the stack's host key, and what the run needs is installed. Waits until the deadline of `customTimeouts` (10 minutes).",
  inputs: z.strictObject({
    connection: connectionInput.describe("How the node is reached."),
    needs: z.array(need).default([]).describe("torch, gpu, sudo, docker; python3 is always needed."),
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
  readonly needs: readonly z.output<typeof need>[];
  readonly directory: string;
}

/** A wrong host key counts as not ready: the image's own is there until the user data has run. */
async function untilReady(context: Context, wanted: Wanted): Promise<z.output<typeof facts>> {
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

async function look(
  context: Context,
  { connection, needs, directory }: Wanted,
): Promise<z.output<typeof facts>> {
  const session = await openSession(connection, loginTimeoutMs, context.signal);
  try {
    const { stdout, stderr, code } = await session.run("python3 -", await nodeScript("facts.py", directory));
    const node = `The node at ${connection.host}:${connection.port}`;
    if (code === 127)
      throw new LackError(`${node} has no python3. Choose an image with Python 3.8 or newer.`);
    if (code !== 0)
      throw new Error(`${node} could not be looked at: ${stderr.trim() || `exit code ${code}`}`);
    const found = facts.parse(JSON.parse(stdout));
    const has = { torch: found.torch !== null, gpu: found.gpus > 0, sudo: found.sudo, docker: found.docker };
    const lacking = needs.filter((name) => !has[name]);
    if (lacking.length > 0) {
      throw new LackError(
        `${node} lacks ${lacking.join(", ")} (it has Python ${found.python}, PyTorch ${found.torch ?? "none"}, ${found.gpus} GPUs). Choose an image that has it (crosszone:zones[].imageId).`,
      );
    }
    return found;
  } finally {
    session.close();
  }
}
