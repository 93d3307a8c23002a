import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Store } from "../../local-cloud/store/store.ts";
import { firstId, makeKeyPair, makeNetwork, startTestCloud } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();

const create = async (tag_name: string): Promise<string> =>
  String((await client.ok("CreateTag", { tag_name })).tag_id);
const now = (id: string) => client.one("DescribeTags", "tag_set", { "tags.1": id, verbose: "1" });
const pair = (tag_id: string, resource_type: string, resource_id: string, index = 1) => ({
  [`resource_tag_pairs.${index}.tag_id`]: tag_id,
  [`resource_tag_pairs.${index}.resource_type`]: resource_type,
  [`resource_tag_pairs.${index}.resource_id`]: resource_id,
});
const makeEip = async (): Promise<string> =>
  firstId((await client.ok("AllocateEips", { bandwidth: "1" })).eips);
const tagsOfEip = async (eip: string) =>
  (await client.one("DescribeEips", "eip_set", { "eips.1": eip })).tags;

test("a tag has every field that clients read, and its attributes change", async () => {
  const id = await create("训练 集群");
  expect(await client.ok("DescribeTags", { "tags.1": id })).toEqual({
    action: "DescribeTagsResponse",
    ret_code: 0,
    total_count: 1,
    tag_set: [
      {
        tag_id: id,
        tag_name: "训练 集群",
        color: "#9f9bb7",
        description: "",
        create_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        owner: "usr-localcld",
        resource_count: 0,
        resource_type_count: [],
      },
    ],
  });
  await client.ok("ModifyTagAttributes", { tag: id, tag_name: "renamed", color: "#FFF", description: "why" });
  expect(await now(id)).toMatchObject({ tag_name: "renamed", color: "#FFF", description: "why" });
  await client.ok("ModifyTagAttributes", { tag: id, description: "" });
  expect(await now(id)).toMatchObject({ tag_name: "renamed", color: "#FFF", description: "" });
  expect(await client.ok("DescribeTags", { search_word: "RENAMED" })).toMatchObject({ total_count: 1 });
});

test("names are unique in a zone and have fewer than 15 characters, colours are hexadecimal", async () => {
  const id = await create("unique");
  const taken = {
    ret_code: 2110,
    message: `ResourceAlreadyExists, tag [${id}] has the name [unique]`,
  };
  expect(await client.call("CreateTag", { tag_name: "unique" })).toEqual(taken);
  expect(await client.ok("CreateTag", { tag_name: "unique", zone: "gpu2a" })).toMatchObject({ ret_code: 0 });
  const other = await create("fourteen chars");
  expect(await client.call("ModifyTagAttributes", { tag: other, tag_name: "unique" })).toEqual(taken);
  await client.ok("ModifyTagAttributes", { tag: id, tag_name: "unique" });
  const long = {
    ret_code: 1101,
    message: "InvalidParameterValue, parameter [tag_name] is [fifteen letters], allowed: 1 to 14 characters",
  };
  expect(await client.call("CreateTag", { tag_name: "fifteen letters" })).toEqual(long);
  expect(await client.call("ModifyTagAttributes", { tag: id, tag_name: "fifteen letters" })).toEqual(long);
  expect(await client.call("ModifyTagAttributes", { tag: id, tag_name: "" })).toMatchObject({
    ret_code: 1101,
  });
  expect(await client.call("CreateTag")).toEqual({
    ret_code: 1100,
    message: "MissingParameter, parameter [tag_name] is missing",
  });
  expect(await client.call("CreateTag", { tag_name: "c", color: "red" })).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [color] is [red], allowed: #rgb or #rrggbb in hexadecimal digits",
  });
  expect(await client.call("ModifyTagAttributes", { tag: "tag-unknown0", tag_name: "x" })).toEqual({
    ret_code: 2100,
    message: "ResourceNotFound, tag [tag-unknown0] does not exist",
  });
});

test("every kind of resource answers its tags and is found by them", async () => {
  const { router, vxnet, eip } = await makeNetwork(client);
  const keypair = await makeKeyPair(client);
  const security_group = String((await client.ok("CreateSecurityGroup")).security_group_id);
  const volume = firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
  const launch = {
    image_id: "img-bare",
    cpu: "1",
    memory: "1024",
    login_mode: "keypair",
    login_keypair: keypair,
  };
  const instance = firstId((await client.done("RunInstances", launch)).instances);
  const kinds = [
    ["eip", eip, "DescribeEips", "eip_set", "eip_id"],
    ["router", router, "DescribeRouters", "router_set", "router_id"],
    ["vxnet", vxnet, "DescribeVxnets", "vxnet_set", "vxnet_id"],
    ["instance", instance, "DescribeInstances", "instance_set", "instance_id"],
    ["keypair", keypair, "DescribeKeyPairs", "keypair_set", "keypair_id"],
    ["security_group", security_group, "DescribeSecurityGroups", "security_group_set", "security_group_id"],
    ["volume", volume, "DescribeVolumes", "volume_set", "volume_id"],
  ] as const;
  const [first, second] = [await create("first"), await create("second")];
  const pairs = Object.assign({}, ...kinds.map(([kind, id], index) => pair(first, kind, id, index + 1)));
  await client.ok("AttachTags", { ...pairs, ...pair(second, "router", router, 8) });
  const tag = { tag_id: first, tag_name: "first", color: "#9f9bb7" };
  const both = [tag, { tag_id: second, tag_name: "second", color: "#9f9bb7" }];
  for (const [kind, id, action, set, key] of kinds) {
    const found = await client.ok(action, { "tags.1": first });
    expect(found.total_count, action).toBe(1);
    expect(found[set]).toMatchObject([{ [key]: id, tags: kind === "router" ? both : [tag] }]);
    const bySecond = await client.ok(action, { "tags.1": second });
    expect(bySecond.total_count, action).toBe(kind === "router" ? 1 : 0);
    const byEither = await client.ok(action, { "tags.1": first, "tags.2": second });
    expect(byEither.total_count, action).toBe(1);
  }
  expect(await now(first)).toMatchObject({
    resource_count: 7,
    resource_type_count: kinds.map(([resource_type]) => ({ resource_type, count: 1 })),
    resource_tag_pairs: kinds.map(([resource_type, resource_id]) => ({
      tag_id: first,
      resource_type,
      resource_id,
    })),
  });
  expect(await client.ok("DescribeTags", { "resources.1": router })).toMatchObject({
    tag_set: [{ tag_id: first }, { tag_id: second }],
    total_count: 2,
  });
  await client.done("TerminateInstances", { "instances.1": instance });
  expect(await client.one("DescribeInstances", "instance_set", { "instances.1": instance })).toMatchObject({
    status: "terminated",
    tags: [],
  });
  expect(await client.ok("DescribeInstances", { "instances.1": instance, "tags.1": first })).toMatchObject({
    total_count: 0,
  });
  await client.ok("DeleteKeyPairs", { "keypairs.1": keypair });
  expect(await now(first)).toMatchObject({ resource_count: 5 });
});

test("attaching twice and detaching twice are harmless", async () => {
  const [tag, eip] = [await create("twice"), await makeEip()];
  await client.ok("AttachTags", pair(tag, "eip", eip));
  await client.ok("AttachTags", { ...pair(tag, "eip", eip, 1), ...pair(tag, "eip", eip, 2) });
  expect(await tagsOfEip(eip)).toEqual([{ tag_id: tag, tag_name: "twice", color: "#9f9bb7" }]);
  expect(await now(tag)).toMatchObject({ resource_count: 1 });
  await client.ok("DetachTags", pair(tag, "eip", eip));
  await client.ok("DetachTags", pair(tag, "eip", eip));
  expect(await tagsOfEip(eip)).toEqual([]);
});

test("a list of pairs is attached wholly or not at all", async () => {
  const [tag, eip] = [await create("wholly"), await makeEip()];
  expect(
    await client.call("AttachTags", { ...pair(tag, "eip", eip), ...pair(tag, "eip", "eip-unknown0", 2) }),
  ).toEqual({ ret_code: 2100, message: "ResourceNotFound, eip [eip-unknown0] does not exist" });
  expect(
    await client.call("AttachTags", { ...pair(tag, "eip", eip), ...pair(tag, "image", eip, 2) }),
  ).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [resource_tag_pairs.2.resource_type] is [image], allowed: eip, router, vxnet, instance, keypair, security_group, volume",
  });
  expect(await client.call("AttachTags", pair(tag, "router", eip))).toEqual({
    ret_code: 2100,
    message: `ResourceNotFound, router [${eip}] does not exist`,
  });
  expect(await client.call("AttachTags", pair("tag-unknown0", "eip", eip))).toEqual({
    ret_code: 2100,
    message: "ResourceNotFound, tag [tag-unknown0] does not exist",
  });
  expect(await client.call("AttachTags")).toEqual({
    ret_code: 1100,
    message: "MissingParameter, parameter [resource_tag_pairs] is missing",
  });
  expect(await tagsOfEip(eip)).toEqual([]);
});

test("a tag that is deleted goes from its resources", async () => {
  const [tag, other, eip] = [await create("deleted"), await create("kept"), await makeEip()];
  await client.ok("AttachTags", { ...pair(tag, "eip", eip, 1), ...pair(other, "eip", eip, 2) });
  expect(await client.ok("DeleteTags", { "tags.1": tag })).toMatchObject({ tags: [tag] });
  expect(await tagsOfEip(eip)).toEqual([{ tag_id: other, tag_name: "kept", color: "#9f9bb7" }]);
  expect(await client.ok("DescribeEips", { "tags.1": tag })).toMatchObject({ total_count: 0 });
  expect(await client.ok("DescribeTags", { "tags.1": tag })).toMatchObject({ total_count: 0 });
});

test("tags stay when jobs change their resource, and on disk when the cloud stops", async () => {
  const home = mkdtempSync(join(tmpdir(), "local-cloud-"));
  const stopped = await startTestCloud({ home });
  const eip = firstId((await stopped.client.ok("AllocateEips", { bandwidth: "1" })).eips);
  const tag = String((await stopped.client.ok("CreateTag", { tag_name: "stays" })).tag_id);
  await stopped.client.ok("AttachTags", pair(tag, "eip", eip));
  await stopped.client.done("ChangeEipsBandwidth", { "eips.1": eip, bandwidth: "5" });
  await stopped.stop();
  const store = new Store(join(home, "state.db"));
  expect(store.get("eip", "gpu1a", eip)).toMatchObject({ bandwidth: 5, tagIds: [tag] });
  expect(store.get("tag", "gpu1a", tag)).toMatchObject({ name: "stays", color: "#9f9bb7" });
  store.close();
  rmSync(home, { recursive: true });
});
