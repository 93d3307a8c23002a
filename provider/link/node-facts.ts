/** What a node has, what a run needs of it, and what to do where it lacks that. Pure. */
import { z } from "zod";

export const need = z.enum(["python", "torch", "cuda", "gpu", "sudo", "docker", "nvidia-runtime"]);
export type Need = z.output<typeof need>;

/** As facts.py tells them. */
export const facts = z.object({
  python: z.string().describe("Version of python3."),
  pythonCommand: z.boolean().describe("Whether the command python is Python 3."),
  torch: z.string().nullable().describe("Version of PyTorch, or null."),
  cuda: z.string().nullable().describe("Version of CUDA that PyTorch was built for, or null."),
  gpuDevices: z.number().int().describe("GPUs of NVIDIA on the PCI bus, with or without a driver."),
  driver: z.string().nullable().describe("Version of the NVIDIA driver that is loaded, or null."),
  gpus: z.number().int().describe("GPUs that nvidia-smi lists."),
  sudo: z.boolean().describe("Whether the user may become root without a password."),
  docker: z.boolean().describe("Whether there is a container runtime, by the command docker."),
  nvidiaRuntime: z.boolean().describe("Whether containers can have GPUs, by NVIDIA's container runtime."),
  // Null in a state that an earlier version has written.
  installation: z
    .string()
    .nullable()
    .describe("A name for what is on the node's disk: another one after its system was installed again."),
  boot: z.string().nullable().describe("A name for the node's last start."),
});
export const identity = facts.pick({ installation: true, boot: true });
export type Facts = z.output<typeof facts>;

const ofGpus: ReadonlySet<Need> = new Set<Need>(["cuda", "gpu", "nvidia-runtime"]);
const oldestPython = [3, 8] as const;

/** A thing that a node lacks. */
interface Lack {
  readonly what: string;
  /** How scripts/node/prepare-gpu.sh is asked for it; absent where it can not help. */
  readonly flag?: string;
}

/** What a node lacks, each with what to do; nothing if it has all. */
export function lacksOf(needs: readonly Need[], found: Facts): Lack[] {
  const python = isOld(found.python)
    ? [
        {
          what: `Python 3.8 or newer: python3 is ${found.python}; take a newer release of the image's system`,
        },
      ]
    : [];
  return [...python, ...needs.flatMap((name) => lackOf(name, found) ?? [])];
}

function lackOf(name: Need, found: Facts): Lack | undefined {
  switch (name) {
    case "python":
      if (found.pythonCommand) return undefined;
      return { what: "the command python, which ranks are started with: there is python3 alone", flag: "" };
    case "torch":
      if (found.torch !== null) return undefined;
      return { what: "PyTorch: python3 finds no module torch", flag: "--torch cu113" };
    case "cuda":
      // Without PyTorch that is what is told.
      if (found.cuda !== null || found.torch === null) return undefined;
      return {
        what: `CUDA: PyTorch ${found.torch} was built for CPUs alone`,
        flag: "--torch cu113",
      };
    case "gpu":
      return gpuLack(found);
    case "sudo":
      if (found.sudo) return undefined;
      return { what: "sudo: the user may not become root without a password", flag: "--sudo-for USER" };
    case "docker":
      if (found.docker) return undefined;
      return { what: "a container runtime: there is no command docker", flag: "--docker" };
    case "nvidia-runtime":
      // Without Docker that is what is told, where it is needed too.
      if (found.nvidiaRuntime || !found.docker) return undefined;
      return {
        what: "NVIDIA's container runtime: containers would have no GPU",
        flag: "--docker",
      };
  }
}

function gpuLack({ gpus, gpuDevices, driver }: Facts): Lack | undefined {
  if (gpus > 0) return undefined;
  if (gpuDevices === 0) {
    return {
      what: "a GPU: there is none of NVIDIA on its PCI bus; choose a shape with GPUs (crosszone:zones[].shape)",
    };
  }
  const there = `${gpuDevices} GPU${gpuDevices === 1 ? " is" : "s are"} there`;
  if (driver === null) return { what: `the NVIDIA driver: ${there}, no driver is loaded`, flag: "" };
  return {
    what: `a working NVIDIA driver: ${there}, driver ${driver} is loaded, nvidia-smi lists none`,
    flag: "",
  };
}

/**
 * All that a node lacks at once, what it has, and what to do.
 * @param node e.g. `The node at 203.0.113.10:2201`
 * @param found undefined where it could not be looked at
 */
export function describeLacks(
  node: string,
  lacks: readonly Lack[],
  needs: readonly Need[],
  found: Facts | undefined,
): string {
  const canPrepare = lacks.some(({ flag }) => flag !== undefined);
  return [
    `${node} lacks what the run needs:`,
    ...lacks.map(({ what }) => `  - ${what}`),
    ...(found === undefined ? [] : [`It has ${describeFacts(found)}.`]),
    `Choose an image that has it (crosszone:zones[].imageId)${canPrepare ? `, or run scripts/node/prepare-gpu.sh on the node: \`${prepareCommand(lacks, needs, found)}\`` : ""}.`,
  ].join("\n");
}

function prepareCommand(lacks: readonly Lack[], needs: readonly Need[], found: Facts | undefined): string {
  // A node without a GPU can have no driver; one that shall have a GPU gets it with the GPU.
  const onCpu = found?.gpuDevices === 0 && !needs.some((name) => ofGpus.has(name));
  const flags = lacks.flatMap(({ flag }) => (flag ? [onCpu ? flag.replace(/cu\d+/, "cpu") : flag] : []));
  const cpu = onCpu ? ["--driver none --cuda none"] : [];
  return ["sudo sh prepare-gpu.sh", ...new Set(flags), ...cpu].join(" ");
}

function describeFacts({ python, torch, cuda, driver, gpus, docker }: Facts): string {
  const built =
    torch === null ? "no PyTorch" : `PyTorch ${torch} (${cuda === null ? "CPU" : `CUDA ${cuda}`})`;
  const loaded = driver === null ? "no NVIDIA driver" : `NVIDIA driver ${driver}`;
  return `Python ${python}, ${built}, ${loaded}, ${gpus} GPUs, ${docker ? "docker" : "no docker"}`;
}

/** Of a node without python3 nothing else is looked at. */
export const lackOfPython: Lack = {
  what: "Python 3.8 or newer: there is no python3, so no PyTorch",
  flag: "--torch cu113",
};

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < oldestPython[0] || (major === oldestPython[0] && minor < oldestPython[1]);
}
