/**
 * One stack through all shapes that a configuration can give it: each test goes on where the one before ended, so that
 * each shape also proves the change to it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { namespacesOf } from "../harness/machine.ts";
import { Place } from "../harness/place.ts";
import { bareNode } from "./shapes/bare-node.ts";
import { fourVpcs } from "./shapes/four-vpcs.ts";
import { oneZone } from "./shapes/one-zone.ts";

let place: Place;
const stack = () => place;

beforeAll(async () => {
  place = new Place();
  await place.cloudOk("start", "--port", "0");
});

afterAll(() => place.remove());

describe("a node of a bare image, which prepare-gpu.sh makes ready", () => bareNode(stack));
describe("the guide's ways to train in one zone", () => oneZone(stack));
describe("eight nodes in four VPCs, two in each zone", () => fourVpcs(stack));

test("destroy leaves nothing of it", async () => {
  const { nodes, routers } = await place.status();
  const prefix = `${routers[0]?.namespace.split("-")[0]}-`;
  expect(namespacesOf(prefix).length).toBeGreaterThanOrEqual(nodes.length + routers.length);
  await place.pulumiOk("destroy", "--yes", "--non-interactive");
  expect(await place.status()).toMatchObject({ routers: [], nodes: [] });
  expect(namespacesOf(prefix)).toEqual([]);
  expect(place.checkpoint().resources).toEqual([]);
});
