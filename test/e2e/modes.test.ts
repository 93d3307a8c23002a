/** The guide's ways to train in one zone: each is a setting, and what runs is the script on the nodes' own image. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exportOf, type Outputs, outputsOf } from "./outputs.ts";
import { Place, root } from "./support.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  await place.unset("zones[1]");
});

afterAll(() => place.remove());

const sha256Of = (name: string) =>
  createHash("sha256")
    .update(readFileSync(join(root, "scripts", "train", name)))
    .digest("hex");

async function train(): Promise<Outputs> {
  const { code, text } = await place.start();
  expect(code, text).toBe(0);
  return await outputsOf(place);
}

test("single: python mnist.py in the guide's folder, on the one node of one zone", async () => {
  await place.configure("training.mode", "single");
  await place.configure("training.epochs", "5");
  const { zones, tunnels, training } = await train();
  expect(zones.map(({ nodes }) => nodes.map(({ name }) => name))).toEqual([["beijing-1"]]);
  expect(tunnels).toEqual([]);
  expect(training).toMatchObject({
    state: "succeeded",
    mode: "single",
    script: "mnist.py",
    scriptSha256: sha256Of("mnist.py"),
    worldSize: 1,
    ranks: [{ rank: 0, node: "beijing-1", exitCode: 0, epochs: 5, samplesSeen: 7190 }],
  });
  expect(training.ranks[0]?.accuracy).toBeGreaterThan(0.9);
});

test("distributed: mnist_dist.py on two nodes of the zone, without a tunnel; the first node stays", async () => {
  const before = await outputsOf(place);
  await place.configure("training.mode", "distributed");
  await place.configure("zones[0].nodes", "2");
  const { zones, tunnels, training } = await train();
  expect(zones[0]?.nodes[0]).toEqual(before.zones[0]?.nodes[0]);
  expect(tunnels).toEqual([]);
  expect(training).toMatchObject({
    state: "succeeded",
    mode: "distributed",
    script: "mnist_dist.py",
    scriptSha256: sha256Of("mnist_dist.py"),
    worldSize: 2,
    masterAddr: "192.168.1.2",
    ranks: [
      { rank: 0, node: "beijing-1", exitCode: 0, samplesSeen: 3595 },
      { rank: 1, node: "beijing-2", exitCode: 0, samplesSeen: 3595 },
    ],
  });
  const [one, other] = training.ranks;
  expect(other?.parametersSha256).toBe(one?.parametersSha256);
  const { resources } = await exportOf(place);
  expect(resources.filter(({ type }) => type.includes("Tunnel"))).toEqual([]);
});
