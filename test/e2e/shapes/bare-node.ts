/**
 * A node of a bare image. It has no GPU and no way to the internet, so PyTorch is a stand-in wheel that is brought to it: a
 * module with a version.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { ranksStarted } from "../../harness/outputs.ts";
import { command, root, startProcess } from "../../harness/process.ts";
import { bare, type Stack, up } from "./stack.ts";

const source = readFileSync(join(root, "scripts", "node", "prepare-gpu.sh"), "utf8");
const wheel = "torch-1.13.1-py3-none-any.whl";
const makeWheel = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    info = "torch-1.13.1.dist-info/"
    wheel.writestr("torch/__init__.py", "from .version import __version__\\n")
    wheel.writestr("torch/version.py", "__version__ = '1.13.1'\\ncuda = None\\n")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: torch\\nVersion: 1.13.1\\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr(info + "RECORD", "")
`;

export function bareNode(stack: Stack): void {
  /** Runs a command as root on the node, in an own environment. */
  const onNode = async (script: string, stdin = "") => {
    const [node] = (await stack().status()).nodes;
    const environment = [
      "env",
      "-i",
      "HOME=/root",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ];
    const args = [`--target=${node?.pid}`, "--all", "--", ...environment, "sh", "-c", script];
    const { code, stdout, stderr } = await startProcess("nsenter", args, { stdin }).ended;
    return { code, stdout, stderr };
  };
  const prepare = (args: string) => onNode(`sh -s -- ${args}`, source);

  test("what the image lacks is reported at once, with what to do, before anything runs on the node", async () => {
    const place = stack();
    const script = join(place.directory, "own.py");
    writeFileSync(script, "import torch\nprint('own script with PyTorch', torch.__version__)\n");
    place.configure({
      "zones[1]": undefined,
      "zones[0].imageId": bare,
      "training.mode": "single",
      "training.script.path": script,
      "training.requireGpu": true,
    });
    const { code, text } = await place.up();
    expect(code).not.toBe(0);
    for (const line of [
      "  - PyTorch: python3 finds no module torch",
      "  - a GPU: there is none of NVIDIA on its PCI bus; choose a shape with GPUs (crosszone:zones[].shape)",
      "run scripts/node/prepare-gpu.sh on the node: `sudo sh prepare-gpu.sh --torch cu113`.",
    ]) {
      expect(text).toContain(line);
    }
    expect(ranksStarted(place)).toEqual([]);
  });

  test("a node without a GPU, and one without a way to the internet, is reported as what it is", async () => {
    expect(await prepare("")).toEqual({
      code: 3,
      stdout: "",
      stderr:
        "prepare-gpu: there is no GPU of NVIDIA on the PCI bus: choose a shape with GPUs, or give --driver none for a node without one\n",
    });
    const offline = await prepare("--driver none --cuda none --torch cu117");
    expect(offline.code, offline.stderr).toBe(4);
    expect(offline.stderr).toContain(
      "prepare-gpu: PyTorch can not be fetched: this node needs a way to the internet. Or bring the wheels by other means, and give --torch-from\n",
    );
  });

  test("with PyTorch brought as a wheel it becomes ready; a second time there is nothing to do", async () => {
    const file = join(stack().directory, wheel);
    command("/usr/bin/python3", "-c", makeWheel, file);
    expect((await onNode(`base64 -d > /var/tmp/${wheel}`, readFileSync(file, "base64"))).code).toBe(0);
    const arguments_ = `--driver none --cuda none --torch-from /var/tmp/${wheel} --sudo-for ubuntu`;
    const first = await prepare(arguments_);
    expect(first.code, `${first.stdout}${first.stderr}`).toBe(0);
    expect(first.stdout).toMatch(/^run: write \/etc\/sudoers.d\/90-prepare-ubuntu$/m);
    const packages = "there: packages python3 python3-pip sudo curl ca-certificates";
    expect(await prepare(arguments_)).toEqual({
      code: 0,
      stdout: `${[packages, "there: python", "there: PyTorch 1.13.1 (cpu)", "there: /etc/sudoers.d/90-prepare-ubuntu", "done"].join("\n")}\n`,
      stderr: "",
    });
    expect((await onNode("su ubuntu -c 'sudo -n id -u'")).stdout).toBe("0\n");
  });

  test("then NodeReady passes, and the run is started and succeeds", async () => {
    const place = stack();
    place.configure({ "training.requireGpu": undefined });
    expect(await up(place)).toContain("own script with PyTorch 1.13.1");
    const outputs = z.object({ training: z.object({ state: z.string() }) }).parse(place.outputs());
    expect(outputs.training.state).toBe("succeeded");
  });
}
