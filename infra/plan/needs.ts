/** What a node must have before anything runs on it. Pure. */

/** As NodeReady takes them. */
export type Need = "python" | "torch" | "cuda" | "gpu" | "sudo" | "docker" | "nvidia-runtime";

interface Wanted {
  readonly training: {
    readonly mode: string;
    readonly runtime: "host" | "container";
    readonly requireGpu: boolean;
    readonly container: { readonly options: readonly string[] };
  };
  readonly tunnel: { readonly check: string };
}

/** @param hasTunnels whether paths may be checked; undefined where nothing will run on the nodes */
export function planNeeds({ training, tunnel }: Wanted, hasTunnels: boolean): Need[] | undefined {
  if (training.mode === "none") return hasTunnels && tunnel.check !== "off" ? [] : undefined;
  const { runtime, requireGpu, container } = training;
  // Launchers set the routes through tunnels.
  const more: Need[] = [
    ...(requireGpu ? (["gpu"] as const) : []),
    ...(hasTunnels ? (["sudo"] as const) : []),
  ];
  if (runtime === "host") return ["python", "torch", ...(requireGpu ? (["cuda"] as const) : []), ...more];
  // What a container has beside GPUs, its image decides.
  const takesGpus = requireGpu || container.options.some((option) => /^--gpus\b/.test(option));
  return takesGpus ? ["docker", "nvidia-runtime", ...more] : ["docker", ...more];
}
