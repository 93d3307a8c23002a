/** Volumes of nodes: plugged in and out, live and over boots, with what is on them. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataPlane } from "../../local-cloud/network/data-plane.ts";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import type { NodePicture, VolumePicture } from "../../local-cloud/network/picture.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { inView, node, ownPrefix, temporaryFolder } from "./support.ts";

const home = temporaryFolder();
const first: VolumePicture = { id: "vol-00000001", device: "/dev/sdc", size: 10 };
const second: VolumePicture = { id: "vol-00000002", device: "/dev/sdd", size: 100 };
const fileOf = ({ id }: VolumePicture) => join(home, "volumes", `${id}.img`);
const options = { home, prefix: ownPrefix("v"), bastionPort: 0, webRoot: home, log: () => {} };

/** The loop devices of this test's volumes. */
function loops(): string[] {
  return readdirSync("/sys/block").filter((name) => {
    const file = `/sys/block/${name}/loop/backing_file`;
    return existsSync(file) && readFileSync(file, "utf8").startsWith(home);
  });
}

describe("volumes", { timeout: 60_000 }, () => {
  let plane: DataPlane;
  const learning = (volumes: readonly VolumePicture[], changes: Partial<NodePicture> = {}) =>
    node(1, [], { volumes, ...changes });
  const bare = (volumes: readonly VolumePicture[], changes: Partial<NodePicture> = {}) =>
    node(2, [], { image: "bare", volumes, ...changes });
  const show = (...nodes: NodePicture[]) => plane.converge({ routers: [], nodes, bastionKeys: [] });
  const onLearning = (command: string) => inView(plane, "i-00000001", command);
  const onBare = (command: string) => inView(plane, "i-00000002", command);

  beforeAll(async () => {
    requireDataPlane();
    plane = await createLinuxDataPlane(options);
  });

  afterAll(async () => {
    await plane?.stop();
    rmSync(home, { recursive: true, force: true });
  });

  test("the deep learning image has its first volume at /data, for ubuntu, in its whole size", async () => {
    await show(learning([first]), bare([]));
    const told = await onLearning(
      "stat -c '%U %a' /data; findmnt -rno SOURCE,FSTYPE /data; df -BG --output=size /data",
    );
    expect(told).toMatch(/^ubuntu 755\n\/dev\/sdc ext4\n\s*1G-blocks\n\s*10G\n$/);
    await onLearning("su ubuntu -c 'echo model > /data/weights'");
    expect(statSync(fileOf(first)).blocks * 512).toBeLessThan(20e6);
  });

  test("other volumes are blank disks of their size, plugged in while the node runs", async () => {
    const pids = (await plane.observe()).nodes.map(({ pid }) => pid);
    await show(learning([first, second]), bare([]));
    expect((await plane.observe()).nodes.map(({ pid }) => pid)).toEqual(pids);
    expect(
      await onLearning(
        "blockdev --getsize64 /dev/sdd; stat -c '%F %a %G' /dev/sdd; blkid -p /dev/sdd; echo $?",
      ),
    ).toBe(`${100 * 2 ** 30}\nblock special file 660 disk\n2\n`);
    expect(
      await onLearning("mkfs.ext4 -q /dev/sdd && mount /dev/sdd /mnt && echo more > /mnt/note; ls /mnt"),
    ).toBe("lost+found\nnote\n");
  });

  test("a boot and a new disk of the node keep volumes; /data is mounted again before start scripts run", async () => {
    const script = {
      file: "/etc/rc.local",
      content: new Uint8Array(Buffer.from("cat /data/weights > /run/seen\n")),
    };
    const userdata = { folder: "/etc/qingcloud/userdata", script };
    await show(learning([first, second], { boot: 2, disk: 2, userdata }), bare([]));
    expect(
      await onLearning(
        "cat /data/weights; for i in $(seq 50); do [ -s /run/seen ] || sleep 0.2; done; cat /run/seen",
      ),
    ).toBe("model\nmodel\n");
    expect(await onLearning("mount /dev/sdd /mnt; cat /mnt/note; umount /mnt")).toBe("more\n");
  });

  test("a volume moves from one running node to another in one step, with what is on it", async () => {
    const moved = { ...first, device: "/dev/sdc" };
    const userdataGone = learning([second], { boot: 2, disk: 2 });
    await show(userdataGone, bare([moved]));
    expect(await onLearning("ls /data /dev/sdc 2>&1")).toBe(
      "ls: cannot access '/dev/sdc': No such file or directory\n/data:\n",
    );
    expect(await onBare("mount /dev/sdc /mnt; cat /mnt/weights; ls -d /data")).toBe(
      "model\nls: cannot access '/data': No such file or directory\n",
    );
  });

  test("a volume that a process works on stays, and the node with it; unmounted it goes", async () => {
    const before = await plane.observe();
    const busy = learning([second], { boot: 2, disk: 2 });
    await onBare("cd /mnt; sleep 600 < /dev/null > /dev/null 2>&1 & echo $! > /run/sleeper");
    await expect(show(busy, bare([]))).rejects.toThrow(
      /node i-00000002 .*volume vol-00000001 is in use on the node, unmount \/dev\/sdc there first/,
    );
    expect((await plane.observe()).nodes).toEqual(before.nodes);
    expect(await onBare("cat /mnt/weights; kill $(cat /run/sleeper)")).toBe("model\n");
    await show(busy, bare([]));
    expect(await onBare("ls /dev/sd* /mnt 2>&1")).toContain("cannot access '/dev/sd*'");
  });

  test("a volume that a process has open as a disk stays as it was, and so does its name", async () => {
    const busy = learning([second], { boot: 2, disk: 2 });
    await show(busy, bare([{ ...first, device: "/dev/sdc" }]));
    await onBare("sleep 600 < /dev/sdc > /dev/null 2>&1 & echo $! > /run/sleeper");
    await expect(show(busy, bare([]))).rejects.toThrow(
      /volume vol-00000001 is in use on the node, .*\/dev\/sdc/,
    );
    expect(await onBare("mount /dev/sdc /mnt && cat /mnt/weights; umount /mnt")).toBe("model\n");
    await onBare("kill $(cat /run/sleeper)");
    await show(busy, bare([]));
    expect(await onBare("ls /dev/sd* 2>&1")).toContain("cannot access '/dev/sd*'");
    expect(loops()).toHaveLength(1);
  });

  test("a volume that grew is larger at its next plug, with what was on it", async () => {
    await show(learning([{ ...first, size: 20 }, second], { boot: 2, disk: 2 }), bare([]));
    expect(await onLearning("blockdev --getsize64 /dev/sdc; cat /data/weights")).toBe(
      `${20 * 2 ** 30}\nmodel\n`,
    );
    // On-line resizing would need a capability that root does not have everywhere.
    const grow =
      "umount /data; e2fsck -fp /dev/sdc > /dev/null; resize2fs /dev/sdc 2> /dev/null; mount /dev/sdc /data";
    expect(await onLearning(`${grow}; df -BG --output=size /data | tail -1`)).toMatch(/\s20G\n$/);
  });

  test("ten volumes are ten disks", async () => {
    const volumes = Array.from({ length: 10 }, (_, index) => ({
      id: `vol-1000000${index}`,
      device: `/dev/sd${String.fromCharCode("c".charCodeAt(0) + index)}`,
      size: 10,
    }));
    await show(learning([], { boot: 2, disk: 2 }), bare(volumes));
    expect(await onBare("ls /dev/sd? | wc -l")).toBe("10\n");
    expect(loops()).toHaveLength(10);
  });

  test("a node that ends lets go of its volumes, forgotten ones are gone from this machine", async () => {
    await show(learning([first, second], { boot: 2, disk: 2 }));
    expect(loops()).toHaveLength(2);
    await show(learning([second], { boot: 2, disk: 2 }));
    await plane.forget([first.id, second.id]);
    expect(existsSync(fileOf(first))).toBe(false);
    expect(existsSync(fileOf(second))).toBe(true);
    await plane.converge({ routers: [], nodes: [], bastionKeys: [] });
    expect(loops()).toEqual([]);
  });

  test("devices that a killed cloud left are detached at the next start", async () => {
    const [left] = execFileSync("losetup", ["--find", "--show", fileOf(second)], { encoding: "utf8" }).split(
      "\n",
    );
    expect(loops()).toEqual([left?.slice("/dev/".length)]);
    await plane.stop();
    plane = await createLinuxDataPlane(options);
    expect(loops()).toEqual([]);
  });
});
