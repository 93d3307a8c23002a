/** What QingCloud's Terraform provider, which is not changed for this cloud, needs to find in the answers. */
import { expect, test } from "vitest";
import { actionsByName } from "../../qingcloud/actions.ts";
import { firstId, makeKeyPair, publicKey } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();

type Item = Readonly<Record<string, unknown>>;
/** Found by id, as the provider reads: not filtered by a status, with `verbose`. */
const now = (action: string, set: string, list: string, id: string) =>
  client.one(action, set, { [`${list}.1`]: id, verbose: "1" });
const router = (id: string) => now("DescribeRouters", "router_set", "routers", id);
const eipOf = (id: string) => now("DescribeEips", "eip_set", "eips", id);
const instanceOf = (id: string) => now("DescribeInstances", "instance_set", "instances", id);
const vxnetOf = (id: string) => now("DescribeVxnets", "vxnet_set", "vxnets", id);
const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const makeRouter = async (): Promise<string> =>
  firstId((await client.done("CreateRouters", { vpc_network: "192.168.0.0/16" })).routers);
const makeKey = () => makeKeyPair(client);
/** As the Go SDK sends it: with its defaults, and without vxnets. */
const runAsGo = async (keypair: string, more: Readonly<Record<string, string>> = {}): Promise<string> =>
  firstId(
    (
      await client.done("RunInstances", {
        count: "1",
        cpu: "1",
        memory: "1024",
        cpu_model: "Westmere",
        dry_run: "0",
        gpu: "0",
        image_id: "img-bare",
        login_mode: "keypair",
        login_keypair: keypair,
        need_newsid: "0",
        need_userdata: "0",
        userdata_file: "/etc/rc.local",
        userdata_path: "/etc/qingcloud/userdata",
        ...more,
      })
    ).instances,
  );

test("DescribeZones, sent without a zone, lists each zone as active", async () => {
  const path = "/iaas";
  const signed = client.signed("DescribeZones", {}, { path });
  const reply = (await (await client.send(signed, path)).json()) as Item;
  expect(reply).toMatchObject({
    ret_code: 0,
    zone_set: [
      { zone_id: "gpu1a", status: "active" },
      { zone_id: "gpu2a", status: "active" },
    ],
  });
});

test("objects that it dereferences are objects before anything is in them", async () => {
  const [id, eip, instance] = [
    await makeRouter(),
    firstId((await client.ok("AllocateEips", { bandwidth: "5" })).eips),
    await runAsGo(await makeKey()),
  ];
  expect((await router(id)).eip).toEqual({});
  expect((await eipOf(eip)).resource).toEqual({});
  const { image, extra, eip: none } = await instanceOf(instance);
  expect([image, extra, none].map(isObject)).toEqual([true, true, true]);
  expect([image, extra]).toMatchObject([{ image_id: "img-bare" }, { os_disk_size: 20 }]);
});

test("a vxnet that is in no router, and one that has left it, has an empty vpc_router_id", async () => {
  const id = await makeRouter();
  const vxnet = firstId((await client.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
  expect((await vxnetOf(vxnet)).vpc_router_id).toBe("");
  await client.done("JoinRouter", { router: id, vxnet, ip_network: "192.168.1.0/24", features: "1" });
  expect((await vxnetOf(vxnet)).vpc_router_id).toBe(id);
  await client.done("LeaveRouter", { router: id, "vxnets.1": vxnet });
  expect((await vxnetOf(vxnet)).vpc_router_id).toBe("");
});

test("transition_status is empty once the jobs have ended", async () => {
  const [id, eip, instance] = [
    await makeRouter(),
    firstId((await client.ok("AllocateEips", { bandwidth: "5" })).eips),
    await runAsGo(await makeKey()),
  ];
  const volume = firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
  const found = [
    await router(id),
    await eipOf(eip),
    await instanceOf(instance),
    await now("DescribeVolumes", "volume_set", "volumes", volume),
  ];
  expect(found.map((item) => item.transition_status)).toEqual(["", "", "", ""]);
});

test("a security group's rules are applied once the job of ApplySecurityGroup has ended", async () => {
  const group = String((await client.ok("CreateSecurityGroup")).security_group_id);
  const applied = async () =>
    (await now("DescribeSecurityGroups", "security_group_set", "security_groups", group)).is_applied;
  const rule = { "rules.1.protocol": "tcp", "rules.1.priority": "1", "rules.1.val1": "80" };
  await client.ok("AddSecurityGroupRules", { security_group: group, ...rule });
  expect(await applied()).toBe(0);
  await client.done("ApplySecurityGroup", { security_group: group });
  expect(await applied()).toBe(1);
});

test("type and body of a key pair make the key that was registered", async () => {
  const found = await now("DescribeKeyPairs", "keypair_set", "keypairs", await makeKey());
  expect(`${found.encrypt_method} ${found.pub_key}`).toBe(publicKey.split(" ").slice(0, 2).join(" "));
});

test("what is deleted is still described, as deleted", async () => {
  const [id, instance] = [await makeRouter(), await runAsGo(await makeKey())];
  await client.done("DeleteRouters", { "routers.1": id });
  expect(await router(id)).toMatchObject({ status: "deleted", transition_status: "", eip: {} });
  await client.done("TerminateInstances", { "instances.1": instance });
  expect(await instanceOf(instance)).toMatchObject({ status: "terminated", transition_status: "" });
  await client.done("CeaseInstances", { "instances.1": instance });
  expect(await instanceOf(instance)).toMatchObject({ status: "ceased", image: { image_id: "img-bare" } });
});

test("an instance that runs in no network is put into one, and gets an EIP, a group and another key", async () => {
  const [keypair, another] = [await makeKey(), await makeKey()];
  const instance = await runAsGo(keypair, { instance_name: "node" });
  expect(await instanceOf(instance)).toMatchObject({ vxnets: [], keypair_ids: [keypair] });
  const id = await makeRouter();
  const vxnet = firstId((await client.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
  await client.done("JoinRouter", { router: id, vxnet, ip_network: "192.168.1.0/24", features: "1" });
  await client.done("JoinVxnet", { vxnet: `${vxnet}|192.168.1.7`, "instances.1": instance });
  const eip = firstId((await client.ok("AllocateEips", { bandwidth: "5" })).eips);
  await client.done("AssociateEip", { eip, instance });
  const group = String((await client.ok("CreateSecurityGroup")).security_group_id);
  await client.done("ApplySecurityGroup", { security_group: group, "instances.1": instance });
  await client.done("AttachKeyPairs", { "keypairs.1": another, "instances.1": instance });
  expect(await instanceOf(instance)).toMatchObject({
    vxnets: [{ vxnet_id: vxnet, private_ip: "192.168.1.7" }],
    eip: { eip_id: eip },
    security_group: { security_group_id: group },
    keypair_ids: [keypair, another],
  });
  // And back, in its order: the vxnet and the EIP leave before the instance is terminated.
  await client.done("DetachKeyPairs", { "keypairs.1": another, "instances.1": instance });
  await client.done("LeaveVxnet", { vxnet, "instances.1": instance });
  await client.done("DissociateEips", { "eips.1": eip });
  await client.done("TerminateInstances", { "instances.1": instance });
  await client.done("ReleaseEips", { "eips.1": eip });
  await client.ok("DeleteSecurityGroups", { "security_groups.1": group });
  await client.ok("DeleteKeyPairs", { "keypairs.1": keypair, "keypairs.2": another });
  await client.done("LeaveRouter", { router: id, "vxnets.1": vxnet });
  await client.ok("DeleteVxnets", { "vxnets.1": vxnet });
  await client.done("DeleteRouters", { "routers.1": id });
});

test("an empty value given as a space clears: the EIP of a router, a name", async () => {
  const id = await makeRouter();
  const eip = firstId((await client.ok("AllocateEips", { bandwidth: "5" })).eips);
  await client.ok("ModifyRouterAttributes", { router: id, eip, router_name: "named" });
  await client.ok("ModifyRouterAttributes", { router: id, eip: "", router_name: "" });
  expect(await router(id)).toMatchObject({ eip: {}, router_name: "" });
});

/** Names of the Go SDK's fields that it decodes as integers; a string would make it fail. */
const integers =
  /^(ret_code|total_count|offset|limit|bandwidth|associate_mode|need_icp|sub_code|is_applied|is_default|router_type|mode|features|vxnet_type|available_ip_count|vcpus_current|memory_current|instance_class|os_disk_size|image_size|size|volume_type|nic_mqueue|cpu_max|mem_max|role|static_type|priority|direction|resource_count|count|left|max_\w+|min_\w+)$/;

function check(value: unknown, path: string, wrong: string[]): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) check(item, `${path}.${index}`, wrong);
  } else if (typeof value === "object" && value !== null) {
    for (const [key, item] of Object.entries(value)) check(item, `${path}.${key}`, wrong);
  } else {
    const key = path.split(".").at(-1) ?? "";
    if (integers.test(key) && !Number.isInteger(value)) wrong.push(`${path}: ${JSON.stringify(value)}`);
    const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(String(value));
    if (/_time$/.test(key) && value !== null && !isTime) wrong.push(`${path}: ${JSON.stringify(value)}`);
  }
}

test("in everything that is described numbers are integers and times RFC 3339", async () => {
  const id = await makeRouter();
  const vxnet = firstId((await client.ok("CreateVxnets", { vxnet_type: "1" })).vxnets);
  await client.done("JoinRouter", { router: id, vxnet, ip_network: "192.168.1.0/24", features: "1" });
  await runAsGo(await makeKey(), { "vxnets.1": vxnet });
  await client.ok("CreateTag", { tag_name: "tag" });
  await client.done("CreateVolumes", { size: "10" });
  const tunnel = { "statics.1.static_type": "6", "statics.1.val1": "1.2.3.4|1|10.254.1.2|10.254.1.3" };
  await client.ok("AddRouterStatics", { router: id, ...tunnel, "statics.1.val2": "10.0.0.0/24" });
  const wrong: string[] = [];
  const described = [...actionsByName.values()].filter(
    ({ name, isRead }) => isRead && name !== "GetMonitor" && name !== "GetVPNCerts",
  );
  for (const { name } of described) {
    const needed = {
      router: id,
      resource: id,
      verbose: "1",
      ...(name === "DescribeVxnetInstances" ? { vxnet } : {}),
    };
    const shape = actionsByName.get(name)?.request.shape ?? {};
    const parameters = Object.fromEntries(Object.entries(needed).filter(([key]) => key in shape));
    const reply = await client.ok(name, parameters);
    for (const [set, items] of Object.entries(reply)) {
      if (set.endsWith("_set")) expect([name, (items as unknown[]).length > 0]).toEqual([name, true]);
    }
    check(reply, name, wrong);
  }
  expect(wrong).toEqual([]);
});
