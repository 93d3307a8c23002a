/** What prepare-gpu.sh would do on nodes of several kinds, and what it refuses; nothing is done on this machine. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { release, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const source = readFileSync(new URL("../../../scripts/node/prepare-gpu.sh", import.meta.url), "utf8");

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "prepare-gpu-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text: string): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function install(...packages: string[]): void {
  const records = packages.map(
    (name) =>
      `Package: ${name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nMaintainer: x\nDescription: x\n`,
  );
  write("var/lib/dpkg/status", records.join("\n"));
}

/** A stock Ubuntu with a P100. */
function stock(): void {
  write("etc/os-release", 'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="22.04"\n');
  write("etc/passwd", "root:x:0:0::/root:/bin/bash\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n");
  write("sys/bus/pci/devices/0000:00:05.0/vendor", "0x10de\n");
  write("sys/bus/pci/devices/0000:00:05.0/class", "0x030200\n");
  install("python3", "curl", "ca-certificates");
}

/** By standard input, so that who may not read the checkout can run it too. */
function prepare(args: readonly string[], uid?: number) {
  const options = {
    input: source,
    encoding: "utf8",
    ...(uid === undefined ? {} : { uid, cwd: "/" }),
  } as const;
  const { status, stdout, stderr } = spawnSync("sh", ["-s", "--", ...args], options);
  return { code: status, lines: stdout.split("\n").slice(0, -1), stderr: stderr.trimEnd() };
}
const dryRun = (...args: string[]) => prepare(["--dry-run", "--root", root, ...args]);

const pip =
  "would: env PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 /usr/bin/python3 -m pip install --no-input";
const apt = "would: env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends";
const headers = `linux-headers-${release()}`;

describe("the plan", () => {
  test("of a stock host: nouveau first, which asks for a reboot before the driver; the rest meanwhile", () => {
    stock();
    write("sys/module/nouveau/initstate", "live\n");
    expect(dryRun()).toEqual({
      code: 0,
      stderr: "",
      lines: [
        "would: apt-get update -q",
        `${apt} python3-pip sudo`,
        "would: ln -sf /usr/bin/python3 /usr/local/bin/python",
        "would: write /etc/modprobe.d/blacklist-nouveau.conf",
        "nouveau is loaded: it goes with a reboot, the driver comes after it",
        "would: apt-get update -q",
        `${apt} gcc g++ make ${headers}`,
        "would: curl -fSL --retry 3 --connect-timeout 20 -o /var/tmp/cuda_11.3.0_465.19.01_linux.run.part https://developer.download.nvidia.com/compute/cuda/11.3.0/local_installers/cuda_11.3.0_465.19.01_linux.run",
        "would: mv /var/tmp/cuda_11.3.0_465.19.01_linux.run.part /var/tmp/cuda_11.3.0_465.19.01_linux.run",
        "would: sh /var/tmp/cuda_11.3.0_465.19.01_linux.run --silent --toolkit --override",
        "would: write /etc/profile.d/cuda.sh",
        `${pip} --retries 1 --timeout 20 --extra-index-url https://download.pytorch.org/whl/cu113 torch==1.12.1+cu113 numpy<2`,
        "would: ask for a reboot",
      ],
    });
  });

  test("after that reboot: the driver, and only what is still missing", () => {
    stock();
    install("python3", "python3-pip", "sudo", "curl", "ca-certificates", "gcc", "g++", "make", headers);
    write("etc/modprobe.d/blacklist-nouveau.conf", "blacklist nouveau\noptions nouveau modeset=0\n");
    write("usr/local/cuda-11.3/bin/nvcc", "");
    expect(dryRun("--torch", "none", "--docker")).toEqual({
      code: 0,
      stderr: "",
      lines: [
        "there: packages python3 python3-pip sudo curl ca-certificates",
        "would: ln -sf /usr/bin/python3 /usr/local/bin/python",
        "there: /etc/modprobe.d/blacklist-nouveau.conf",
        `there: packages gcc g++ make ${headers}`,
        "would: curl -fSL --retry 3 --connect-timeout 20 -o /var/tmp/NVIDIA-Linux-x86_64-515.65.01.run.part https://us.download.nvidia.com/tesla/515.65.01/NVIDIA-Linux-x86_64-515.65.01.run",
        "would: mv /var/tmp/NVIDIA-Linux-x86_64-515.65.01.run.part /var/tmp/NVIDIA-Linux-x86_64-515.65.01.run",
        "would: sh /var/tmp/NVIDIA-Linux-x86_64-515.65.01.run --silent",
        "there: CUDA 11.3",
        "would: write /etc/profile.d/cuda.sh",
        "would: apt-get update -q",
        `${apt} docker.io`,
        "would: curl -fSL --retry 3 --connect-timeout 20 -o /usr/share/keyrings/nvidia-container-toolkit.asc.part https://nvidia.github.io/libnvidia-container/gpgkey",
        "would: mv /usr/share/keyrings/nvidia-container-toolkit.asc.part /usr/share/keyrings/nvidia-container-toolkit.asc",
        "would: write /etc/apt/sources.list.d/nvidia-container-toolkit.list",
        "would: apt-get update -q",
        `${apt} nvidia-container-toolkit`,
        "would: nvidia-ctk runtime configure --runtime=docker",
        "would: systemctl restart docker",
        "done",
      ],
    });
  });

  test("of a host with another driver: it stays, and that is said", () => {
    stock();
    write(
      "proc/driver/nvidia/version",
      "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\n",
    );
    const { code, lines } = dryRun("--torch", "none", "--cuda", "none");
    expect(code).toBe(0);
    expect(lines.slice(3)).toEqual([
      "there: driver 535.54.03",
      "it is not 515.65.01, and stays: to change it, remove it first (apt-get remove 'nvidia-*', or nvidia-uninstall)",
      "done",
    ]);
  });

  test("of files that were brought: nothing is fetched", () => {
    stock();
    for (const name of ["driver.run", "cuda.run", "torch.whl"]) write(name, "");
    const at = (name: string) => join(root, name);
    const files = [
      "--driver-from",
      at("driver.run"),
      "--cuda-from",
      at("cuda.run"),
      "--torch-from",
      at("torch.whl"),
    ];
    const { code, lines } = dryRun(...files);
    expect(code).toBe(0);
    expect(lines.filter((line) => line.includes("curl -f") || line.includes("http"))).toEqual([]);
    expect(lines).toContain(`would: sh ${at("driver.run")} --silent`);
    expect(lines).toContain(`would: sh ${at("cuda.run")} --silent --toolkit --override`);
    expect(lines).toContain(`${pip} --no-index --find-links ${root} ${at("torch.whl")}`);
  });
});

describe("refused is", () => {
  test.each<[string, readonly string[], number, string]>([
    ["an unknown option", ["--drivr", "5"], 2, "--drivr is no option; allowed are --driver, "],
    ["an option without its value", ["--torch"], 2, "--torch needs a value; see the head of this file"],
    [
      "another PyTorch",
      ["--torch", "cu92"],
      2,
      "--torch must be cpu, cu113, cu117, cu118, cu121 or none (given: cu92)",
    ],
    [
      "another CUDA",
      ["--cuda", "9"],
      2,
      "--cuda must be 11.3.0, 11.7.1, 11.8.0, 12.1.1 or none, or --cuda-from must name the installer (given: 9)",
    ],
    [
      "a driver that is no version",
      ["--driver", "new"],
      2,
      "--driver must be a version, e.g. 515.65.01, or none (given: new)",
    ],
    [
      "a PyTorch that is too new for the driver",
      ["--torch", "cu121"],
      2,
      "--torch cu121 needs --driver 525.60.13 or newer (given: 515.65.01)",
    ],
    [
      "a file that is not there",
      ["--torch-from", "/nowhere/x.whl"],
      2,
      "there is no /nowhere/x.whl on this node",
    ],
    [
      "a user that is not there",
      ["--sudo-for", "alice"],
      2,
      "--sudo-for must be a user of this node (given: alice)",
    ],
  ])("%s", (_, args, code, message) => {
    stock();
    const ended = dryRun(...args);
    expect([ended.code, ended.lines]).toEqual([code, []]);
    expect(ended.stderr.startsWith(`prepare-gpu: ${message}`), ended.stderr).toBe(true);
  });

  test("a system that is not known", () => {
    stock();
    write("etc/os-release", 'ID="centos"\n');
    expect(dryRun()).toMatchObject({
      code: 3,
      lines: [],
      stderr: "prepare-gpu: this is centos; prepared are Ubuntu and Debian. Choose another image",
    });
  });

  test("a node without a GPU, unless --driver none says that it is known", () => {
    stock();
    write("sys/bus/pci/devices/0000:00:05.0/vendor", "0x1234\n");
    expect(dryRun()).toMatchObject({
      code: 3,
      lines: [],
      stderr:
        "prepare-gpu: there is no GPU of NVIDIA on the PCI bus: choose a shape with GPUs, or give --driver none for a node without one",
    });
    expect(dryRun("--driver", "none", "--cuda", "none", "--torch", "none").code).toBe(0);
  });

  test("another root where something would be done", () => {
    const { code, stderr } = prepare(["--root", root]);
    expect([code, stderr]).toEqual([2, `prepare-gpu: --root goes with --dry-run alone (given: ${root})`]);
  });

  test("anyone but root", () => {
    const { code, lines, stderr } = prepare(
      ["--driver", "none"],
      process.getuid?.() === 0 ? 65534 : undefined,
    );
    expect([code, lines]).toEqual([3, []]);
    expect(stderr).toBe(
      "prepare-gpu: only root can do this: run it by sudo, or give --dry-run to see what it would do",
    );
  });
});
