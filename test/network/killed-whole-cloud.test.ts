/** kill -9 of a whole cloud with tunnels, nodes and a job under way. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listNamespaces } from "../../local-cloud/network/machine/namespaces.ts";
import { processesIn, until } from "../../local-cloud/network/machine/shell.ts";
import type { CloudStatus } from "../../local-cloud/status.ts";
import { Cloud } from "../harness/cloud.ts";
import { firstId, makeKeyPair, makeNetwork } from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { runs } from "./support.ts";

let cloud: Cloud;
let vxnet: string;
let keypair: string;
let prefix: string;

const status = async (): Promise<CloudStatus> => JSON.parse(await cloud.status()) as CloudStatus;
const isUp = async (nodes: number): Promise<boolean> => {
  const seen = await status();
  const tunnels = seen.routers.flatMap((router) => router.tunnels);
  return (
    seen.nodes.length === nodes && tunnels.length === 2 && tunnels.every(({ established }) => established)
  );
};
const wanted = () => ({
  ...{ image_id: "img-bare", cpu: "1", memory: "1024", "vxnets.1": vxnet },
  ...{ login_mode: "keypair", login_keypair: keypair },
});

beforeAll(async () => {
  requireDataPlane();
  cloud = await Cloud.start("instant", "--data-plane", "linux");
  const { client } = cloud;
  const zones = ["gpu1a", "gpu2a"] as const;
  const addresses: string[] = [];
  const routers: string[] = [];
  for (const [index, zone] of zones.entries()) {
    const network = await makeNetwork(client, zone, `192.168.${index + 1}.0/24`);
    if (index === 0) ({ vxnet } = network);
    routers.push(network.router);
    const eip = await client.one("DescribeEips", "eip_set", { zone, "eips.1": network.eip });
    addresses.push(String(eip.eip_addr));
    const [group] = (await client.ok("DescribeSecurityGroups", { zone })).security_group_set as {
      security_group_id: string;
    }[];
    const security_group = group?.security_group_id ?? "";
    const rule = { "rules.1.protocol": "udp", "rules.1.priority": "2", "rules.1.action": "accept" };
    await client.ok("AddSecurityGroupRules", { zone, security_group, ...rule });
    await client.done("ApplySecurityGroup", { zone, security_group });
  }
  for (const [index, zone] of zones.entries()) {
    const router = routers[index] ?? "";
    await client.ok("AddRouterStatics", {
      ...{ zone, router, "statics.1.static_type": "7" },
      "statics.1.val1": `${addresses[1 - index]}|aes|a key of this test|`,
      "statics.1.val2": `192.168.${index + 1}.0/24`,
      "statics.1.val3": `192.168.${2 - index}.0/24`,
    });
    await client.done("UpdateRouters", { zone, "routers.1": router });
  }
  keypair = await makeKeyPair(client);
  await client.done("RunInstances", wanted());
  await until("the tunnel", () => isUp(1), 20_000);
  const [node] = (await status()).nodes;
  prefix = node?.namespace.replace(/-i-.*$/, "") ?? "";
});
afterAll(async () => await cloud?.remove());

test("the next start brings tunnels and nodes back, anew, and ends the job that was under way", async () => {
  const jobs = join(cloud.directory, "jobs.json");
  writeFileSync(jobs, JSON.stringify({ RunInstances: 2 }));
  await cloud.restart(jobs);
  await until("everything", () => isUp(1), 20_000);
  const before = (await status()).nodes.map(({ pid }) => pid);
  const processes = processesIn(listNamespaces(prefix));
  const { instances, job_id } = await cloud.client.ok("RunInstances", wanted());
  await cloud.kill();
  expect(before.every(runs)).toBe(true);
  await cloud.startAgain(jobs);
  await until("the end of what was left", () => !processes.some(runs));
  expect(await cloud.client.ended(String(job_id))).toMatchObject({ status: "successful" });
  await until("everything and the new node", () => isUp(2), 20_000);
  expect((await status()).nodes.map(({ id }) => id)).toContain(firstId(instances));
});

test("stop removes what a killed cloud left, and so does a start without data plane", async () => {
  await cloud.kill();
  const left = listNamespaces(prefix);
  // Internet, switch, metadata server, two routers, two nodes.
  expect(left).toHaveLength(7);
  const processes = processesIn(left);
  expect(await cloud.stop()).toEqual({ stopped: false, cleared: 7 });
  expect(listNamespaces(prefix)).toEqual([]);
  await until("the end of what was left", () => !processes.some(runs));
  expect(await cloud.stop()).toEqual({ stopped: false, cleared: 0 });

  await cloud.startAgain("instant");
  await until("everything", () => isUp(2), 20_000);
  await cloud.kill();
  expect(listNamespaces(prefix)).toHaveLength(7);
  await cloud.startAgain("instant", "--data-plane", "none");
  expect(listNamespaces(prefix)).toEqual([]);
});

test("a cloud whose home is deleted ends, and takes its namespaces and processes with it", async () => {
  await cloud.restart("instant");
  await until("everything", () => isUp(2), 20_000);
  const { pid } = cloud;
  const processes = processesIn(listNamespaces(prefix));
  expect([processes.length > 0, processes.every(runs)]).toEqual([true, true]);
  rmSync(cloud.home, { recursive: true });
  await until("the end of the server", () => !runs(pid), 20_000);
  await until("the end of what it ran", () => !processes.some(runs));
  expect(listNamespaces(prefix)).toEqual([]);
});
