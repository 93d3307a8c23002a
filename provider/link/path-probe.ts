/** Both directions between two nodes, as path_check.py on them finds them. */
import { z } from "zod";
import type { Context } from "../resource.ts";
import { nodeScript } from "./node-script.ts";
import { type Connection, openSession, type Session } from "./ssh.ts";

export interface Side {
  readonly connection: Connection;
  /** Private address. */
  readonly address: string;
}

const route = z.object({ via: z.string().nullable(), error: z.string().nullable() });

/** What path_check.py says of a path. */
export const probed = z.object({
  reachable: z.boolean(),
  rttMs: z.number().nullable(),
  lossPercent: z.number().nullable(),
  /** Largest packet that passes, bytes. */
  mtu: z.number().nullable(),
  /** Whether the path says so to senders of larger ones. */
  isTold: z.boolean(),
  isTraining: z.boolean(),
  route: route.nullish(),
  goodputMbps: z.number().nullish(),
  error: z.object({ code: z.string(), message: z.string() }).nullish(),
});

const serving = z.object({
  port: z.number(),
  echoPort: z.number(),
  isTraining: z.boolean(),
  route: route.nullable(),
});

export type Probed = z.output<typeof probed> & {
  readonly from: string;
  readonly to: string;
  /** By which way the other node would answer. */
  readonly routeBack: z.output<typeof route> | null;
};

export interface Effort {
  readonly mtu: number;
  readonly pings: number;
  /** Of bulk transfer. */
  readonly seconds: number;
  /** Whether a larger packet than `mtu` is looked for. */
  readonly isThorough: boolean;
}

/** Probes one direction, then the other unless the first has failed. While a training runs no bulk is sent. */
export async function probeBothWays(
  context: Context,
  [one, other]: readonly [Side, Side],
  effort: Effort,
): Promise<readonly Probed[]> {
  const sessions: Session[] = [];
  try {
    for (const { connection } of [one, other]) {
      sessions.push(await openSession(connection, context.signal));
    }
    const [ofOne, ofOther] = sessions as [Session, Session];
    const forth = await probe([one, ofOne], [other, ofOther], effort);
    if (forth.error != null) return [forth];
    return [forth, await probe([other, ofOther], [one, ofOne], effort)];
  } finally {
    for (const session of sessions) session.close();
  }
}

/** One direction. */
export async function probe(
  [from, client]: readonly [Pick<Side, "address">, Session],
  [to, server]: readonly [Pick<Side, "address">, Session],
  { mtu, pings, seconds, isThorough }: Effort,
): Promise<Probed> {
  const serve = { role: "serve", bindAddress: to.address, peer: from.address, maxSeconds: 60 + seconds };
  const { firstLine, finished } = server.start("python3 -", await nodeScript("path_check.py", serve));
  const { port, echoPort, isTraining, route: routeBack } = serving.parse(JSON.parse(await firstLine));
  const argument = { role: "probe", peer: to.address, echoPort, mtu, pings, isThorough };
  const asked = await client.run(
    "python3 -",
    await nodeScript("path_check.py", { ...argument, port, seconds: isTraining ? 0 : seconds }),
  );
  if (asked.code !== 0) {
    throw new Error(
      `The path check on ${from.address} failed: ${asked.stderr.trim() || `exit code ${asked.code}`}`,
    );
  }
  const found = probed.parse(JSON.parse(asked.stdout));
  // One that nobody has sent to waits for its deadline; it ends with its session.
  if (found.goodputMbps != null) await finished;
  return {
    ...found,
    isTraining: isTraining || found.isTraining,
    from: from.address,
    to: to.address,
    routeBack,
  };
}
