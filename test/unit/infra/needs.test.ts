import { expect, test } from "vitest";
import { parseConfig } from "../../../infra/config.ts";
import { type Need, planNeeds } from "../../../infra/plan/needs.ts";
import { plain } from "./configurations.ts";

test.each<[string, object, readonly Need[]]>([
  ["on the host: python and PyTorch", {}, ["python", "torch"]],
  [
    "on GPUs: a PyTorch with CUDA, and the GPUs with their driver",
    { requireGpu: true },
    ["python", "torch", "cuda", "gpu"],
  ],
  ["in a container: Docker", { runtime: "container" }, ["docker"]],
  [
    "in a container on GPUs: NVIDIA's runtime too",
    { runtime: "container", requireGpu: true },
    ["docker", "nvidia-runtime", "gpu"],
  ],
  [
    "in a container that is given GPUs: the same runtime",
    { runtime: "container", container: { options: ["--gpus=all"] } },
    ["docker", "nvidia-runtime"],
  ],
])("%s", (_, training, needs) => {
  expect(planNeeds(parseConfig({ ...plain, training }), true)).toEqual(needs);
});

test("without training nodes must only be there, and only where paths are checked", () => {
  const of = (tunnel: object) => parseConfig({ ...plain, tunnel, training: { mode: "none" } });
  expect(planNeeds(of({}), true)).toEqual([]);
  expect(planNeeds(of({ check: "off" }), true)).toBeUndefined();
  expect(planNeeds(of({ kind: "none" }), false)).toBeUndefined();
});
