import { expect, test } from "vitest";
import { summarize } from "../../../scripts/dev/summary.ts";

const zone = (name: string, zoneId: string, publicIp: string, ...addresses: string[]) => ({
  name,
  zoneId,
  publicIp,
  bandwidthMbps: 20,
  nodes: addresses.map((privateIp, index) => ({ name: `${name}-${index + 1}`, privateIp })),
});
const zones = [
  zone("beijing", "gpu1a", "203.0.113.10", "192.168.1.2", "192.168.1.3"),
  zone("shanghai", "gpu2a", "198.51.100.10", "192.168.2.2"),
];
const measured = {
  kind: "ipsec",
  zones: ["beijing", "shanghai"],
  over: "internet",
  encrypted: true,
  up: true,
  rttMs: 1.1034,
  goodputMbps: 18.308,
  mtu: 1400,
};
const unchecked = {
  ...measured,
  kind: "gre",
  over: "intranet",
  encrypted: false,
  up: null,
  rttMs: null,
  goodputMbps: null,
};
const zoneLines = [
  "zone    beijing (gpu1a)  203.0.113.10  20 Mbit/s  beijing-1 192.168.1.2, beijing-2 192.168.1.3",
  "zone    shanghai (gpu2a)  198.51.100.10  20 Mbit/s  shanghai-1 192.168.2.2",
];

test("a network alone: its zones and its tunnel", () => {
  expect(summarize({ zones, tunnels: [measured], training: null })).toEqual([
    ...zoneLines,
    "tunnel  beijing - shanghai  ipsec over the internet, encrypted, up, RTT 1.1 ms, 18.3 Mbit/s, MTU 1400",
  ]);
});

test("a tunnel that was not checked says so, and one that is not encrypted too", () => {
  expect(summarize({ zones: [], tunnels: [unchecked], training: null })).toEqual([
    "tunnel  beijing - shanghai  gre over the intranet, not encrypted, not checked, MTU 1400",
  ]);
});

test("a tunnel that was checked beside a training says that its speed was not measured", () => {
  expect(summarize({ zones: [], tunnels: [{ ...measured, goodputMbps: null }], training: null })).toEqual([
    "tunnel  beijing - shanghai  ipsec over the internet, encrypted, up, RTT 1.1 ms, speed not measured beside a training, MTU 1400",
  ]);
});

test("a run with results: one line for the run and one for each rank", () => {
  const result = {
    exitCode: 0,
    epochs: 4,
    finalLoss: 0.95651881,
    accuracy: 0.78830083,
    parametersSha256: "3b430732c8bb471667d401402d2b972123a1a4dae9480e93975d01d380726d83",
    secondsPerStep: 0.07948758,
    samplesSeen: 2876,
  };
  const training = {
    state: "succeeded",
    runId: "73a312957c82",
    script: "pytorch_mnist_dist.py",
    worldSize: 2,
    ranks: [
      { rank: 0, node: "beijing-1", ...result },
      { rank: 1, node: "shanghai-1", ...result, accuracy: 1, secondsPerStep: 0.0804 },
    ],
  };
  expect(summarize({ zones: [], tunnels: [], training })).toEqual([
    "run     73a312957c82  pytorch_mnist_dist.py  succeeded, world size 2",
    "rank 0  beijing-1  accuracy 0.7883  loss 0.9565  4 epochs  2876 samples  79 ms a step  parameters 3b430732c8bb",
    "rank 1  shanghai-1  accuracy 1.0000  loss 0.9565  4 epochs  2876 samples  80 ms a step  parameters 3b430732c8bb",
  ]);
});

test("a run that was not waited for: its ranks and nothing more", () => {
  const ranks = [{ rank: 0, node: "beijing-1" }];
  const training = { state: "running", runId: "0123456789ab", script: "x.py", worldSize: 1, ranks };
  expect(summarize({ zones, tunnels: [], training })).toEqual([
    ...zoneLines,
    "run     0123456789ab  x.py  running, world size 1",
    "rank 0  beijing-1",
  ]);
});

test("outputs of another form are told, not shown as undefined", () => {
  expect(() => summarize({ zones: [{ name: "a" }], tunnels: [], training: null })).toThrow(/zoneId/);
});
