/** Nodes and routers that crash on request, in a whole cloud with its data plane. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { until } from "../../local-cloud/network/machine/shell.ts";
import {
  firstId,
  makeKeyPair,
  makeNetwork,
  publicKey,
  startTestCloud,
  type TestCloud,
} from "../local-cloud/support.ts";
import { requireDataPlane } from "../machine-requirements.ts";
import { output, runs } from "./support.ts";

const home = mkdtempSync(join(tmpdir(), "crashes-"));
let cloud: TestCloud;
let router: string;
let nodes: readonly [string, string];

beforeAll(async () => {
  requireDataPlane();
  cloud = await startTestCloud({ home, dataPlane: "linux" });
  const { client } = cloud;
  const network = await makeNetwork(client);
  router = network.router;
  const keypair = await makeKeyPair(client);
  const node = async (address: string): Promise<string> => {
    const wanted = {
      image_id: "img-bare",
      cpu: "1",
      memory: "1024",
      "vxnets.1": `${network.vxnet}|${address}`,
    };
    const login = { login_mode: "keypair", login_keypair: keypair };
    return firstId((await client.done("RunInstances", { ...wanted, ...login })).instances);
  };
  nodes = [await node("192.168.1.2"), await node("192.168.1.3")];
});
afterAll(async () => {
  await cloud?.stop();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(async () => {
  await cloud.clearFaults();
  await until("both nodes and the router", async () => {
    const seen = await cloud.status();
    return seen.nodes.length === 2 && seen.routers.length === 1;
  });
});

const namespaceOf = async (id: string): Promise<string> => {
  const { routers, nodes } = await cloud.status();
  const found = [...routers, ...nodes].find((each) => each.id === id);
  if (found === undefined) throw new Error(`${id} is not there`);
  return found.namespace;
};
/** Pings an address from the first node. */
const ping = async (address: string): Promise<string> =>
  await output(
    ...(["ip", "netns", "exec", await namespaceOf(nodes[0])] as [string, string, string, string]),
    ...["ping", "-c1", "-W1", address],
  );
const answered = /1 received/;
const internet = "198.18.0.1";

test("a node that crashed is dead at once and stays so; a restart of its instance boots it with its disk", async () => {
  const before = (await cloud.status()).nodes.find(({ id }) => id === nodes[1]);
  const pid = before?.pid ?? 0;
  await output("nsenter", `--target=${pid}`, "--all", "--", "sh", "-c", "echo kept > /root/mark");
  expect(await ping("192.168.1.3")).toMatch(answered);
  await cloud.fault({ kind: "crash-node", resource: nodes[1] });
  await until("the node's death", () => !runs(pid));
  expect(await ping("192.168.1.3")).not.toMatch(answered);
  // Something else that changes the picture, and so has the data plane look at everything.
  await cloud.client.ok("CreateKeyPair", { mode: "user", public_key: publicKey });
  await cloud.client.done("UpdateRouters", { "routers.1": router });
  expect((await cloud.status()).nodes.map(({ id }) => id)).toEqual([nodes[0]]);
  await cloud.client.done("RestartInstances", { "instances.1": nodes[1] });
  expect(await ping("192.168.1.3")).toMatch(answered);
  const { pid: again } = (await cloud.status()).nodes.find(({ id }) => id === nodes[1]) ?? {};
  expect(await output("nsenter", `--target=${again}`, "--all", "--", "cat", "/root/mark")).toBe("kept\n");
});

test("a router that crashed leads nowhere while nodes of its vxnet reach each other; cleared, it is back", async () => {
  expect(await ping(internet)).toMatch(answered);
  const namespace = await namespaceOf(router);
  await cloud.fault({ kind: "crash-router", resource: router });
  await until("the router's death", async () => (await cloud.status()).routers.length === 0);
  expect(await output("ip", "netns", "list")).not.toContain(namespace);
  expect(await ping("192.168.1.1")).not.toMatch(answered);
  expect(await ping(internet)).not.toMatch(answered);
  expect(await ping("192.168.1.3")).toMatch(answered);
  await cloud.clearFaults();
  await until("the way to the internet", async () => answered.test(await ping(internet)));
});
