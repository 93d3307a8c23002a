import { z } from "zod";
import { abortableDelay } from "../../qingcloud/delay.ts";
import { messageOf } from "../../qingcloud/errors.ts";
import { type Context, defineResource } from "../resource.ts";
import { type Cause, diagnose, diagnoseBandwidth, diagnoseRoutes } from "./diagnosis.ts";
import { failure, slowness, withCauses } from "./path-messages.ts";
import { type Effort, type Probed, probeBothWays } from "./path-probe.ts";
import { connectionInput } from "./ssh.ts";
import { lookAtTunnel, type TunnelFacts, tunnelInput } from "./tunnel-facts.ts";
import { inTurn } from "./turns.ts";

const side = z.strictObject({
  connection: connectionInput.describe("How the node is reached."),
  address: z.ipv4().describe("Its private address."),
});

const outputs = z.object({
  up: z.boolean().describe("Whether each node reaches the other with whole packets."),
  rttMs: z.number().describe("Least round-trip time of full-size packets, milliseconds."),
  lossPercent: z.number().describe("Small packets that were not answered, per cent, the worse direction."),
  goodputMbps: z
    .number()
    .nullable()
    .describe(
      "What TCP carries, Mbit/s, the slower of the two directions; null where a training was under way, which it would disturb.",
    ),
  mtu: z.number().int().describe("Largest packet that passes in both directions, bytes."),
});

/** Of each direction. */
const efforts: Record<"quick" | "full", Omit<Effort, "mtu">> = {
  quick: { seconds: 0.8, pings: 3, isThorough: false },
  full: { seconds: 5, pings: 20, isThorough: true },
};
const retryPauseMs = 300;
/** A new tunnel takes seconds to negotiate; one that does not answer for this long is broken. */
const patienceMs = 60_000;
/** Below this part of what the headers leave of the purchase, something is wrong. */
const leastShare = 0.5;
/** What Linux lets a sender have under way by itself: more than that in a round trip can not be expected of it. */
const senderBits = 4 * 2 ** 20 * 8;

const inputs = z.strictObject({
  from: side.describe("One node."),
  to: side.describe("The other node."),
  mtu: z
    .number()
    .int()
    .min(576)
    .max(1500)
    .describe(
      "Packet that should pass unfragmented, bytes. On a path that tells senders of less, less is found.",
    ),
  effort: z
    .enum(["quick", "full"])
    .default("quick")
    .describe(
      "0.8 s or 5 s of bulk transfer in each direction; full also looks for a larger packet that passes.",
    ),
  tunnels: z
    .array(tunnelInput)
    .default([])
    .describe("On the way: what is wrong with them is looked for where packets do not pass."),
  expectedMbps: z
    .number()
    .positive()
    .optional()
    .describe(
      "What TCP should carry by what was bought, Mbit/s. Half of it is too little: full fails, quick warns, and fails where it finds the cause.",
    ),
  triggers: z.array(z.string()).default([]).describe("Checked again when one changes, e.g. a tunnel's id."),
});
type Wanted = z.output<typeof inputs>;

export const pathCheck = defineResource({
  type: "qingcloud:link:PathCheck",
  description:
    "Proves that two nodes reach each other through the tunnel with full-size packets, in both directions, and measures it. Where they do not, it looks at both ends by the API, and fails with what is wrong and what to do.",
  inputs,
  outputs,
  replaceOn: [],
  isMeasured: true,
  // A state of before they were inputs: they alone are no reason to check again.
  isSame: (property, { inputs: { tunnels, expectedMbps } }) =>
    (property === "tunnels" && tunnels === undefined) ||
    (property === "expectedMbps" && expectedMbps === undefined),
  secrets: ["from", "to"],

  async create(context, given) {
    return { id: `${given.from.address}-${given.to.address}`, outputs: await check(context, given) };
  },
  async read(_context, _id, known) {
    return known;
  },
  update: (context, _id, { news }) => check(context, news),
  async delete() {},
});

type Measured = z.output<typeof outputs>;

async function check(context: Context, wanted: Wanted): Promise<Measured> {
  const found = await untilPassing(context, wanted);
  return await judged(context, wanted, {
    up: true,
    rttMs: found[0]?.rttMs ?? 0,
    lossPercent: Math.max(...found.map(({ lossPercent }) => lossPercent ?? 0)),
    goodputMbps: slower(found),
    mtu: Math.min(...found.map(({ mtu }) => mtu ?? wanted.mtu)),
  });
}

/** Null where one direction was not measured. */
function slower(found: readonly Probed[]): number | null {
  const goodputs = found.flatMap(({ goodputMbps }) => goodputMbps ?? []);
  return goodputs.length < found.length ? null : Math.min(...goodputs);
}

/** Only silence is waited out, as long as both ends look right: what is wrong there, a size that does not pass or a closed port is a fault at once. */
async function untilPassing(context: Context, wanted: Wanted): Promise<readonly Probed[]> {
  let spentMs = 0;
  let before: readonly Cause[] = [];
  for (;;) {
    const began = Date.now();
    const found = await probeInTurn(context, wanted, efforts[wanted.effort]).catch(async (error: unknown) =>
      unreached(error, await causesOf(context, wanted)),
    );
    const failed = found.find(({ error }) => error != null);
    if (failed === undefined) return found;
    const causes = failed.reachable ? [] : await causesOf(context, wanted, failed);
    spentMs += Date.now() - began;
    // Seen twice: the router may be at work for someone else.
    const certain = causes.filter(({ what }) => before.some((cause) => cause.what === what));
    before = causes;
    const isLast = failed.reachable || spentMs > patienceMs || Date.now() > context.deadline;
    if (isLast || certain.length > 0)
      throw new Error(failure(failed, wanted.tunnels, isLast ? causes : certain));
    context.progress(
      `waiting for the path from ${failed.from} to ${failed.to}: ${failed.error?.message ?? "no answer"}`,
    );
    await abortableDelay(retryPauseMs, context.signal);
  }
}

/** At the same time, paths of one EIP would each measure a part of its bandwidth. */
function probeInTurn(
  context: Context,
  { from, to, mtu }: Wanted,
  effort: Omit<Effort, "mtu">,
): Promise<readonly Probed[]> {
  return inTurn([from.connection.host, to.connection.host], () => {
    context.signal.throwIfAborted();
    return probeBothWays(context, [from, to], { ...effort, mtu });
  });
}

function lookAtTunnels(context: Context, { tunnels }: Wanted): Promise<TunnelFacts[]> {
  return Promise.all(tunnels.map((tunnel) => lookAtTunnel(context, tunnel)));
}

/** @param failed absent where not even the nodes were reached */
async function causesOf(context: Context, wanted: Wanted, failed?: Probed): Promise<Cause[]> {
  context.signal.throwIfAborted();
  const tunnels = await lookAtTunnels(context, wanted);
  const { from = "", to = "", route, routeBack } = failed ?? {};
  const routes = [
    ...(route ? [{ address: from, peer: to, ...route }] : []),
    ...(routeBack ? [{ address: to, peer: from, ...routeBack }] : []),
  ];
  return [
    ...tunnels.flatMap(diagnose),
    ...diagnoseRoutes(
      routes,
      tunnels.flatMap(({ ends }) => ends),
    ),
  ];
}

/** A node that can not be logged in to: its router may be why. */
function unreached(error: unknown, causes: readonly Cause[]): never {
  if (causes.length === 0) throw error;
  throw new Error(withCauses(`The path could not be checked: ${messageOf(error)}.`, causes), {
    cause: error,
  });
}

/** A quick look that finds too little looks longer before it says so. */
async function judged(context: Context, wanted: Wanted, first: Measured): Promise<Measured> {
  const { expectedMbps = 0, effort } = wanted;
  const isLow = ({ goodputMbps, rttMs }: Measured) =>
    goodputMbps !== null &&
    goodputMbps < leastShare * Math.min(expectedMbps, senderBits / (1000 * Math.max(rttMs, 1)));
  if (!isLow(first)) return first;
  const measured =
    effort === "full"
      ? first
      : {
          ...first,
          goodputMbps: slower(await probeInTurn(context, wanted, { ...efforts.full, isThorough: false })),
        };
  if (!isLow(measured)) return measured;
  const causes = diagnoseBandwidth(await lookAtTunnels(context, wanted));
  const message = slowness(wanted, measured, causes);
  if (causes.length > 0 || effort === "full") throw new Error(message);
  context.warn(message);
  return measured;
}
