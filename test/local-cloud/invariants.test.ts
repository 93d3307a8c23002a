import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Home } from "../../local-cloud/home.ts";
import type { Resource } from "../../local-cloud/store/resources.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { brokenInvariants } from "./invariants.ts";
import { firstId, makeKeyPair, makeNetwork } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const cloud = useTestCloud();
let store: Store;
let ids: Record<"router" | "vxnet" | "eip" | "keypair" | "instance" | "volume" | "tag", string>;

beforeAll(async () => {
  const { client } = cloud;
  const net = await makeNetwork(client);
  const keypair = await makeKeyPair(client);
  const run = { image_id: "img-bare", instance_type: "c1m1", login_mode: "keypair", login_keypair: keypair };
  const instance = firstId((await client.done("RunInstances", { ...run, "vxnets.1": net.vxnet })).instances);
  const volume = firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
  await client.done("AttachVolumes", { "volumes.1": volume, instance });
  const tag = String((await client.ok("CreateTag", { tag_name: "tag" })).tag_id);
  const pair = { tag_id: tag, resource_type: "eip", resource_id: net.eip };
  await client.ok(
    "AttachTags",
    Object.fromEntries(Object.entries(pair).map(([name, value]) => [`resource_tag_pairs.1.${name}`, value])),
  );
  ids = { ...net, keypair, instance, volume, tag };
  // The cloud only reads from now on: both have the same state.
  store = new Store(new Home(cloud.home).state);
});

afterAll(() => store?.close());

type KindOf = "router" | "vxnet" | "eip" | "keypair" | "instance" | "volume" | "tag";

/** The broken rules once a resource is another than it was; nothing is kept. */
function brokenBy<K extends KindOf>(
  kind: K,
  change: (before: Extract<Resource, { kind: K }>) => Resource[],
): string[] {
  const before = store.get(kind, "gpu1a", ids[kind]) as Extract<Resource, { kind: K }>;
  return store.rehearse(() => {
    for (const resource of change(before)) store.put(resource);
    return brokenInvariants(store);
  });
}

describe("the rules of a sound state", () => {
  test("are kept by a network with everything in it", () => {
    expect(brokenInvariants(store)).toEqual([]);
  });

  test("an EIP is on one resource, and associated while it is", () => {
    expect(brokenBy("instance", (item) => [{ ...item, eipId: ids.eip }])).toEqual([
      `gpu1a: eip [${ids.eip}] is on more than one resource: ${ids.router}, ${ids.instance}`,
    ]);
    expect(brokenBy("eip", (item) => [{ ...item, status: "available" }])).toEqual([
      `gpu1a: eip [${ids.eip}] is available, on a router: true, on an instance: false`,
    ]);
  });

  test("what is referred to exists and is not gone", () => {
    expect(brokenBy("router", (item) => [{ ...item, status: "deleted" }])).toContain(
      `gpu1a: vxnet [${ids.vxnet}] refers to router [${ids.router}], which is gone`,
    );
    expect(brokenBy("instance", (item) => [{ ...item, keypairIds: ["kp-nowhere0"] }])).toEqual([
      `gpu1a: instance [${ids.instance}] refers to keypair [kp-nowhere0], which is not there`,
    ]);
    expect(brokenBy("eip", (item) => [{ ...item, tagIds: ["tag-nowhere0"] }])).toEqual([
      `gpu1a: eip [${ids.eip}] refers to tag [tag-nowhere0], which is not there`,
    ]);
  });

  test("networks of a router do not overlap, addresses of a vxnet are distinct and inside it", () => {
    const other = "vxnet-other000";
    expect(brokenBy("vxnet", (item) => [{ ...item, id: other }])).toEqual([
      `gpu1a: vxnets [${ids.vxnet}] and [${other}] overlap in router [${ids.router}]`,
    ]);
    expect(brokenBy("instance", (item) => [{ ...item, id: "i-other000" }]).join("\n")).toMatch(
      /addresses in vxnets: twice .*\n.*MAC addresses: twice/,
    );
    const outside = "10.0.0.1";
    expect(
      brokenBy("instance", (item) => [
        { ...item, nics: item.nics.map((nic) => ({ ...nic, address: outside })) },
      ]),
    ).toEqual([
      `gpu1a: instance [${ids.instance}] has [${outside}] outside [192.168.1.0/24] of vxnet [${ids.vxnet}]`,
    ]);
  });

  test("volumes are in use while they are attached, and nothing is under way without a job", () => {
    expect(brokenBy("volume", (item) => [{ ...item, status: "available" }])).toEqual([
      `gpu1a: volume [${ids.volume}] is available, attached to ${ids.instance}`,
    ]);
    expect(brokenBy("router", (item) => [{ ...item, transition: "updating" }])).toEqual([
      `gpu1a: router [${ids.router}] is still updating`,
    ]);
    expect(brokenBy("tag", (item) => [{ ...item, id: "tag-other000" }])).toEqual([
      "gpu1a: names of tags: twice tag",
    ]);
  });
});
