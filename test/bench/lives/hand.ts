/** What somebody does to a stack's resources outside Pulumi. */
import type { Stored } from "../../harness/checkpoint.ts";
import type { TestClient } from "../../local-cloud/support.ts";

type Deed = (client: TestClient, zone: string, resource: Stored) => Promise<unknown>;

const deeds: Readonly<Record<string, readonly [type: string, deed: Deed]>> = {
  "stop a node": [
    "Instance",
    (client, zone, { id = "" }) => client.done("StopInstances", { zone, "instances.1": id }),
  ],
  "terminate a node": [
    "Instance",
    (client, zone, { id = "" }) => client.done("TerminateInstances", { zone, "instances.1": id }),
  ],
  "rename a node": [
    "Instance",
    (client, zone, { id = "" }) =>
      client.ok("ModifyInstanceAttributes", { zone, instance: id, instance_name: "by hand" }),
  ],
  "power a router off": [
    "Vpc",
    (client, zone, { id = "" }) => client.done("PowerOffRouters", { zone, "routers.1": id }),
  ],
  "change an EIP's bandwidth": [
    "Eip",
    (client, zone, { id = "" }) =>
      client.done("ChangeEipsBandwidth", { zone, "eips.1": id, bandwidth: "77" }),
  ],
  "delete a port forward": ["PortForward", deleteStatic],
  "delete a tunnel's end": ["IpsecTunnel", deleteStatic],
  "open a firewall": [
    "SecurityGroup",
    (client, zone, { id = "" }) =>
      client.ok("AddSecurityGroupRules", {
        ...{ zone, security_group: id, "rules.1.protocol": "tcp", "rules.1.priority": "9" },
        ...{ "rules.1.action": "accept", "rules.1.val1": "1", "rules.1.val2": "65535" },
      }),
  ],
};
export const deedNames = Object.keys(deeds);

async function deleteStatic(client: TestClient, zone: string, { id = "", inputs }: Stored): Promise<void> {
  await client.ok("DeleteRouterStatics", { zone, "router_statics.1": id });
  await client.done("UpdateRouters", { zone, "routers.1": String(inputs?.vpcId) });
}

/** @returns what was done; undefined where the stack has nothing of the kind, or the cloud refuses */
export async function doByHand(
  name: string,
  client: TestClient,
  resources: readonly Stored[],
  choose: (below: number) => number,
): Promise<string | undefined> {
  const [type, deed] = deeds[name] ?? [];
  const all = resources.filter((each) => each.type === `qingcloud:cloud:${type}`);
  const resource = all[all.length === 0 ? 0 : choose(all.length)];
  if (resource === undefined || deed === undefined) return undefined;
  try {
    await deed(client, String(resource.inputs?.zone), resource);
    return `${name} (${resource.id})`;
  } catch (error) {
    // A router that is off, e.g., lets nobody change it.
    return `${name} (${resource.id}): refused, ${error instanceof Error ? error.message : String(error)}`;
  }
}
