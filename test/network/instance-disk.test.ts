/** The life of an instance's disk and of its volume, as a client of the API sees it and SSH shows it. */

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { until } from "../../local-cloud/network/machine/shell.ts";
import {
  firstId,
  makeNetwork,
  startTestCloud,
  type TestClient,
  type TestCloud,
} from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { keyPair } from "../ssh-keys.ts";
import { inView, sshRun, temporaryFolder } from "./support.ts";

const home = temporaryFolder();
const password = "Zhu88!jie-Pass";
const key = keyPair();
let cloud: TestCloud;
let client: TestClient;
let eip: string;
let keypair: string;
let instance: string;
let volume: string;

beforeAll(async () => {
  requireDataPlane();
  cloud = await startTestCloud({ home, dataPlane: "linux" });
  client = cloud.client;
  keypair = String((await client.ok("CreateKeyPair", { mode: "user", public_key: key.public })).keypair_id);
  const network = await makeNetwork(client);
  const group = firstId([(await client.ok("CreateSecurityGroup")).security_group_id]);
  await client.ok("AddSecurityGroupRules", {
    security_group: group,
    "rules.1.protocol": "tcp",
    "rules.1.priority": "1",
    "rules.1.action": "accept",
    "rules.1.val1": "2201",
  });
  await client.done("ApplySecurityGroup", { security_group: group });
  await client.ok("ModifyRouterAttributes", { router: network.router, security_group: group });
  await client.ok("AddRouterStatics", {
    router: network.router,
    "statics.1.static_type": "1",
    "statics.1.val1": "2201",
    "statics.1.val2": "192.168.1.2",
    "statics.1.val3": "22",
  });
  await client.done("UpdateRouters", { "routers.1": network.router });
  await client.done("ApplySecurityGroup", { security_group: group });
  eip = String((await client.one("DescribeEips", "eip_set", { "eips.1": network.eip })).eip_addr);
  volume = firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
  const run = await client.done("RunInstances", {
    image_id: "img-deeplearning",
    cpu: "2",
    memory: "4096",
    login_mode: "passwd",
    login_passwd: password,
    "vxnets.1": `${network.vxnet}|192.168.1.2`,
    "volumes.1": volume,
  });
  instance = firstId(run.instances);
});

afterAll(async () => {
  await cloud?.stop();
  rmSync(home, { recursive: true, force: true });
});

async function ssh(user: string, command: string, given: { readonly password?: string } = { password }) {
  const { bastion } = await cloud.status();
  const target = { address: eip, port: 2201, user, privateKey: key.private, ...given };
  return await sshRun(bastion === undefined ? {} : { bastion }, target, command);
}

test("the password opens the node to root and ubuntu, no other does, and no key yet", async () => {
  expect(await ssh("root", "id -un; cat /proc/sys/kernel/hostname")).toBe(`root\n${instance}\n`);
  expect(await ssh("ubuntu", "sudo -n id -un")).toBe("root\n");
  await expect(ssh("root", "true", { password: "Zhu88!jie-pass" })).rejects.toThrow(/authentication/);
  await expect(ssh("root", "true", {})).rejects.toThrow(/authentication/);
  await client.done("AttachKeyPairs", { "keypairs.1": keypair, "instances.1": instance });
  expect(await ssh("ubuntu", "id -un", {})).toBe("ubuntu\n");
});

test("the password is in no file of the cloud and in no argument list", () => {
  const files = readdirSync(home, { recursive: true, encoding: "utf8" })
    .map((name) => join(home, name))
    .filter((file) => !/\/(?:upper|work|root|volumes)(?:\/|$)/.test(file) && statSync(file).isFile());
  expect(files.length).toBeGreaterThan(3);
  expect(files.filter((file) => readFileSync(file).includes(password))).toEqual([]);
  expect(readFileSync(join(home, "calls.jsonl"), "utf8")).toContain('"login_passwd":"[secret]"');
  const processes = readdirSync("/proc").filter(
    (name) => /^\d+$/.test(name) && existsSync(`/proc/${name}/cmdline`),
  );
  expect(processes.filter((pid) => commandLine(pid).includes(password))).toEqual([]);
  expect(cloud.logged.join("\n")).not.toContain(password);
});

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // ended meanwhile
  }
}

test("stop, resize, start and restart keep the disk and the volume", async () => {
  await ssh("root", "echo on disk > /srv/note; echo on volume > /data/note; sync");
  await client.done("StopInstances", { "instances.1": instance });
  await client.done("ResizeInstances", {
    "instances.1": instance,
    cpu: "4",
    memory: "8192",
    os_disk_size: "40",
  });
  await client.done("StartInstances", { "instances.1": instance });
  expect(await ssh("root", "cat /srv/note /data/note")).toBe("on disk\non volume\n");
  await client.done("RestartInstances", { "instances.1": instance });
  expect(await ssh("root", "cat /srv/note /data/note; findmnt -rno SOURCE /data")).toBe(
    "on disk\non volume\n/dev/sdc\n",
  );
});

test("a clone begins with copies of the disk and the volume, which are its own from then on", async () => {
  await ssh("root", "rm -f /srv/gone; echo hidden > /srv/.x; ln -s note /srv/link");
  const cloned = await client.done("CloneInstances", { "instances.1": instance });
  const clone = firstId(cloned.instances);
  const on = (command: string) => inView({ observe: () => cloud.status() }, clone, command);
  expect(
    await on("cat /srv/link /srv/.x /data/note; hostname; ls /home/ubuntu/test/pytorch | wc -l"),
  ).toMatch(new RegExp(`^on disk\nhidden\non volume\n${clone}\n\\d+\n$`));
  expect(await on("grep -c '^root:[$]6[$]' /etc/shadow")).toBe("1\n");
  await on("echo changed | tee /srv/note > /data/note");
  expect(await ssh("root", "cat /srv/note /data/note")).toBe("on disk\non volume\n");
  await client.done("RestartInstances", { "instances.1": clone });
  expect(await on("cat /srv/note /data/note")).toBe("changed\nchanged\n");
  await client.done("TerminateInstances", { "instances.1": clone, direct_cease: "1" });
});

test("a reset makes the disk anew, with the login that it asks for; the volume stays", async () => {
  await client.done("ResetInstances", {
    "instances.1": instance,
    login_mode: "keypair",
    login_keypair: keypair,
  });
  expect(await ssh("root", "ls /srv; cat /data/note", {})).toBe("on volume\n");
  await expect(ssh("root", "true")).rejects.toThrow(/authentication/);
});

test("a volume that is detached and attached again while the node runs is as it was", async () => {
  const both = { instance, "volumes.1": volume };
  await client.done("DetachVolumes", both);
  expect(await ssh("root", "ls /data /dev/sd* 2>&1 || true", {})).toContain("cannot access '/dev/sd*'");
  await client.done("AttachVolumes", both);
  expect(await ssh("root", "cat /data/note", {})).toBe("on volume\n");
});

test("a volume in use is not detached: the job fails, and says why", async () => {
  await ssh(
    "root",
    "cd /data && setsid sh -c 'sleep 300 < /dev/null > /dev/null 2>&1 & echo $! > /run/sleeper'",
    {},
  );
  const { job_id } = await client.ok("DetachVolumes", { instance, "volumes.1": volume });
  expect(await client.ended(String(job_id))).toMatchObject({ status: "failed" });
  expect(cloud.logged.join("\n")).toContain(
    `volume ${volume} is in use on the node, unmount /dev/sdc there first`,
  );
  expect(await ssh("root", "cat /data/note; kill $(cat /run/sleeper)", {})).toBe("on volume\n");
});

test("what is deleted is gone from this machine: a volume at once, a disk when its instance is ceased", async () => {
  const disk = join(home, "nodes", instance);
  const file = join(home, "volumes", `${volume}.img`);
  await client.done("TerminateInstances", { "instances.1": instance });
  expect([existsSync(disk), existsSync(file)]).toEqual([true, true]);
  await client.done("CeaseInstances", { "instances.1": instance });
  await until("the end of the disk", () => !existsSync(disk));
  expect(existsSync(file)).toBe(true);
  await client.done("DeleteVolumes", { "volumes.1": volume });
  await until("the end of the volume", () => !existsSync(file));
});

test("what a killed cloud had no time to forget is gone after the next start, what is there stays", async () => {
  const disk = (id: unknown) => join(home, "nodes", String(id));
  const file = (id: string) => join(home, "volumes", `${id}.img`);
  const before = readdirSync(join(home, "volumes"));
  expect(before).toHaveLength(1); // the clone's
  const spare = firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
  const image = { image_id: "img-bare", cpu: "1", memory: "1024" };
  const login = { login_mode: "keypair", login_keypair: keypair };
  const { instances } = await client.done("RunInstances", { ...image, ...login, count: "2" });
  const [kept = "", gone = ""] = instances as string[];
  await client.done("AttachVolumes", { "volumes.1": spare, instance: gone });
  await client.done("StopInstances", { "instances.1": kept });
  await client.done("TerminateInstances", { "instances.1": gone, direct_cease: "1" });
  await client.done("DeleteVolumes", { "volumes.1": spare });
  expect([kept, gone].map((id) => existsSync(disk(id)))).toEqual([true, false]);
  await cloud.stop();
  mkdirSync(join(disk(gone), "upper"), { recursive: true });
  for (const name of [file(spare), `${file(spare)}.new`]) writeFileSync(name, "");
  cloud = await startTestCloud({ home, dataPlane: "linux" });
  await until("the end of what was left", () => !existsSync(disk(gone)) && !existsSync(file(spare)));
  expect(existsSync(disk(kept))).toBe(true);
  expect(readdirSync(join(home, "volumes"))).toEqual(before);
});
