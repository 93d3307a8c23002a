/** Resources whose creation waits for a job, made at the same time against a cloud whose jobs do not end. */
import { expect, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account } from "../../harness/account.ts";
import type { Call } from "../../harness/calls.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { type Kind, kinds } from "./kinds.ts";
import { Grounds } from "./surroundings.ts";

/** Without what ends at once. */
export const slowKinds = kinds.filter(({ type }) => !/^(Eip|KeyPair|Tag|TagAttachment)$/.test(type));

export interface Wanted {
  readonly kind: Kind;
  readonly urn: string;
  readonly inputs: Properties;
}

/** An account and its provider, in which one of each kind can be made at the same time, none waiting for another. */
export async function prepare(): Promise<{ account: Account; plugin: Plugin; wanted: Wanted[] }> {
  const account = await Account.start();
  const grounds = await Grounds.make(account.client);
  // A router that is at work takes no vxnet.
  const routers = await account.client.done("CreateRouters", { count: "2", vpc_network: "192.168.0.0/16" });
  const [forVxnet = "", forStatics = ""] = routers.routers as string[];
  const group = String((await account.client.ok("CreateSecurityGroup")).security_group_id);
  const wanted = await Promise.all(
    slowKinds.map(async (kind) => {
      const around = { ...(await grounds.around(kind)), group };
      const router = kind.type === "Vxnet" ? forVxnet : forStatics;
      const inputs = kind.inputs({ ...around, router });
      return { kind, urn: urnOf(`cloud:${kind.type}`, `slow-${around.number}`), inputs };
    }),
  );
  const plugin = await account.plugin();
  // Its first call finds out the zones.
  await plugin.invoke("qingcloud:cloud:getZones", {});
  return { account, plugin, wanted };
}

/** Waits until the provider waits for every job that is under way, and there are so many. */
export async function untilAllWait(account: Account, jobs: number): Promise<void> {
  await vi.waitFor(
    async () => {
      const { job_set } = await account.client.ok("DescribeJobs", {
        "status.1": "pending",
        "status.2": "working",
        limit: "100",
      });
      const underWay = (job_set as { job_id: string }[]).map(({ job_id }) => job_id);
      expect(underWay).toHaveLength(jobs);
      const looks = account
        .calls()
        .filter(({ action, parameters }) => action === "DescribeJobs" && "jobs.1" in parameters);
      const looked = new Set(looks.flatMap(({ parameters }) => Object.values(parameters)));
      expect(underWay.filter((id) => !looked.has(id))).toEqual([]);
    },
    { timeout: 20_000, interval: 50 },
  );
}

/** How often the calls made each kind. */
export function timesMade(calls: readonly Call[], wanted: readonly Wanted[]): Record<string, number> {
  const actions = new Set(wanted.map(({ kind: { created } }) => created[0] ?? ""));
  return Object.fromEntries(
    [...actions].map((action) => [
      action,
      calls.filter((call) => call.action === action && call.ret_code === 0).length,
    ]),
  );
}

/** Finishes what is half made, and expects all of it without drift. */
export async function finish(plugin: Plugin, halfMade: readonly Resource[], wanted: readonly Wanted[]) {
  const finished = await Promise.all(
    halfMade.map((resource, index) => plugin.update(resource, wanted[index]?.inputs ?? {})),
  );
  for (const resource of finished) expect(await plugin.read(resource)).toEqual(resource);
  return finished;
}
