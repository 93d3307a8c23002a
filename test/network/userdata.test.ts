/** What an instance's owner brings onto its disk, and what is written beside it, at the first boot and later. */

import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DataPlane } from "../../local-cloud/network/data-plane.ts";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import { until } from "../../local-cloud/network/machine/shell.ts";
import type { NodePicture, UserdataPicture } from "../../local-cloud/network/picture.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { inView, node, ownPrefix, temporaryFolder } from "./support.ts";

const home = temporaryFolder();
const files = temporaryFolder();
const outside = temporaryFolder();
const folder = "/etc/qingcloud/userdata";
const metadata = {
  instance_id: "i-00000001",
  instance_name: "it's $HOME",
  vcpus_current: 16,
  volume_ids: "vol-1,vol-2",
  vxnets_count: 2,
  vxnets: [
    { vxnet_id: "vxnet-00000001", nic_id: "52:54:00:00:00:01" },
    { vxnet_id: "vxnet-0", nic_id: "52:54:00:00:00:02" },
  ],
};
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

/** The archive of QingCloud's guide, which names the node, packed by a program; with a file of a user beside it. */
function archive(name: string, program: string, ...args: string[]): NonNullable<UserdataPicture["archive"]> {
  execFileSync(program, [...args, name, "etc", "srv"], { cwd: files });
  return { id: name, base64: readFileSync(join(files, name)).toString("base64") };
}

describe("user data", { timeout: 60_000 }, () => {
  let plane: DataPlane;
  let boot = 1;
  let disk = 1;
  const first = () => node(1, [], { image: "bare", boot, disk, metadata });
  const show = (changes: Partial<NodePicture>) =>
    plane.converge({ routers: [], nodes: [{ ...first(), ...changes }], bastionKeys: [] });
  const on = (command: string) => inView(plane, "i-00000001", command);
  /** A node of its own, as far as the disk tells. */
  const make = async (userdata: UserdataPicture) => {
    disk += 1;
    await show({ userdata });
  };
  const reboot = async (userdata: UserdataPicture) => {
    boot += 1;
    await show({ userdata });
  };

  beforeAll(async () => {
    requireDataPlane();
    for (const name of ["etc", "srv"]) mkdirSync(join(files, name));
    writeFileSync(join(files, "etc", "rc.local"), "#!/bin/sh\nhostname myname\necho ran >> /srv/starts\n");
    writeFileSync(join(files, "srv", "tool"), "#!/bin/sh\necho tool\n", { mode: 0o750 });
    symlinkSync("tool", join(files, "srv", "link"));
    plane = await createLinuxDataPlane({
      home,
      prefix: ownPrefix("u"),
      bastionPort: 0,
      webRoot: files,
      log: () => {},
    });
  });

  afterAll(async () => {
    await plane?.stop();
    for (const one of [home, files, outside]) rmSync(one, { recursive: true, force: true });
  });

  test("a text lies in userdata.string, with the metadata for people and for the shell beside it", async () => {
    const text = "key: värde\n\0\n";
    await make({ folder, text: bytes(text) });
    expect(await on(`cat ${folder}/userdata.string`)).toBe(text);
    expect(JSON.parse(await on(`cat ${folder}/metadata.json`))).toEqual(metadata);
    const shell = `. ${folder}/metadata.env; echo "$instance_name|$vcpus_current|$volume_ids|$vxnets_count"`;
    expect(await on(shell)).toBe("it's $HOME|16|vol-1,vol-2|2\n");
    expect(await on(`. ${folder}/metadata.env; echo $vxnets_0_vxnet_id $vxnets_1_nic_id`)).toBe(
      "vxnet-00000001 52:54:00:00:00:02\n",
    );
  });

  test("a boot writes the metadata anew and leaves the text as its owner left it", async () => {
    const elsewhere = { folder: "/opt/own", text: bytes("a") };
    await make(elsewhere);
    await on("echo mine > /opt/own/userdata.string; rm /opt/own/metadata.json");
    await reboot(elsewhere);
    expect(await on("cat /opt/own/userdata.string; ls /opt/own")).toBe(
      "mine\nmetadata.env\nmetadata.json\nuserdata.string\n",
    );
  });

  test("a script runs once sshd listens, at every boot; another file than rc.local beside rc.local", async () => {
    const content = bytes("pgrep -x sshd > /dev/null && echo own >> /srv/starts\n");
    const script = { file: "/opt/deep/start.sh", content };
    await make({ folder, script });
    await until("the first run", async () => (await on("cat /srv/starts")) === "own\n");
    await on("printf '#!/bin/sh\\necho local >> /srv/starts\\n' > /etc/rc.local; chmod +x /etc/rc.local");
    await reboot({ folder, script });
    await until("the second run", async () => (await on("cat /srv/starts")) === "own\nlocal\nown\n");
  });

  for (const [name, program, ...args] of [
    ["u.tar", "tar", "-cf"],
    ["u.tgz", "tar", "-czf"],
    ["u.tbz", "tar", "-cjf"],
  ] as const) {
    test(`${name} is unpacked from the root once, and its rc.local runs at every boot`, async () => {
      await becomes(archive(name, program, ...args));
    });
  }

  test("a zip file is unpacked from the root once, with modes and links", async () => {
    const program = `import os, stat, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for name in ("etc/rc.local", "srv/tool"):
        archive.write(name)
    link = zipfile.ZipInfo("srv/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(link, "tool")`;
    await becomes(archive("u.zip", "/usr/bin/python3", "-c", program));
  });

  async function becomes(made: NonNullable<UserdataPicture["archive"]>) {
    await make({ folder, archive: made });
    await until("the first run", async () => (await on("cat /srv/starts; hostname")) === "ran\nmyname\n");
    expect(await on("/srv/link; stat -c '%a %F' /srv/tool /srv/link; stat -c %a / /etc")).toBe(
      "tool\n750 regular file\n777 symbolic link\n755\n755\n",
    );
    await on("echo changed > /srv/tool");
    await reboot({ folder, archive: made });
    await until(
      "the second run",
      async () => (await on("cat /srv/starts; hostname")) === "ran\nran\nmyname\n",
    );
    expect(await on("cat /srv/tool")).toBe("changed\n");
  }

  /** Where links of a node could lead, out of what the boot program has open, if that is a folder of the machine. */
  const wayOut = (number: number) => `/proc/self/fd/${number}${"/..".repeat(12)}${outside}`;

  test("an archive's links lead nowhere on this machine", async () => {
    const program = `import io, sys, tarfile
with tarfile.open(sys.argv[2], "w") as archive:
    link = tarfile.TarInfo("srv/way")
    link.type, link.linkname = tarfile.SYMTYPE, sys.argv[1]
    archive.addfile(link)
    archive.addfile(tarfile.TarInfo("srv/way/left"), io.BytesIO())`;
    for (const number of [3, 4, 5, 6]) {
      await make({
        folder,
        archive: archive(`l${number}.tar`, "/usr/bin/python3", "-c", program, wayOut(number)),
      });
    }
    expect(readdirSync(outside)).toEqual([]);
  });

  test("links that a node's owner makes lead nowhere on this machine at the next boot", async () => {
    await make({ folder, text: bytes("a") });
    await on(`mkdir -p ${outside}; mv /etc /etc.own; cp -a /etc.own/. ${outside}; ln -s ${outside} /etc
      rm -r /home/ubuntu/.ssh; ln -s ${wayOut(3)} /home/ubuntu/.ssh; id`);
    await reboot({ folder, text: bytes("a") }).catch(() => {});
    expect(readdirSync(outside)).toEqual([]);
  });

  test("an archive that is broken is told in the log, and the node boots", async () => {
    const whole = Buffer.from(archive("b.tgz", "tar", "-czf").base64, "base64");
    await make({ folder, archive: { id: "broken", base64: whole.subarray(0, 80).toString("base64") } });
    expect(await on("cat /var/log/userdata.log; id -un")).toMatch(
      /^the archive of the user data could not be unpacked whole: .*\nroot\n$/,
    );
  });
});
