/** Two zones of the local cloud joined by a tunnel, a node in each: what is measured there is what a user's ranks get. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { goodputShare } from "../../infra/plan/goodput.ts";
import { messagesOf, tune } from "../../infra/plan/tuning.ts";
import { mtus } from "../../infra/plan/tunnels.ts";
import { syncOptions } from "../../infra/training/sync.ts";
import { probe } from "../../provider/link/path-probe.ts";
import { connectionInput, openSession, type Session } from "../../provider/link/ssh.ts";
import { resourcesIn, revealed } from "../../scripts/dev/run/state.ts";
import { root } from "../harness/process.ts";
import { Stack, up } from "../harness/stack.ts";
import type { Kind } from "./link-metrics.ts";

const scripts = join(root, "scripts", "train");
/** In the home of a node's user. */
const folder = "bench";
/** The largest EIP there is: what the machine gives. */
const unlimitedMbps = 1000;

const outputs = z.object({
  zones: z.array(
    z.object({
      zoneId: z.string(),
      publicIp: z.string(),
      nodes: z.array(z.object({ privateIp: z.string() })),
    }),
  ),
  tunnels: z.tuple([z.object({ rttMs: z.number() })]),
});
const eips = z.object({ eip_set: z.array(z.object({ eip_id: z.string(), eip_addr: z.string() })) });
const reachable = z.object({ connection: connectionInput });

/** A line of a rank's metrics that tells of a step. */
const step = z.object({
  event: z.literal("step"),
  seconds: z.number(),
  gradientBytes: z.number(),
  sentBytes: z.number(),
});
const result = z.looseObject({ heldOutLoss: z.number() });

export interface TrainingRun {
  readonly script: string;
  readonly steps: number;
  readonly args: readonly string[];
}

export interface Trained {
  /** Of rank 0. */
  readonly steps: readonly z.output<typeof step>[];
  readonly heldOutLoss: number;
}

interface BenchNode {
  readonly session: Session;
  readonly address: string;
}

export class LinkedNodes {
  readonly #kind: Kind;
  readonly #stack: Stack;
  readonly #nodes: readonly [BenchNode, BenchNode];
  readonly #eips: readonly { zone: string; address: string }[];
  readonly #rttMs: number;
  #mbps = 0;

  private constructor(
    kind: Kind,
    stack: Stack,
    nodes: readonly [BenchNode, BenchNode],
    eips: readonly { zone: string; address: string }[],
    rttMs: number,
  ) {
    this.#kind = kind;
    this.#stack = stack;
    this.#nodes = nodes;
    this.#eips = eips;
    this.#rttMs = rttMs;
  }

  static async start(kind: Kind, signal: AbortSignal): Promise<LinkedNodes> {
    const stack = await Stack.start("instant", "--data-plane", "linux");
    try {
      await stack.ok("config", "set", "--path", "crosszone:tunnel.kind", kind);
      await stack.ok("config", "set", "--path", "crosszone:tunnel.allowUnencrypted", String(kind === "gre"));
      await stack.ok("config", "set", "--path", "crosszone:tunnel.check", "quick");
      await stack.ok(...up);
      const { zones, tunnels } = outputs.parse(JSON.parse(await stack.ok("stack", "output", "--json")));
      const connections = await connectionsOf(stack);
      const [one, other] = await Promise.all(
        zones.map(async ({ publicIp, nodes }): Promise<BenchNode> => {
          const connection = connections.find(({ host }) => host === publicIp);
          const address = nodes[0]?.privateIp;
          if (connection === undefined || address === undefined) throw new Error(`no node at ${publicIp}`);
          const session = await openSession(connection, signal);
          await upload(session);
          return { session, address };
        }),
      );
      if (one === undefined || other === undefined) throw new Error("the stack has no two zones");
      const eips = zones.map(({ zoneId, publicIp }) => ({ zone: zoneId, address: publicIp }));
      return new LinkedNodes(kind, stack, [one, other], eips, tunnels[0].rttMs);
    } catch (error) {
      await stack.remove();
      throw error;
    }
  }

  /** Gives both EIPs a bandwidth, Mbit/s; absent: all that there is. */
  async setRate(mbps: number = unlimitedMbps): Promise<void> {
    const { client } = this.#stack.cloud;
    this.#mbps = mbps;
    for (const { zone, address } of this.#eips) {
      const { eip_set } = eips.parse(await client.ok("DescribeEips", { zone }));
      const id = eip_set.find(({ eip_addr }) => eip_addr === address)?.eip_id ?? "";
      await client.done("ChangeEipsBandwidth", { zone, "eips.1": id, bandwidth: String(mbps) });
    }
  }

  /** What TCP carries from the second node to the first, Mbit/s. */
  async goodput(seconds: number): Promise<number> {
    const [server, client] = this.#nodes;
    const effort = { mtu: mtus[this.#kind], pings: 1, seconds, isThorough: false };
    const { goodputMbps, error } = await probe([client, client.session], [server, server.session], effort);
    if (goodputMbps == null)
      throw new Error(`the probe of the link failed: ${error?.message ?? "no goodput"}`);
    return goodputMbps;
  }

  /** Runs a script of scripts/train on both nodes, one rank each. @throws Error with the end of the log of a rank that fails */
  async train(run: TrainingRun): Promise<Trained> {
    const [master] = this.#nodes;
    return await this.#run(run, this.#nodes, {
      ...this.#tuned(),
      GLOO_SOCKET_IFNAME: "eth0",
      MASTER_ADDR: master.address,
    });
  }

  /** Runs both ranks on one node. @throws as `train` */
  async trainOnOneNode(run: TrainingRun): Promise<Trained> {
    const [node] = this.#nodes;
    return await this.#run(run, [node, node], { GLOO_SOCKET_IFNAME: "lo", MASTER_ADDR: "127.0.0.1" });
  }

  /** What a launch would set for ranks that average in every step. */
  #tuned(): Readonly<Record<string, string>> {
    const path = {
      zones: ["one", "other"],
      kind: this.#kind,
      mtu: mtus[this.#kind],
      rttMs: this.#rttMs,
      bandwidthMbps: this.#mbps,
      goodputShare: goodputShare(this.#kind, mtus[this.#kind]),
    } as const;
    const messages = messagesOf({ sync: "ddp", syncOptions: syncOptions.parse({}), expected: undefined });
    return tune([path], [], 2, messages).environment;
  }

  async #run(
    { script, steps: wanted, args }: TrainingRun,
    nodes: readonly [BenchNode, BenchNode],
    environment: Readonly<Record<string, string>>,
  ): Promise<Trained> {
    const [{ session: ofRank0 }] = nodes;
    const ends = await Promise.all(
      nodes.map(({ session }, rank) => {
        const metrics = `metrics-${rank}.jsonl`;
        const variables = Object.entries({ ...environment, WORLD_SIZE: "2", RANK: String(rank) });
        const words = [
          ...variables.map(([name, value]) => `${name}=${value}`),
          ...["python3", script, "--epochs", wanted, "--max-steps", wanted, ...args, "--output", metrics],
        ];
        return session.run(`cd ${folder} && rm -f ${metrics} && ${words.join(" ")}`);
      }),
    );
    for (const [rank, { code, stdout, stderr }] of ends.entries()) {
      if (code !== 0)
        throw new Error(`rank ${rank} of ${script} ended with ${code}: ${stderr || stdout.slice(-2000)}`);
    }
    const lines = ends[0]?.stdout.split("\n") ?? [];
    const last = lines.find((line) => line.startsWith("RESULT "))?.slice("RESULT ".length) ?? "null";
    const { stdout } = await ofRank0.run(`cat ${folder}/metrics-0.jsonl`);
    const steps = stdout
      .trimEnd()
      .split("\n")
      .flatMap((line) => step.safeParse(JSON.parse(line)).data ?? []);
    if (steps.length !== wanted) throw new Error(`${script} wrote ${steps.length} of ${wanted} steps`);
    return { steps, heldOutLoss: result.parse(JSON.parse(last)).heldOutLoss };
  }

  async remove(): Promise<void> {
    for (const { session } of this.#nodes) session.close();
    await this.#stack.remove();
  }
}

/** Of the stack's nodes: their SSH is reached by the addresses of the zones' EIPs. */
async function connectionsOf(stack: Stack): Promise<z.output<typeof connectionInput>[]> {
  return resourcesIn(await stack.ok("stack", "export", "--show-secrets"))
    .filter(({ type }) => type === "qingcloud:link:NodeReady")
    .map(({ inputs }) => reachable.parse(revealed(inputs)).connection);
}

async function upload(session: Session): Promise<void> {
  const write = async (path: string, content: string) => {
    const { code, stderr } = await session.run(`mkdir -p ${folder} && cat > ${folder}/${path}`, content);
    if (code !== 0) throw new Error(`${path} could not be written on a node: ${stderr}`);
  };
  for (const name of readdirSync(scripts).filter((each) => each.endsWith(".py"))) {
    await write(name, readFileSync(join(scripts, name), "utf8"));
  }
}
