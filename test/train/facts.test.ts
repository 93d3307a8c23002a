/** What facts.py finds on nodes with and without PyTorch, a driver, GPUs and Docker. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Python } from "./python.ts";

const source = await readFile(new URL("../../scripts/node/facts.py", import.meta.url), "utf8");

let place: string;
beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "facts-"));
});
afterEach(() => rmSync(place, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(join(place, path, ".."), { recursive: true });
  writeFileSync(join(place, path), text);
}

/** A command that says something. */
function program(name: string, says: string): void {
  write(`bin/${name}`, `#!/bin/sh\ncat <<'SAYS'\n${says}\nSAYS\n`);
  chmodSync(join(place, "bin", name), 0o755);
}

/** On a node whose PATH, Python modules, /sys and /proc are those of the place. */
async function facts(called = "main"): Promise<Record<string, unknown>> {
  const moved = `
real_open, real_glob = open, glob.glob
def open(path, *rest):
    return real_open(${JSON.stringify(place)} + path if path.startswith(("/sys/", "/proc/")) else path, *rest)
glob.glob = lambda pattern: [found[len(${JSON.stringify(place)}):] for found in real_glob(${JSON.stringify(place)} + pattern)]
os.environ["PATH"] = ${JSON.stringify(join(place, "bin"))} + ":/bin"
import sys
sys.path = [each for each in sys.path if "dist-packages" not in each and "site-packages" not in each]
sys.path.insert(0, ${JSON.stringify(join(place, "modules"))})
${called}(${JSON.stringify(join(place, "home"))})
`;
  const python = new Python("-", [], { stdin: source + moved });
  const { code, stdout, stderr } = await python.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("PyTorch is read from its version.py", () => {
  test.each([
    [
      "of a wheel for CUDA",
      "__version__ = '1.12.1+cu113'\ndebug = False\ncuda = '11.3'\n",
      "1.12.1+cu113",
      "11.3",
    ],
    [
      "of 2.x, with types",
      "from typing import Optional\n__version__ = '2.4.1+cu121'\ncuda: Optional[str] = '12.1'\n",
      "2.4.1+cu121",
      "12.1",
    ],
    ["for CPUs", "__version__ = '1.13.0a0'\ncuda = None\n", "1.13.0a0", null],
    ["in an unknown form", "", "unknown", null],
  ])("%s", async (_, version, torch, cuda) => {
    write("modules/torch/__init__.py", "raise ImportError('it must not be imported')\n");
    write("modules/torch/version.py", version);
    expect(await facts()).toMatchObject({ torch, cuda });
  });

  test("and missed where there is none", async () => {
    expect(await facts()).toMatchObject({ torch: null, cuda: null });
  });
});

test("GPUs on the bus, the driver that is loaded, and what nvidia-smi lists are told apart", async () => {
  const device = (slot: string, vendor: string, kind: string) => {
    write(`sys/bus/pci/devices/${slot}/vendor`, `${vendor}\n`);
    write(`sys/bus/pci/devices/${slot}/class`, `${kind}\n`);
  };
  device("0000:00:05.0", "0x10de", "0x030200");
  device("0000:00:06.0", "0x10de", "0x030200");
  device("0000:00:06.1", "0x10de", "0x040300");
  device("0000:00:02.0", "0x1234", "0x030000");
  expect(await facts()).toMatchObject({ gpuDevices: 2, driver: null, gpus: 0 });
  program("nvidia-smi", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.");
  expect(await facts()).toMatchObject({ gpuDevices: 2, driver: null, gpus: 0 });
  write(
    "proc/driver/nvidia/version",
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  515.65.01  Wed Jul 20 14:00:58 UTC 2022\nGCC version:  gcc version 11.4.0\n",
  );
  program(
    "nvidia-smi",
    "GPU 0: Tesla P100-PCIE-16GB (UUID: GPU-1)\nGPU 1: Tesla P100-PCIE-16GB (UUID: GPU-2)",
  );
  expect(await facts()).toMatchObject({ gpuDevices: 2, driver: "515.65.01", gpus: 2 });
});

test("the driver of an open kernel module is read too", async () => {
  write(
    "proc/driver/nvidia/version",
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n",
  );
  expect(await facts()).toMatchObject({ driver: "550.54.15" });
});

test("a stock system has python3 and no python; one of Python 2 does not count", async () => {
  expect(await facts()).toMatchObject({ pythonCommand: false });
  write("bin/python", "#!/bin/sh\nexit 1\n");
  chmodSync(join(place, "bin", "python"), 0o755);
  expect(await facts()).toMatchObject({ pythonCommand: false });
  write("bin/python", '#!/bin/sh\nexec /usr/bin/python3 "$@"\n');
  expect(await facts()).toMatchObject({ pythonCommand: true });
});

test("NVIDIA's container runtime counts where there is Docker", async () => {
  program("nvidia-container-cli", "");
  expect(await facts()).toMatchObject({ docker: false, nvidiaRuntime: false });
  program("docker", "");
  expect(await facts()).toMatchObject({ docker: true, nvidiaRuntime: true });
});

test("the folder for a run is made, for the user alone", async () => {
  await facts();
  expect(statSync(join(place, "home")).mode & 0o777).toBe(0o700);
});

test("what is on the disk keeps its name until it is another system; each start of the node has its own", async () => {
  expect(await facts("identity")).toEqual({ installation: null, boot: expect.any(String) });
  write("proc/sys/kernel/random/boot_id", "3a5e\n");
  write("proc/1/stat", `1 (sh (x) y) S ${Array.from({ length: 18 }, () => 0).join(" ")} 4711 0`);
  const first = await facts();
  expect(first).toMatchObject({ installation: expect.stringMatching(/^[0-9a-f]{16}$/), boot: "3a5e-4711" });
  write("proc/1/stat", `1 (sh) S ${Array.from({ length: 18 }, () => 0).join(" ")} 4712 0`);
  const after = { installation: first.installation, boot: "3a5e-4712" };
  expect(await facts()).toMatchObject(after);
  expect(await facts("identity")).toEqual(after);
  rmSync(join(place, "home"), { recursive: true });
  expect(await facts("identity")).toEqual({ ...after, installation: null });
  expect((await facts()).installation).not.toBe(first.installation);
});
