/** Everything that an account holds in a zone, by id: what a stack's whole state is compared with. */
import type { TestClient } from "../local-cloud/support.ts";
import type { Stored } from "./checkpoint.ts";

/** The listings of each kind, and the statuses of those that are gone although they are listed. */
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
  const found = await Promise.all([
    ...listings.map(async ([action, set, id]) => (await list(action, set)).map((item) => String(item[id]))),
    // What lies in the recycle bin is listed only where it is asked for.
    list("DescribeInstances", "instance_set", { "status.1": "terminated" }).then((items) =>
      items.map((item) => String(item.instance_id)),
    ),
  ]);
  const routers = found.flat().filter((id) => id.startsWith("rtr-"));
  const statics = await Promise.all(
    routers.map((router) => list("DescribeRouterStatics", "router_static_set", { router })),
  );
  return [...found.flat(), ...statics.flat().map((item) => String(item.router_static_id))].sort();
}

/** @returns ids of all these zones */
export async function idsInZones(client: TestClient, zones: readonly string[]): Promise<string[]> {
  return (await Promise.all(zones.map((zone) => idsInZone(client, zone)))).flat();
}

/** Kinds that have no id of their own in the cloud. */
const withoutId = /^qingcloud:(state|link):|:(VpcEip|VolumeAttachment|TagAttachment|SecurityGroupRules)$/;

/** Kinds that put an EIP on a router, by whose id they go. */
const isOnRouter = /:(Vpc|VpcEip)$/;

/**
 * Compares a stack's whole state with what zones hold. Rules that a group, or a list, holds are in no resource of their own:
 * whether these are right a refresh shows.
 * @param before what the zones had before the stack
 * @returns what is wrong; empty where each id of the state is in the cloud, once, and the cloud holds nothing else
 */
export async function differencesOf(
  client: TestClient,
  zones: readonly string[],
  resources: readonly Stored[],
  before: readonly string[],
): Promise<string[]> {
  const held = await idsInZones(client, zones);
  const placed = await Promise.all(resources.filter(({ type }) => isOnRouter.test(type)).map(eipDifference));
  const stored = resources.filter(({ type }) => type.startsWith("qingcloud:") && !withoutId.test(type));
  const ids = stored.map(({ id = "" }) => id);
  return [
    ...stored
      .filter(({ id = "" }) => !held.includes(id))
      .map(({ urn, id }) => `${urn} (${id}) is not in the cloud`),
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `${id} stands twice in the state`),
    ...held
      .filter((id) => !before.includes(id) && !ids.includes(id) && !id.startsWith("sgr-"))
      .map((id) => `${id} is not in the state`),
    ...placed.flat(),
  ];

  /** A router has the EIP that the state says, applied. */
  async function eipDifference({ urn, id = "", inputs = {} }: Stored): Promise<string[]> {
    const { zone, eipId } = inputs as { zone: string; eipId?: string };
    const { router_set } = await client.ok("DescribeRouters", { zone, "routers.1": id });
    const [router] = router_set as { eip: { eip_id?: string }; is_applied: number }[];
    const found = router?.eip.eip_id ?? "";
    if (found !== (eipId ?? "")) return [`${urn} (${id}) has the EIP "${found}" instead of "${eipId ?? ""}"`];
    return router?.is_applied === 0 ? [`${urn} (${id}) has changes that are not applied`] : [];
  }
}
