/** Fifty nodes behind a router, with a data plane: how soon all take logins, what they hold, how soon they are gone. */
import { readFileSync } from "node:fs";
import { checkPrerequisites } from "../../local-cloud/network/machine/prerequisites.ts";
import { processesIn } from "../../local-cloud/network/machine/shell.ts";
import type { CloudStatus } from "../../local-cloud/status.ts";
import { Cloud } from "../harness/cloud.ts";
import { makeNetwork, publicKey } from "../local-cloud/support.ts";
import { type Order, type Samples, timed } from "./measuring.ts";

const nodes = 50;
const runs = 3;
/** Milliseconds; far longer than it takes. */
const patience = 180_000;

export async function measureCloudNodes({ signal, say }: Order): Promise<Samples> {
  const problems = checkPrerequisites();
  if (problems.length > 0) throw new Error(`cloud.nodes needs the data plane: ${problems.join("; ")}`);
  const samples = { up: [] as number[], megabytes: [] as number[], gone: [] as number[] };
  const cloud = await Cloud.start("instant", "--data-plane", "linux");
  try {
    const { client } = cloud;
    const { keypair_id } = await client.ok("CreateKeyPair", { mode: "user", public_key: publicKey });
    const { vxnet } = await makeNetwork(client);
    const done = async (action: string, parameters: Readonly<Record<string, string>>) => {
      const reply = await client.ok(action, parameters);
      const job = await client.ended(String(reply.job_id), "gpu1a", patience);
      if (job.status !== "successful") throw new Error(`${action}: the job has ${String(job.status)}`);
      return reply;
    };
    for (let run = 1; run <= runs; run += 1) {
      signal.throwIfAborted();
      say(`cloud: ${nodes} nodes, run ${run} of ${runs}`);
      const [up, { instances }] = await timed(() =>
        done("RunInstances", {
          image_id: "img-bare",
          cpu: "1",
          memory: "1024",
          login_mode: "keypair",
          login_keypair: String(keypair_id),
          count: String(nodes),
          "vxnets.1": vxnet,
        }),
      );
      samples.up.push(up);
      const status = JSON.parse(await cloud.status()) as CloudStatus;
      const megabytes = status.nodes
        .flatMap(({ namespace }) => processesIn([namespace]))
        .map(proportionalMegabytes);
      samples.megabytes.push(megabytes.reduce((sum, value) => sum + value, 0) / nodes);
      const ids = Object.fromEntries(
        (instances as string[]).map((id, index) => [`instances.${index + 1}`, id]),
      );
      const [gone] = await timed(() => done("TerminateInstances", { ...ids, direct_cease: "1" }));
      samples.gone.push(gone);
    }
  } finally {
    await cloud.remove();
  }
  return {
    "cloud.nodes.seconds": samples.up,
    "cloud.nodes.megabytesEach": samples.megabytes,
    "cloud.nodes.gone.seconds": samples.gone,
  };
}

/** Memory of a process in units of 1,000,000 bytes, what it shares divided among those that share it. */
function proportionalMegabytes(pid: number): number {
  const [, kibibytes] = /^Pss:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8")) ?? [];
  return (Number(kibibytes ?? 0) * 1024) / 1e6;
}
