import { z } from "zod";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { type Context, defineResource } from "../resource.ts";
import { nodeScript } from "./node-script.ts";
import { probed } from "./path-probe.ts";
import { connectionInput, openSession } from "./ssh.ts";

const retryPauseMs = 300;
const pings = 2;
/** Where a path is checked between others before, what is silent for this long stays so. */
const patienceMs = 30_000;

const inputs = z.strictObject({
  connection: connectionInput.describe("How the node is reached."),
  peers: z
    .array(
      z.strictObject({
        address: z.ipv4().describe("A node's private address."),
        mtu: z
          .number()
          .int()
          .min(576)
          .max(9000)
          .describe("Largest packet that must pass unfragmented, bytes."),
      }),
    )
    .min(1)
    .describe("Whom it must reach, e.g. one node of every other zone."),
  triggers: z.array(z.string()).default([]).describe("Checked again when one changes, e.g. a tunnel's id."),
});

export const reachCheck = defineResource({
  type: "qingcloud:link:ReachCheck",
  description:
    "Proves that a node reaches others with full-size packets: its routes are there, and nothing between them drops what it sends. Fails with every one that it does not reach.",
  inputs,
  outputs: z.object({ rttMs: z.number().describe("Least round-trip time to the farthest, milliseconds.") }),
  replaceOn: [],
  isMeasured: true,
  secrets: ["connection"],

  async create(context, given) {
    const { host, port } = given.connection;
    return { id: `${host}:${port}`, outputs: await untilReached(context, given) };
  },
  async read(_context, _id, known) {
    return known;
  },
  update: (context, _id, { news }) => untilReached(context, news),
  async delete() {},
});

type Wanted = z.output<typeof inputs>;
const reached = z.object({ peers: z.array(probed.extend({ peer: z.string() })) });

/** Only silence is waited out: a size that does not pass is a fault at once. */
async function untilReached(context: Context, wanted: Wanted): Promise<{ rttMs: number }> {
  const node = `${wanted.connection.host}:${wanted.connection.port}`;
  const deadline = Math.min(context.deadline, Date.now() + patienceMs);
  for (;;) {
    const { peers } = await look(context, wanted);
    const failed = peers.filter(({ error }) => error != null);
    if (failed.length === 0) return { rttMs: Math.max(...peers.map(({ rttMs }) => rttMs ?? 0)) };
    const reasons = failed.map(({ peer, error }) => error?.message ?? peer);
    if (failed.some(({ reachable }) => reachable) || Date.now() > deadline) {
      throw new Error(
        `The node at ${node} does not reach ${failed.length} of ${peers.length} nodes of other zones: ${reasons.join("; ")}. Compare its routes (\`ip route\`) with those of a node that does; its user data sets them at every boot.`,
      );
    }
    context.progress(`waiting until the node at ${node} reaches others: ${reasons[0]}`);
    await abortableDelay(retryPauseMs, context.signal);
  }
}

async function look(context: Context, { connection, peers }: Wanted): Promise<z.output<typeof reached>> {
  const session = await openSession(connection, context.signal);
  try {
    const argument = { role: "reach", peers, pings };
    const { stdout, stderr, code } = await session.run(
      "python3 -",
      await nodeScript("path_check.py", argument),
    );
    if (code !== 0) {
      throw new Error(
        `The check on ${connection.host}:${connection.port} failed: ${stderr.trim() || `exit code ${code}`}`,
      );
    }
    return reached.parse(JSON.parse(stdout));
  } finally {
    session.close();
  }
}
