/** Zones that join what exists: only what is missing is made, and destroy leaves the rest as it was. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";
import { firstId, makeNetwork } from "../local-cloud/support.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const destroy = ["destroy", "--yes", "--skip-preview", "--color", "never"] as const;

/** How often each action changed something in a zone while `work` ran. */
async function actionsIn(stack: Stack, zone: string, work: () => Promise<unknown>) {
  const before = stack.cloud.calls().length;
  await work();
  const counts: Record<string, number> = {};
  for (const call of stack.cloud.calls().slice(before)) {
    if (call.zone !== zone || call.ret_code !== 0 || /^(Describe|Get)/.test(call.action)) continue;
    counts[call.action] = (counts[call.action] ?? 0) + 1;
  }
  return counts;
}

/** Everything of a zone that lives, as the API shows it, without the times of changes. */
async function pictureOf(stack: Stack, zone: string) {
  const { client } = stack.cloud;
  const list = async (action: string, set: string, parameters: object = {}) => {
    const items = (await client.ok(action, { zone, limit: "100", ...parameters }))[set] as Record<
      string,
      unknown
    >[];
    return items
      .filter(({ status }) => !/^(released|deleted|ceased|terminated)$/.test(String(status)))
      .map(({ status_time: _, ...rest }) => rest);
  };
  const routers = await list("DescribeRouters", "router_set");
  return {
    routers,
    statics: await Promise.all(
      routers.map(({ router_id }) =>
        list("DescribeRouterStatics", "router_static_set", { router: router_id }),
      ),
    ),
    vxnets: await list("DescribeVxnets", "vxnet_set"),
    eips: await list("DescribeEips", "eip_set"),
    groups: await list("DescribeSecurityGroups", "security_group_set"),
    rules: await list("DescribeSecurityGroupRules", "security_group_rule_set"),
    instances: await list("DescribeInstances", "instance_set"),
    keyPairs: await list("DescribeKeyPairs", "keypair_set"),
  };
}

/** The problems that a preview is refused with, without their bullets. */
async function problemsOf(stack: Stack): Promise<string[]> {
  const { code, text } = await stack.run("preview", "--non-interactive", "--color", "never");
  expect(code, text).not.toBe(0);
  const [, ...lines] = text.slice(text.lastIndexOf("The configuration has")).split("\n");
  return lines.filter((line) => /^\s+- /.test(line)).map((line) => line.replace(/^\s+- /, ""));
}

describe("a zone whose router, vxnet and EIP exist, one whose EIP and one whose router without an EIP exist", () => {
  let stack: Stack;
  let made: Awaited<ReturnType<typeof makeNetwork>>;
  let group: string;
  /** Without an EIP. */
  let router: string;
  /** Without a router. */
  let eip: string;
  let before: Awaited<ReturnType<typeof pictures>>;
  const pictures = async () => ({
    gpu1a: await pictureOf(stack, "gpu1a"),
    gpu2a: await pictureOf(stack, "gpu2a"),
  });

  beforeAll(async () => {
    stack = await Stack.here();
    const { client } = stack.cloud;
    made = await makeNetwork(client);
    group = String(
      (await client.ok("CreateSecurityGroup", { security_group_name: "theirs" })).security_group_id,
    );
    await client.ok("AddSecurityGroupRules", {
      security_group: group,
      "rules.1.protocol": "tcp",
      "rules.1.priority": "5",
      "rules.1.val1": "443",
      "rules.1.val2": "443",
    });
    await client.ok("ModifyRouterAttributes", { router: made.router, security_group: group });
    await client.done("ApplySecurityGroup", { security_group: group });
    const routers = await client.done("CreateRouters", { zone: "gpu2a", vpc_network: "172.16.0.0/16" });
    router = firstId(routers.routers);
    eip = firstId((await client.ok("AllocateEips", { zone: "gpu2a", bandwidth: "20" })).eips);
    before = await pictures();
    const third = { name: "tianjin", zoneId: "gpu2a", network: "192.168.3.0/24" };
    stack.configure({ "zones[2]": { ...third, imageId: "img-deeplearning", existing: { vpcId: router } } });
  });
  afterAll(async () => await stack?.remove());

  test("are refused with all that does not fit, and nothing is made", async () => {
    const other = await makeNetwork(stack.cloud.client, "gpu1a", "192.168.9.0/24");
    try {
      stack.configure({
        "zones[0].existing": { vpcId: made.router, vxnetId: other.vxnet, eipId: other.eip },
        "zones[1].existing": { vpcId: "rtr-nowhere0" },
      });
      const changes = await stack.cloud.changesBy(async () => {
        // A zone's network must lie in its router's, whatever vpcNetwork is.
        expect(await problemsOf(stack)).toEqual([
          `crosszone:zones[0].existing.vxnetId: must be a vxnet of ${made.router}; ${other.vxnet} is joined to ${other.router}: correct vpcId or vxnetId`,
          `crosszone:zones[0].existing.eipId: ${made.router} has ${made.eip}: leave eipId out to use that, or take it from the router first (given: "${other.eip}")`,
          `crosszone:zones[0].bandwidthMbps: must be left out or be 10: ${other.eip} exists, so its bandwidth is not changed (given: 20)`,
          'crosszone:zones[1].existing.vpcId: There is no Vpc "rtr-nowhere0" in zone gpu2a of this account. Correct the id or the zone; the console shows both.',
          `crosszone:zones[2].network: must lie inside 172.16.0.0/16, the network of ${router} (given: "192.168.3.0/24")`,
        ]);
      });
      expect(changes).toEqual([]);
    } finally {
      const { client } = stack.cloud;
      await client.ok("ModifyRouterAttributes", { router: other.router, eip: "" });
      await client.done("UpdateRouters", { "routers.1": other.router });
      await client.done("ReleaseEips", { "eips.1": other.eip });
      await client.done("LeaveRouter", { router: other.router, "vxnets.1": other.vxnet });
      await client.ok("DeleteVxnets", { "vxnets.1": other.vxnet });
      await client.done("DeleteRouters", { "routers.1": other.router });
    }
    expect(await pictures()).toEqual(before);
  });

  let second: Record<string, number>;

  test("the first gets its nodes, their port forwards, its sides of the tunnels and the rules for them, and nothing else", async () => {
    stack.configure({
      "zones[0].existing.vxnetId": made.vxnet,
      "zones[0].existing.eipId": undefined,
      "zones[0].bandwidthMbps": undefined,
      "zones[1].existing": { eipId: eip },
      "zones[2].network": "172.16.1.0/24",
    });
    const { UpdateRouters, ...actions } = await actionsIn(stack, "gpu1a", async () => {
      second = await actionsIn(stack, "gpu2a", () => stack.ok(...up));
    });
    // SSH from two places; UDP 500 and 4500 and ESP from each peer.
    expect(actions).toEqual({
      AddSecurityGroupRules: 8,
      ApplySecurityGroup: expect.any(Number),
      CreateKeyPair: 1,
      RunInstances: 1,
      AddRouterStatics: 3,
    });
    expect(UpdateRouters).toBeLessThanOrEqual(3);
    const outputs = stack.outputs<{
      zones: { vpcId: string; publicIp: string; bandwidthMbps: number }[];
    }>();
    expect(outputs.zones[0]).toMatchObject({
      vpcId: made.router,
      publicIp: before.gpu1a.eips[0]?.eip_addr,
      bandwidthMbps: 10,
    });
  });

  test("the first has both on the router that exists, applied, and the node in the vxnet that exists", async () => {
    const { statics, instances, routers } = await pictureOf(stack, "gpu1a");
    expect(routers).toMatchObject([{ router_id: made.router, is_applied: 1, security_group_id: group }]);
    const [ofRouter = []] = statics;
    const isTunnel = expect.stringMatching(/^\d+\.\d+\.\d+\.\d+\|aes\|/);
    expect(
      ofRouter.map(({ static_type, val1, is_applied }) => [static_type, val1, is_applied]).sort(),
    ).toEqual([
      [1, "2201", 1],
      [7, isTunnel, 1],
      [7, isTunnel, 1],
    ]);
    expect(instances).toMatchObject([{ vxnets: [{ vxnet_id: made.vxnet, private_ip: "192.168.1.2" }] }]);
  });

  test("the router gets the EIP and the vxnet that are missing, the EIP a router", async () => {
    expect(second).toMatchObject({ AllocateEips: 1, CreateRouters: 1, CreateVxnets: 2 });
    const { eips, routers } = await pictureOf(stack, "gpu2a");
    const allocated = eips.find(({ eip_id }) => eip_id !== eip);
    expect(eips).toHaveLength(2);
    expect(eips.map(({ status }) => status)).toEqual(["associated", "associated"]);
    const onRouters = routers.map(({ router_id, is_applied, eip: its }) => [
      router_id === router,
      is_applied,
      (its as { eip_id: string }).eip_id,
    ]);
    expect(onRouters.toSorted()).toEqual([
      [false, 1, eip],
      [true, 1, allocated?.eip_id],
    ]);
  });

  test("are the stack's own and the given ones on the next run too, without drift", async () => {
    await stack.noChanges();
  });

  test("an address that is taken in the vxnet is told in the cloud's words", async () => {
    await stack.cloud.client.done("RunInstances", {
      image_id: "img-deeplearning",
      instance_type: "c1m1",
      login_mode: "passwd",
      login_passwd: "Passw0rd!x",
      "vxnets.1": `${made.vxnet}|192.168.1.3`,
    });
    stack.configure({ "zones[0].nodes": 2 });
    const { code, text } = await stack.run(...up);
    expect(code).not.toBe(0);
    expect(text).toMatch(/RunInstances was refused with 2110 .*address \[192\.168\.1\.3\] of vxnet/);
  });

  test("destroy leaves the routers, the vxnet, the EIPs and the security group exactly as they were", async () => {
    const [theirs] = (await pictureOf(stack, "gpu1a")).instances.filter(({ vxnets }) =>
      JSON.stringify(vxnets).includes("192.168.1.3"),
    );
    const theirId = String(theirs?.instance_id);
    await stack.cloud.client.done("TerminateInstances", { "instances.1": theirId, direct_cease: "1" });
    await stack.ok(...destroy);
    expect(stack.resources()).toEqual([]);
    expect(await pictures()).toEqual(before);
  });
});
