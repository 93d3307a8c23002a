import { beforeAll, expect, test } from "vitest";
import { firstId, makeKeyPair, makeNetwork, runInstance, withEndless } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const { client } = useTestCloud();
let keypair: string;
beforeAll(async () => {
  keypair = await makeKeyPair(client);
});

const run = () => runInstance(client, keypair);
const allocate = async (more: Readonly<Record<string, string>> = {}, at = client): Promise<string> =>
  firstId((await at.ok("AllocateEips", { bandwidth: "5", ...more })).eips);
const eipNow = (id: string) => client.one("DescribeEips", "eip_set", { "eips.1": id });
const instanceNow = (id: string) => client.one("DescribeInstances", "instance_set", { "instances.1": id });
const denied = (message: string) => ({ ret_code: 1400, message: `PermissionDenied, ${message}` });

test("an instance has one EIP, and both tell of each other", async () => {
  const [instance, other, eip, second] = [await run(), await run(), await allocate(), await allocate()];
  expect(await instanceNow(instance)).toMatchObject({ eip: {} });
  await client.done("AssociateEip", { eip, instance });
  const { eip_addr } = await eipNow(eip);
  expect(await instanceNow(instance)).toMatchObject({ eip: { eip_id: eip, eip_addr, bandwidth: 5 } });
  expect(await eipNow(eip)).toMatchObject({
    status: "associated",
    transition_status: "",
    resource: { resource_id: instance, resource_name: "", resource_type: "instance" },
  });
  expect(await client.ok("DescribeEips", { instance_id: instance })).toMatchObject({
    total_count: 1,
    eip_set: [{ eip_id: eip }],
  });
  expect(await client.ok("DescribeEips", { instance_id: other })).toMatchObject({ total_count: 0 });
  expect(await client.call("AssociateEip", { eip, instance: other })).toEqual(
    denied(
      `eip [${eip}] is associated with instance [${instance}], can not be associated with instance [${other}]`,
    ),
  );
  expect(await client.call("AssociateEip", { eip: second, instance })).toEqual(
    denied(
      `instance [${instance}] has eip [${eip}], eip [${second}] can not be associated with instance [${instance}] too`,
    ),
  );
  expect(await client.call("ReleaseEips", { "eips.1": eip })).toEqual(
    denied(`eip [${eip}] is associated with instance [${instance}], can not be released`),
  );
  await client.done("DissociateEips", { "eips.1": eip });
  expect(await eipNow(eip)).toMatchObject({ status: "available", resource: {} });
  expect(await instanceNow(instance)).toMatchObject({ eip: {} });
  expect(await client.call("DissociateEips", { "eips.1": eip })).toEqual(
    denied(`eip [${eip}] is not associated, can not be dissociated`),
  );
  await client.done("AssociateEip", { eip: second, instance });
});

test("what a router has is not an instance's, and the other way round, from the moment it is asked for", async () => {
  const { router, eip: routers } = await makeNetwork(client);
  const [instance, eip] = [await run(), await allocate()];
  expect(await client.call("AssociateEip", { eip: routers, instance })).toEqual(
    denied(
      `eip [${routers}] is associated with router [${router}], can not be associated with instance [${instance}]`,
    ),
  );
  expect(await client.call("DissociateEips", { "eips.1": routers })).toEqual(
    denied(
      `eip [${routers}] is associated with router [${router}], can not be dissociated, ` +
        "ModifyRouterAttributes with an empty eip and UpdateRouters take it from there",
    ),
  );
  await client.ok("ModifyRouterAttributes", { router, eip: "" });
  await client.done("UpdateRouters", { "routers.1": router });
  await client.done("AssociateEip", { eip, instance });
  expect(await client.call("ModifyRouterAttributes", { router, eip })).toEqual(
    denied(
      `eip [${eip}] is associated with instance [${instance}], can not be associated with router [${router}]`,
    ),
  );
});

test("while the job is under way the EIP is associating and neither takes another", async () => {
  await withEndless("AssociateEip", async (at) => {
    const key = await makeKeyPair(at);
    const [instance, other] = [await runInstance(at, key), await runInstance(at, key)];
    const [eip, second] = [await allocate({}, at), await allocate({}, at)];
    await at.ok("AssociateEip", { eip, instance });
    expect(await at.one("DescribeEips", "eip_set", { "eips.1": eip })).toMatchObject({
      status: "available",
      transition_status: "associating",
      resource: {},
    });
    expect(await at.call("AssociateEip", { eip, instance: other })).toEqual(
      denied(`eip [${eip}] is associating, can not be associated with instance [${other}]`),
    );
    expect(await at.call("AssociateEip", { eip: second, instance })).toEqual(
      denied(
        `instance [${instance}] has eip [${eip}], eip [${second}] can not be associated with instance [${instance}] too`,
      ),
    );
    await at.done("TerminateInstances", { "instances.1": instance });
  });
});

test("an EIP of associate_mode 1 is for instances", async () => {
  const [instance, eip] = [await run(), await allocate({ associate_mode: "1" })];
  await client.done("AssociateEip", { eip, instance });
  expect(await eipNow(eip)).toMatchObject({ status: "associated", associate_mode: 1 });
});

test("a terminated instance leaves its EIP behind, available", async () => {
  const [instance, eip] = [await run(), await allocate()];
  await client.done("AssociateEip", { eip, instance });
  await client.done("TerminateInstances", { "instances.1": instance });
  expect(await eipNow(eip)).toMatchObject({ status: "available", resource: {} });
  await client.done("ReleaseEips", { "eips.1": eip });
});
