/**
 * One stack through all shapes that a configuration can give it: each test goes on where the one before ended, so that
 * each shape also proves the change to it.
 */
import { afterAll, beforeAll, describe } from "vitest";
import { Place } from "../harness/place.ts";
import { bareNode } from "./shapes/bare-node.ts";
import { fourVpcs } from "./shapes/four-vpcs.ts";
import { launchers } from "./shapes/launchers.ts";
import { oneZone } from "./shapes/one-zone.ts";
import { environment } from "./shapes/stack.ts";

let place: Place;
const stack = () => place;

beforeAll(async () => {
  place = new Place(environment);
  await place.cloudOk("start");
});

afterAll(() => place.remove());

describe("a node of a bare image, which prepare-gpu.sh makes ready", () => bareNode(stack));
describe("the guide's ways to train in one zone", () => oneZone(stack));
describe("eight nodes in four VPCs, two in each zone", () => fourVpcs(stack));
describe("several ranks on each node of two zones", () => launchers(stack));
