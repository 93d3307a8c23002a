/** What is on the disk of a node of each image, and how long it stays there. */

import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataPlane } from "../../local-cloud/network/data-plane.ts";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import { run } from "../../local-cloud/network/machine/shell.ts";
import type { NodePicture } from "../../local-cloud/network/picture.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { inView, node, ownPrefix, router, temporaryFolder } from "./support.ts";

const home = temporaryFolder();
const guide = temporaryFolder();
const scripts = new URL("../../scripts/train/", import.meta.url).pathname;
const learning = node(1, []);
const bare = node(2, [], { image: "bare" });

describe("images", { timeout: 60_000 }, () => {
  let plane: DataPlane;
  const show = (...nodes: NodePicture[]) => plane.converge({ routers: [router(1)], nodes, bastionKeys: [] });
  const on = (which: NodePicture, command: string) => inView(plane, which.id, command);

  beforeAll(async () => {
    requireDataPlane();
    mkdirSync(join(guide, "data"));
    for (const name of readdirSync(scripts).filter((one) => one.endsWith(".py"))) {
      copyFileSync(join(scripts, name), join(guide, name));
    }
    const data = join(guide, "data", "digits.npz");
    await run("/usr/bin/python3", [join(scripts, "write_digits.py"), "--output", data]);
    const options = { home, prefix: ownPrefix("i"), bastionPort: 0, webRoot: guide, guide };
    plane = await createLinuxDataPlane({ ...options, log: () => {} });
    await show(learning, bare);
  });

  afterAll(async () => {
    await plane?.stop();
    for (const folder of [home, guide]) rmSync(folder, { recursive: true, force: true });
  });

  test("a bare node has Python and OpenSSH, and no PyTorch, nothing scientific and no sign of either", async () => {
    expect(await on(bare, "python3 -c 'import json, ssl, sqlite3; print(6*7)'; pgrep -x sshd | wc -l")).toBe(
      "42\n1\n",
    );
    for (const name of ["torch", "numpy", "sklearn", "scipy"]) {
      expect(await on(bare, `python3 -c 'import ${name}'`)).toContain(
        `ModuleNotFoundError: No module named '${name}'`,
      );
    }
    const search =
      "ls /usr/lib/*/ /usr/lib/python3/dist-packages /usr/bin | grep -ciE 'torch|numpy|sklearn|nvidia'";
    expect(await on(bare, search)).toBe("0\n");
    expect(await on(bare, "dpkg -s python3-torch")).toContain("package 'python3-torch' is not installed");
    expect(await on(bare, "dpkg -s openssh-server")).toContain("Status: install ok installed");
    expect(await on(bare, "ls -A /home/ubuntu/test /usr/local /usr/local/lib")).toContain(
      "cannot access '/home/ubuntu/test'",
    );
  });

  test("a deep learning node trains with the guide's words, as ubuntu in the guide's folder", async () => {
    const command = "cd /home/ubuntu/test/pytorch && python mnist.py --lr 0.05 --momentum 0.9 --epochs 6";
    const told = await on(learning, `su ubuntu -c '${command}'`);
    const [, right, count] = [...told.matchAll(/Accuracy: (\d+)\/(\d+) /g)].at(-1) ?? [];
    expect(count, told).toBe("359");
    expect(Number(right)).toBeGreaterThan(0.93 * 359);
  });

  test("the guide's distributed script meets its peers where the environment says", async () => {
    const rank = (number: number) =>
      on(
        learning,
        `su ubuntu -c 'cd /home/ubuntu/test/pytorch && GLOO_SOCKET_IFNAME=eth0 MASTER_ADDR=192.168.1.2 MASTER_PORT=23456 python mnist_dist.py --world_size=2 --rank=${number} --epochs 2'`,
      );
    const told = await Promise.all([rank(0), rank(1)]);
    const results = told.map((text) => JSON.parse(/^RESULT (.*)$/m.exec(text)?.[1] ?? JSON.stringify(text)));
    expect(results).toMatchObject([
      { rank: 0, worldSize: 2, epochs: 2 },
      { rank: 1, worldSize: 2, epochs: 2 },
    ]);
    expect(results[0].parametersSha256).toBe(results[1].parametersSha256);
  });

  describe("docker run on the deep learning image", () => {
    const inContainer = (command: string, options = "") =>
      on(
        learning,
        `su ubuntu -c 'docker run --rm --net host ${options} qingcloud/deeplearning sh -c "${command}"; echo "ended with $?"'`,
      );

    test("trains with the guide's words", async () => {
      const told = await inContainer("cd /root/test/pytorch && python mnist.py --epochs 1");
      expect(told).toMatch(/Accuracy: \d+\/359 .*[\s\S]*ended with 0\n$/);
    });

    test("ends as the command ends, is on the node's network, and has processes, a home and a disk of its own", async () => {
      expect(await inContainer("exit 7")).toBe("ended with 7\n");
      const addresses = "ip -4 -o addr show eth0 | grep -o 192.168.1.2/24";
      expect(await inContainer(addresses)).toBe("192.168.1.2/24\nended with 0\n");
      const own = "ps -e | grep -c sshd; touch /usr/note 2>&1; echo kept > /root/note; cat /root/note";
      expect(await inContainer(own)).toBe(
        "0\ntouch: cannot touch '/usr/note': Read-only file system\nkept\nended with 0\n",
      );
      expect(await on(learning, "cat /root/note; ls /run | grep -c docker-")).toBe(
        "cat: /root/note: No such file or directory\n0\n",
      );
    });

    test("takes variables, a folder and volumes", async () => {
      const told = await on(
        learning,
        "mkdir /tmp/a; docker run -e A=one -v /tmp/a:/b -w /b qingcloud/deeplearning sh -c 'pwd; echo $A > note'; cat /tmp/a/note",
      );
      expect(told).toBe("/b\none\n");
    });

    test("ends with its client, and leaves no process", async () => {
      const script = "docker run --init --name long qingcloud/deeplearning sleep 1000 & client=$!";
      const until = "until pgrep -x sleep -a | grep -q 1000; do sleep 0.05; done";
      expect(
        await on(learning, `${script}; ${until}; kill $client; wait $client; echo $?; pgrep -c -x sleep`),
      ).toBe("143\n0\n");
    });

    test("refuses what it can not do with Docker's exit code and what there is", async () => {
      expect(await on(learning, "docker run ubuntu true; echo $?")).toBe(
        "docker: image ubuntu is not on this node, which reaches no registry; it has qingcloud/deeplearning\n125\n",
      );
      expect(await on(learning, "docker run -d qingcloud/deeplearning true; echo $?")).toMatch(
        /^docker: [\s\S]*of Docker this node has:[\s\S]*125\n$/,
      );
      expect(await on(bare, "docker images; crun --version")).toMatch(
        /docker: (?:command )?not found[\s\S]*crun: (?:command )?not found/,
      );
    });
  });

  test("a boot keeps the disk; another disk number makes it anew from the image", async () => {
    const writeNote = "echo mine > /etc/note; rm /home/ubuntu/test/pytorch/mnist.py";
    const look = "cat /etc/note; ls /home/ubuntu/test/pytorch | grep -c '^mnist.py'";
    await on(learning, writeNote);
    await show({ ...learning, boot: 2 }, bare);
    expect(await on(learning, look)).toBe("mine\n0\n");
    await show({ ...learning, boot: 2, disk: 2 }, bare);
    expect(await on(learning, look)).toBe("cat: /etc/note: No such file or directory\n1\n");
    await on(learning, writeNote);
    await show(bare);
    await show({ ...learning, boot: 3, disk: 2 }, bare);
    expect(await on(learning, look)).toBe("mine\n0\n");
  });

  test("a disk that was never whole is made anew; one from before disks had numbers is kept", async () => {
    const directory = join(home, "nodes", bare.id);
    await on(bare, "echo early > /etc/early");
    rmSync(join(directory, "generation"));
    mkdirSync(join(directory, "upper/usr/local/lib/node"), { recursive: true });
    writeFileSync(join(directory, "upper/usr/local/lib/node/init"), "");
    await show(learning, { ...bare, boot: 2 });
    expect(await on(bare, "cat /etc/early")).toBe("early\n");
    for (const path of ["generation", "upper/usr/local/lib/node/init"])
      rmSync(join(directory, path), { force: true });
    await show(learning, { ...bare, boot: 3 });
    expect(await on(bare, "cat /etc/early; id -un")).toBe(
      "cat: /etc/early: No such file or directory\nroot\n",
    );
  });

  test("a bare node stays bare after a boot, and what was installed on it stays installed", async () => {
    await on(
      bare,
      "mkdir -p /usr/lib/python3/dist-packages/numpy; echo 'x = 7' > /usr/lib/python3/dist-packages/numpy/__init__.py",
    );
    await show({ ...learning, boot: 3, disk: 2 }, { ...bare, boot: 4 });
    expect(await on(bare, "python3 -c 'import numpy; print(numpy.x)'; python3 -c 'import torch'")).toMatch(
      /^7\n[\s\S]*No module named 'torch'/,
    );
  });
});
