/** Everything that an account holds in a zone, by id: what a stack's whole state is compared with. */
import type { TestClient } from "../local-cloud/support.ts";

/** What the cloud lists of each kind, and what is gone although it is listed. */
const listings = [
  ["DescribeEips", "eip_set", "eip_id"],
  ["DescribeSecurityGroups", "security_group_set", "security_group_id"],
  ["DescribeSecurityGroupRules", "security_group_rule_set", "security_group_rule_id"],
  ["DescribeKeyPairs", "keypair_set", "keypair_id"],
  ["DescribeRouters", "router_set", "router_id"],
  ["DescribeVxnets", "vxnet_set", "vxnet_id"],
  ["DescribeInstances", "instance_set", "instance_id"],
  ["DescribeVolumes", "volume_set", "volume_id"],
  ["DescribeTags", "tag_set", "tag_id"],
] as const;
const gone = /^(released|deleted|ceased)$/;

type Item = Readonly<Record<string, unknown>>;

/** @returns sorted ids */
export async function idsInZone(client: TestClient, zone: string): Promise<string[]> {
  const list = async (action: string, set: string, more: Readonly<Record<string, string>> = {}) => {
    const items = (await client.ok(action, { zone, limit: "100", ...more }))[set] as Item[];
    return items.filter(({ status }) => !gone.test(String(status)));
  };
  const found = await Promise.all(
    listings.map(async ([action, set, id]) => (await list(action, set)).map((item) => String(item[id]))),
  );
  const routers = found.flat().filter((id) => id.startsWith("rtr-"));
  const statics = await Promise.all(
    routers.map((router) => list("DescribeRouterStatics", "router_static_set", { router })),
  );
  return [...found.flat(), ...statics.flat().map((item) => String(item.router_static_id))].sort();
}
