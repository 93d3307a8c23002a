/** The guide's ways to train in one zone: each is a setting, and what runs is the script on the nodes' own image. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Outputs, outputsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { root } from "../harness/process.ts";

let place: Place;

beforeAll(async () => {
  place = new Place();
  place.configure({ "zones[1]": undefined });
});

afterAll(() => place.remove());

const sha256Of = (name: string) =>
  createHash("sha256")
    .update(readFileSync(join(root, "scripts", "train", name)))
    .digest("hex");

async function trained(): Promise<{ text: string; outputs: Outputs }> {
  const { code, text } = await place.start();
  expect(code, text).toBe(0);
  return { text, outputs: outputsOf(place) };
}

/** 28 × 28 pixels each, of which one row is bright: the label's. */
function idxImages(count: number): Buffer {
  const header = Buffer.alloc(16);
  for (const [place, value] of [0x803, count, 28, 28].entries()) header.writeUInt32BE(value, place * 4);
  const images = Array.from({ length: count }, (_, index) =>
    Buffer.alloc(784).fill(255, (index % 10) * 28, (index % 10) * 28 + 28),
  );
  return Buffer.concat([header, ...images]);
}

function idxLabels(count: number): Buffer {
  const header = Buffer.alloc(8);
  for (const [place, value] of [0x801, count].entries()) header.writeUInt32BE(value, place * 4);
  return Buffer.concat([header, Buffer.from(Array.from({ length: count }, (_, index) => index % 10))]);
}

test("single: python mnist.py in the guide's folder, on the one node of one zone", async () => {
  place.configure({ "training.mode": "single" });
  place.configure({ "training.epochs": 5 });
  const { zones, tunnels, training } = (await trained()).outputs;
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

test("single on MNIST: its four files are brought from a folder of this machine, once", async () => {
  // The real set can not be fetched here: files of the same form, with images of a bright row for each digit.
  const folder = join(place.directory, "mnist");
  mkdirSync(folder);
  const [training, test] = [300, 100];
  for (const [part, count] of [
    ["train", training],
    ["t10k", test],
  ] as const) {
    writeFileSync(join(folder, `${part}-images-idx3-ubyte`), idxImages(count));
    writeFileSync(join(folder, `${part}-labels-idx1-ubyte.gz`), gzipSync(idxLabels(count)));
  }
  place.configure({ "training.dataset": "mnist" });
  place.configure({ "training.data": folder });
  const { text, outputs } = await trained();
  expect(outputs.training).toMatchObject({
    state: "succeeded",
    script: "mnist.py",
    ranks: [{ rank: 0, exitCode: 0, epochs: 5, samplesSeen: 5 * training }],
  });
  expect(text).toMatch(/beijing-1-train-images-idx3-ubyte created/);
  place.configure({ "training.dataset": undefined });
  place.configure({ "training.data": undefined });
});

test("distributed: mnist_dist.py on two nodes of the zone, without a tunnel; the first node stays", async () => {
  const before = outputsOf(place);
  place.configure({ "training.mode": "distributed" });
  place.configure({ "zones[0].nodes": 2 });
  const { zones, tunnels, training } = (await trained()).outputs;
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
  const { resources } = place.checkpoint();
  expect(resources.filter(({ type }) => type.includes("Tunnel"))).toEqual([]);
});

test("multi-gpu: pytorch_multi_gpu_test.py on one node, a CPU worker for each GPU that the shape has", async () => {
  place.configure({ "training.mode": "multi-gpu" });
  place.configure({ "zones[0].nodes": 1 });
  place.configure({ "zones[0].shape.instanceType": "g2ntp100.8xlarge.r4" });
  const { text, outputs } = await trained();
  expect(text).toMatch(/^rank 0 \| PyTorch .*, no CUDA: 2 workers on the CPU in place of 2 GPUs$/m);
  expect(outputs.training).toMatchObject({
    state: "succeeded",
    mode: "multi-gpu",
    script: "pytorch_multi_gpu_test.py",
    scriptSha256: sha256Of("pytorch_multi_gpu_test.py"),
    worldSize: 1,
    ranks: [{ rank: 0, node: "beijing-1", exitCode: 0, epochs: 5, samplesSeen: 7190 }],
  });
});

test("multi-gpu in a container: the same script of the container's image, with the same result", async () => {
  const before = outputsOf(place);
  place.configure({ "training.runtime": "container" });
  const { text, outputs } = await trained();
  expect(text).toMatch(/^rank 0 \| PyTorch .*, no CUDA: 2 workers on the CPU in place of 2 GPUs$/m);
  const [one, other] = [before, outputs].map(({ training }) => training.ranks[0]);
  expect(other).toEqual({ ...one, secondsPerStep: other?.secondsPerStep });
  expect(outputs.zones).toEqual(before.zones);
});
