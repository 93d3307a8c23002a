import { z } from "zod";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { type Context, defineResource } from "../resource.ts";
import { nodeScript } from "./node-script.ts";
import { type Connection, connectionInput, openSession } from "./ssh.ts";
import { inTurn } from "./turns.ts";

const side = z.strictObject({
  connection: connectionInput.describe("How the node is reached."),
  address: z.ipv4().describe("Its private address."),
});

const outputs = z.object({
  up: z.boolean().describe("Whether each node reaches the other with full-size packets."),
  rttMs: z.number().describe("Mean round-trip time of full-size packets, milliseconds."),
  goodputMbps: z.number().describe("What TCP carries, Mbit/s, the slower of the two directions."),
  mtu: z.number().int().describe("Size of the packets that were sent, bytes."),
});

/** What path_check.py says of a path. */
export const probed = z.object({
  reachable: z.boolean(),
  rttMs: z.number().nullable(),
  lossPercent: z.number().nullable(),
  fullSizePasses: z.boolean(),
  goodputMbps: z.number().nullish(),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
});

type Probed = z.output<typeof probed>;

/** Seconds of bulk transfer and number of pings in each direction. */
const effort = { quick: { seconds: 1, pings: 3 }, full: { seconds: 5, pings: 20 } } as const;
const loginTimeoutMs = 15_000;
const retryPauseMs = 300;
/** A new tunnel takes seconds to negotiate; one that does not answer for this long is broken. */
const patienceMs = 60_000;

export const pathCheck = defineResource({
  type: "qingcloud:link:PathCheck",
  description:
    "Proves that two nodes reach each other through the tunnel with full-size packets, in both directions, and measures it. Fails with the reason where they do not: no answer, or a packet size that does not pass (which would let training hang).",
  inputs: z.strictObject({
    from: side.describe("One node."),
    to: side.describe("The other node."),
    mtu: z.number().int().min(576).max(9000).describe("Largest packet that must pass unfragmented, bytes."),
    effort: z
      .enum(["quick", "full"])
      .default("quick")
      .describe("1 s or 5 s of bulk transfer in each direction."),
    triggers: z.array(z.string()).default([]).describe("Checked again when one changes, e.g. a tunnel's id."),
  }),
  outputs,
  replaceOn: [],
  isMeasured: true,
  secrets: ["from", "to"],

  async create(context, inputs) {
    return { id: `${inputs.from.address}-${inputs.to.address}`, outputs: await check(context, inputs) };
  },
  async read(_context, _id, known) {
    return known;
  },
  update: (context, _id, { news }) => check(context, news),
  async delete() {},
});

interface Side {
  readonly connection: Connection;
  readonly address: string;
}

interface Wanted {
  readonly from: Side;
  readonly to: Side;
  readonly mtu: number;
  readonly effort: keyof typeof effort;
}

async function check(context: Context, wanted: Wanted): Promise<z.output<typeof outputs>> {
  const forth = await untilPassing(context, wanted.from, wanted.to, wanted);
  const back = await untilPassing(context, wanted.to, wanted.from, wanted);
  return {
    up: true,
    rttMs: forth.rttMs ?? 0,
    goodputMbps: Math.min(forth.goodputMbps ?? 0, back.goodputMbps ?? 0),
    mtu: wanted.mtu,
  };
}

/** Only silence is waited out: a size that does not pass, or a closed port, is a fault at once. */
async function untilPassing(context: Context, from: Side, to: Side, wanted: Wanted): Promise<Probed> {
  // At the same time, paths of one EIP would each measure a part of its bandwidth.
  const routers = [from, to].map(({ connection }) => connection.host);
  let spentMs = 0;
  for (;;) {
    const found = await inTurn(routers, async () => {
      context.signal.throwIfAborted();
      const began = Date.now();
      const answer = await probe(context, from, to, wanted);
      spentMs += Date.now() - began + retryPauseMs;
      return answer;
    });
    if (found.error == null && found.fullSizePasses) return found;
    const reason = found.error?.message ?? `packets of ${wanted.mtu} bytes do not pass`;
    if (found.reachable || spentMs > patienceMs || Date.now() > context.deadline) {
      throw new Error(
        `The path from ${from.address} to ${to.address} does not carry training: ${reason}. Look at the tunnel of both routers (networks, pre-shared key, peer address), at their security groups (from the peer's EIP, or over a zone's intranet its private address: UDP 500, UDP 4500 and esp for IPSec, gre for GRE), and whether both routers were updated.`,
      );
    }
    context.progress(`waiting for the path from ${from.address} to ${to.address}: ${reason}`);
    await abortableDelay(retryPauseMs, context.signal);
  }
}

async function probe(context: Context, from: Side, to: Side, wanted: Wanted): Promise<Probed> {
  const { seconds, pings } = effort[wanted.effort];
  const server = await openSession(to.connection, loginTimeoutMs, context.signal);
  try {
    const client = await openSession(from.connection, loginTimeoutMs, context.signal);
    try {
      const serve = { role: "serve", bindAddress: to.address, maxSeconds: 60 + seconds };
      const serving = server.start("python3 -", await nodeScript("path_check.py", serve));
      const { port } = z.object({ port: z.number() }).parse(JSON.parse(await serving.firstLine));
      const argument = { role: "probe", peer: to.address, port, mtu: wanted.mtu, seconds, pings };
      const { stdout, stderr, code } = await client.run(
        "python3 -",
        await nodeScript("path_check.py", argument),
      );
      if (code !== 0)
        throw new Error(`The path check on ${from.address} failed: ${stderr.trim() || `exit code ${code}`}`);
      return probed.parse(JSON.parse(stdout));
    } finally {
      client.close();
    }
  } finally {
    server.close();
  }
}
