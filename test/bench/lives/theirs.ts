/** What somebody else has in each zone of a life's cloud, for zones that join it. */
import { firstId, type TestClient } from "../../local-cloud/support.ts";
import { zoneIds } from "../interrupts/operations.ts";
import type { Theirs, TheirsIn } from "./plans.ts";

const numberOf = (zoneId: string) => (zoneIds as readonly string[]).indexOf(zoneId);

/** Makes it. */
export async function makeTheirs(client: TestClient): Promise<TheirsIn> {
  const made = await Promise.all(zoneIds.map((zone) => makeIn(client, zone)));
  return (zoneId, kind) => {
    const theirs = made[numberOf(zoneId)]?.[kind];
    if (theirs === undefined) throw new Error(`nobody has anything in ${zoneId}`);
    return theirs;
  };
}

async function makeIn(client: TestClient, zone: (typeof zoneIds)[number]) {
  const blocks = [16, 20].map((first) => `172.${first + numberOf(zone)}`);
  const [whole, bare] = blocks as [string, string];
  const router = await makeRouter(client, zone, `${whole}.0.0/16`);
  const [vxnet, eip, free] = [
    firstId((await client.ok("CreateVxnets", { zone, vxnet_type: "1" })).vxnets),
    ...((await client.ok("AllocateEips", { zone, bandwidth: "10", count: "2" })).eips as [string, string]),
  ] as const;
  await client.done("JoinRouter", { zone, router, vxnet, ip_network: `${whole}.1.0/24` });
  await client.ok("ModifyRouterAttributes", { zone, router, eip });
  await client.done("UpdateRouters", { zone, "routers.1": router });
  return {
    network: { existing: { vpcId: router, vxnetId: vxnet }, network: `${whole}.1.0/24` },
    router: {
      existing: { vpcId: await makeRouter(client, zone, `${bare}.0.0/16`) },
      network: `${bare}.1.0/24`,
    },
    eip: { existing: { eipId: free } },
  } satisfies Record<string, Theirs>;
}

async function makeRouter(client: TestClient, zone: string, network: string): Promise<string> {
  const group = { zone, security_group_name: "theirs" };
  const { security_group_id: id } = await client.ok("CreateSecurityGroup", group);
  const { routers } = await client.done("CreateRouters", { zone, vpc_network: network });
  const router = firstId(routers);
  await client.ok("ModifyRouterAttributes", { zone, router, security_group: String(id) });
  await client.done("ApplySecurityGroup", { zone, security_group: String(id) });
  await client.done("UpdateRouters", { zone, "routers.1": router });
  return router;
}
