/** Each way to train in one zone is a setting, and what runs is the script on the nodes' own image. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { outputsOf } from "../../harness/outputs.ts";
import { ready, type Stack, sha256Of, trained, twoGpus } from "./stack.ts";

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

/** `up` shows a line of a rank behind the resource that it comes from. */
const twoWorkers = /\brank 0 \| PyTorch .*, no CUDA: 2 workers on the CPU in place of 2 GPUs$/m;

export function oneZone(stack: Stack): void {
  test("single: python mnist.py in the guide's folder, on the one node of one zone; MNIST's four files are brought from a folder of this machine, once", async () => {
    // The real set cannot be fetched here: files of the same form, with images of a bright row for each digit.
    const place = stack();
    const folder = join(place.directory, "mnist");
    mkdirSync(folder);
    const [samples, test] = [300, 100];
    for (const [part, count] of [
      ["train", samples],
      ["t10k", test],
    ] as const) {
      writeFileSync(join(folder, `${part}-images-idx3-ubyte`), idxImages(count));
      writeFileSync(join(folder, `${part}-labels-idx1-ubyte.gz`), gzipSync(idxLabels(count)));
    }
    place.configure({
      "zones[0].imageId": ready,
      "zones[0].shape": twoGpus,
      "training.script": undefined,
      "training.dataset": "mnist",
      "training.data": folder,
      "training.epochs": 5,
    });
    const { text, zones, tunnels, training } = await trained(place);
    expect(zones.map(({ nodes }) => nodes.map(({ name }) => name))).toEqual([["beijing-1"]]);
    expect(tunnels).toEqual([]);
    expect(training).toMatchObject({
      state: "succeeded",
      mode: "single",
      script: "mnist.py",
      scriptSha256: sha256Of("mnist.py"),
      worldSize: 1,
      ranks: [{ rank: 0, node: "beijing-1", exitCode: 0, epochs: 5, samplesSeen: 5 * samples }],
    });
    expect(training.ranks[0]?.accuracy).toBeGreaterThan(0.9);
    for (const part of ["train", "t10k"]) {
      for (const file of ["images-idx3-ubyte", "labels-idx1-ubyte.gz"]) {
        expect(text.split(`beijing-1-${part}-${file} created`)).toHaveLength(2);
      }
    }
  });

  test("distributed: mnist_dist.py on two nodes of the zone, without a tunnel; the first node stays", async () => {
    const place = stack();
    const before = outputsOf(place);
    place.configure({
      "training.dataset": undefined,
      "training.data": undefined,
      "training.mode": "distributed",
      "training.epochs": 2,
      "zones[0].nodes": 2,
    });
    const { zones, tunnels, training } = await trained(place);
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
        { rank: 0, node: "beijing-1", exitCode: 0, samplesSeen: 1438 },
        { rank: 1, node: "beijing-2", exitCode: 0, samplesSeen: 1438 },
      ],
    });
    const [one, other] = training.ranks;
    expect(other?.parametersSha256).toBe(one?.parametersSha256);
    const { resources } = place.checkpoint();
    expect(resources.filter(({ type }) => type.includes("Tunnel"))).toEqual([]);
  });

  test("multi-gpu: pytorch_multi_gpu_test.py on one node, a CPU worker for each GPU that the shape has", async () => {
    const place = stack();
    place.configure({ "training.mode": "multi-gpu", "zones[0].nodes": 1 });
    const { text, training } = await trained(place);
    expect(text).toMatch(twoWorkers);
    expect(training).toMatchObject({
      state: "succeeded",
      mode: "multi-gpu",
      script: "pytorch_multi_gpu_test.py",
      scriptSha256: sha256Of("pytorch_multi_gpu_test.py"),
      worldSize: 1,
      ranks: [{ rank: 0, node: "beijing-1", exitCode: 0, epochs: 2, samplesSeen: 2876 }],
    });
  });

  test("multi-gpu in a container: the same script of the container's image, with the same result", async () => {
    const place = stack();
    const before = outputsOf(place);
    place.configure({ "training.runtime": "container" });
    const after = await trained(place);
    expect(after.text).toMatch(twoWorkers);
    const [one, other] = [before, after].map(({ training }) => training.ranks[0]);
    expect(other).toEqual({ ...one, secondsPerStep: other?.secondsPerStep });
    expect(after.zones).toEqual(before.zones);
  });
}
