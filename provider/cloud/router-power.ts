/** Routers that somebody has powered off: UpdateRouters is refused (1400) until they are on again. */
import type { ResponseOf } from "../../qingcloud/action.ts";
import { DescribeRouters, PowerOnRouters } from "../../qingcloud/actions.ts";
import type { CallOptions } from "../../qingcloud/client.ts";
import type { Session } from "../session.ts";
import { isThere } from "./listing.ts";
import { markIn } from "./naming.ts";
import { type Patience, persist, type Seen } from "./waiting.ts";

type FoundRouter = ResponseOf<typeof DescribeRouters>["router_set"][number];

export function isPoweredOff({ status, transition_status }: FoundRouter): boolean {
  return status === "poweroffed" && transition_status === "";
}

/** Ends when the router is active, also where somebody else powers it on meanwhile. */
export async function powerOn(
  session: Session,
  zone: string,
  id: string,
  options: CallOptions & Patience,
): Promise<void> {
  const request = { routers: [id] };
  await persist(
    options,
    async () => {
      options.progress?.(`powering on VPC router ${id}`);
      const { job_id } = await session.call(PowerOnRouters, zone, request, options);
      await session.jobs(zone).wait(job_id, options);
    },
    async (): Promise<Seen> => {
      const { router_set: all } = await session.call(DescribeRouters, zone, request, options);
      const found = all.find(isThere);
      if (found === undefined) return "idle";
      if (found.transition_status !== "") return "busy";
      return found.status === "active" ? "done" : "idle";
    },
  );
}

/**
 * Powers on a router that has to be updated.
 * @throws Error where it is somebody else's, who may want it off
 */
export async function powerOnForUpdate(
  session: Session,
  zone: string,
  found: FoundRouter,
  options: CallOptions & Patience,
): Promise<void> {
  const { router_id: id, router_name: name } = found;
  const shown = name === "" ? "without a name" : `named "${name}"`;
  if (!session.hasMet(id) && markIn(name) === undefined) {
    throw new Error(
      `VPC router ${id}, ${shown}, of zone ${zone} is powered off, so its changes cannot be applied (UpdateRouters). Pulumi has not named it, so it may be somebody else's and stays off: power it on (console, or API: PowerOnRouters), then run the same command again.`,
    );
  }
  await powerOn(session, zone, id, options);
}
