import { expect, test } from "vitest";
import { parseConfig } from "../../../infra/config.ts";
import { type Need, planNeeds } from "../../../infra/plan/needs.ts";
import { plain } from "./configurations.ts";

test.each<[string, object, readonly Need[]]>([
  ["on the host: python and PyTorch, and sudo for routes through tunnels", {}, ["python", "torch", "sudo"]],
  [
    "on GPUs: a PyTorch with CUDA, and the GPUs with their driver",
    { requireGpu: true },
    ["python", "torch", "cuda", "gpu", "sudo"],
  ],
  ["in a container: Docker", { runtime: "container" }, ["docker", "sudo"]],
  [
    "in a container on GPUs: NVIDIA's runtime too",
    { runtime: "container", requireGpu: true },
    ["docker", "nvidia-runtime", "gpu", "sudo"],
  ],
  [
    "in a container that is given GPUs: the same runtime",
    { runtime: "container", container: { options: ["--gpus=all"] } },
    ["docker", "nvidia-runtime", "sudo"],
  ],
])("%s", (_, training, needs) => {
  expect(planNeeds(parseConfig({ ...plain, training }), true)).toEqual(needs);
});

test("without tunnels nobody sets routes", () => {
  expect(planNeeds(parseConfig(plain), false)).toEqual(["python", "torch"]);
});

test("without training nodes must only be there, and only where paths are checked", () => {
  const of = (tunnel: object) => parseConfig({ ...plain, tunnel, training: { mode: "none" } });
  expect(planNeeds(of({}), true)).toEqual([]);
  expect(planNeeds(of({ check: "off" }), true)).toBeUndefined();
  expect(planNeeds(of({ kind: "none" }), false)).toBeUndefined();
});
