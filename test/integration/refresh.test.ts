/**
 * What a refresh looks at in the same run as an `up` or a `destroy`: the engine compares it too, but that is no wish to keep it.
 */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Stack, up } from "../harness/stack.ts";
import { differencesOf, idsInZones } from "../harness/whole-cloud.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const zoneIds = ["gpu1a", "gpu2a"] as const;
const idsOf = async () => await idsInZones(stack.cloud.client, zoneIds);

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
let before: string[];
beforeAll(async () => {
  stack = await Stack.here();
  before = await idsOf();
  await stack.ok(...up);
});
afterAll(async () => await stack?.remove());

test("up --refresh with a zone fewer deletes what was that zone's", async () => {
  const zones = [
    { name: "beijing", zoneId: "gpu1a", network: "192.168.1.0/24", imageId: "img-deeplearning" },
  ];
  stack.configure({ zones });
  await stack.ok(...up, "--refresh");
  expect(stack.resources().filter(({ urn }) => urn.includes("shanghai"))).toEqual([]);
  expect(await differencesOf(stack.cloud.client, zoneIds, stack.resources(), before)).toEqual([]);
  await stack.noChanges();
});

test("destroy --refresh deletes everything, what no state knows too", async () => {
  const { client } = stack.cloud;
  const mark = stack.resources(":StackMark")[0]?.id;
  const [vxnet, keyPair] = ["Vxnet", "KeyPair"].map((type) => stack.resources(`:${type}`)[0]?.id ?? "");
  await client.done("RunInstances", {
    ...{ image_id: "img-bare", instance_type: "c1m1", login_mode: "keypair", login_keypair: keyPair ?? "" },
    ...{ "vxnets.1": vxnet ?? "", instance_name: `beijing-2-${mark}-12345678` },
  });
  await stack.ok("destroy", "--refresh", "--yes", "--skip-preview");
  expect(await idsOf()).toEqual(before);
});
