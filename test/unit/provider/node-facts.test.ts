import { expect, test } from "vitest";
import {
  describeLacks,
  type Facts,
  lackOfPython,
  lacksOf,
  type Need,
} from "../../../provider/link/node-facts.ts";

const ready: Facts = {
  python: "3.10.12",
  pythonCommand: true,
  torch: "1.12.1+cu113",
  cuda: "11.3",
  gpuDevices: 2,
  driver: "515.65.01",
  gpus: 2,
  sudo: true,
  docker: true,
  nvidiaRuntime: true,
  installation: "0badcafe",
  boot: "1",
};
const bare: Facts = {
  python: "3.7.3",
  pythonCommand: false,
  torch: null,
  cuda: null,
  gpuDevices: 0,
  driver: null,
  gpus: 0,
  sudo: false,
  docker: false,
  nvidiaRuntime: false,
  installation: "0badcafe",
  boot: "1",
};
const all: readonly Need[] = ["python", "torch", "cuda", "gpu", "sudo", "docker", "nvidia-runtime"];
const told = (needs: readonly Need[], found: Facts) =>
  describeLacks("The node at 203.0.113.10:2201", lacksOf(needs, found), needs, found).split("\n");

test("a node that has all lacks nothing", () => {
  expect(lacksOf(all, ready)).toEqual([]);
});

test("what is not needed is not missed", () => {
  expect(lacksOf([], { ...bare, python: "3.8.0" })).toEqual([]);
});

test("all that is lacking is told at once, with what there is and what to do", () => {
  expect(told(all, bare)).toEqual([
    "The node at 203.0.113.10:2201 lacks what the run needs:",
    "  - Python 3.8 or newer: python3 is 3.7.3; take a newer release of the image's system",
    "  - the command python, which ranks are started with: there is python3 alone",
    "  - PyTorch: python3 finds no module torch",
    "  - a GPU: there is none of NVIDIA on its PCI bus; choose a shape with GPUs (crosszone:zones[].shape)",
    "  - sudo: the user may not become root without a password",
    "  - a container runtime: there is no command docker",
    "It has Python 3.7.3, no PyTorch, no NVIDIA driver, 0 GPUs, no docker.",
    "Choose an image that has it (crosszone:zones[].imageId), or run scripts/node/prepare-gpu.sh on the node: `sudo sh prepare-gpu.sh --torch cu113 --sudo-for USER --docker`.",
  ]);
});

test.each<[string, readonly Need[], Partial<Facts>, string, string]>([
  [
    "a PyTorch for CPUs where CUDA is needed",
    ["torch", "cuda", "gpu"],
    { torch: "1.13.1", cuda: null },
    "CUDA: PyTorch 1.13.1 was built for CPUs alone",
    "sudo sh prepare-gpu.sh --torch cu113",
  ],
  [
    "GPUs without a driver",
    ["gpu"],
    { gpus: 0, driver: null },
    "the NVIDIA driver: 2 GPUs are there, no driver is loaded",
    "sudo sh prepare-gpu.sh",
  ],
  [
    "a driver that does not work",
    ["gpu"],
    { gpus: 0, gpuDevices: 1 },
    "a working NVIDIA driver: 1 GPU is there, driver 515.65.01 is loaded, nvidia-smi lists none",
    "sudo sh prepare-gpu.sh",
  ],
  [
    "containers that would have no GPU",
    ["docker", "nvidia-runtime"],
    { nvidiaRuntime: false },
    "NVIDIA's container runtime: containers would have no GPU",
    "sudo sh prepare-gpu.sh --docker",
  ],
])("%s", (_, needs, facts, what, command) => {
  const lines = told(needs, { ...ready, ...facts });
  expect(lines.filter((line) => line.startsWith("  - "))).toEqual([`  - ${what}`]);
  expect(lines.at(-1)).toContain(`\`${command}\``);
});

test("for a run without GPUs, a node without one is prepared without a driver", () => {
  const line = told(["torch"], { ...ready, gpuDevices: 0, torch: null, cuda: null }).at(-1);
  expect(line).toContain("`sudo sh prepare-gpu.sh --torch cpu --driver none --cuda none`");
});

test("where only another shape helps, no script is named", () => {
  expect(told(["gpu"], { ...ready, gpus: 0, gpuDevices: 0, driver: null }).at(-1)).toBe(
    "Choose an image that has it (crosszone:zones[].imageId).",
  );
});

test("without python3 that is what is told, since nothing else could be looked at", () => {
  expect(describeLacks("The node at 203.0.113.10:2201", [lackOfPython], [], undefined).split("\n")).toEqual([
    "The node at 203.0.113.10:2201 lacks what the run needs:",
    "  - Python 3.8 or newer: there is no python3, so no PyTorch",
    "Choose an image that has it (crosszone:zones[].imageId), or run scripts/node/prepare-gpu.sh on the node: `sudo sh prepare-gpu.sh --torch cu113`.",
  ]);
});
