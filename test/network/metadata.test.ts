/** The metadata server, as the nodes of two zones see it through their routers. */

import { beforeAll, describe, expect, test } from "vitest";
import { processesIn, until } from "../../local-cloud/network/machine/shell.ts";
import type { NodePicture, RouterPicture } from "../../local-cloud/network/picture.ts";
import { inView, node, output, ownPrefix, router, temporaryFolder } from "./support.ts";
import { useDataPlane } from "./use-data-plane.ts";

const home = temporaryFolder();
const prefix = ownPrefix("m");
const server = "http://metadata.ks.qingcloud.com";

/** Without an EIP: the server is on the intranet. */
function withIntranet(zone: 1 | 2, changes: Partial<RouterPicture> = {}): RouterPicture {
  const { eip: _, ...rest } = router(zone);
  const intranet = { address: `100.${63 + zone}.0.10`, network: `100.${63 + zone}.0.0/16` };
  return { ...rest, intranet, ipsecTunnels: [], ...changes };
}

const metadata = {
  instance_id: "i-00000001",
  instance_name: "näme",
  vcpus_current: 16,
  vxnets: [{ vxnet_id: "vxnet-00000001", nic_id: "52:54:00:00:00:01" }],
};
const first = node(1, [], { image: "bare", metadata });
const other = node(1, [], {
  image: "bare",
  id: "i-00000003",
  nics: [{ vxnet: "vxnet-00000001", address: "192.168.1.3", mac: "52:54:00:00:00:03" }],
  metadata: { instance_id: "i-00000003", vxnets: [] },
});
const far = node(2, [], { image: "bare" });

describe("metadata server", { timeout: 60_000 }, () => {
  const plane = useDataPlane({ home, prefix });
  const show = (...nodes: NodePicture[]) =>
    plane.converge({ routers: [withIntranet(1), withIntranet(2)], nodes, bastionKeys: [] });
  /** The status and the body that a node gets. */
  const get = async (which: NodePicture, path: string, method = "GET") => {
    const asked = method === "HEAD" ? "--head --output /dev/null" : `--request ${method}`;
    const shown = "\\n%{http_code} %{content_type}";
    const told = await inView(
      plane,
      which.id,
      `curl -s -m 5 ${asked} --write-out '${shown}' '${server}${path}'`,
    );
    const [, body, status, type] = /^([\s\S]*)\n(\d+) (\S*)$/.exec(told) ?? [told, told];
    return { status, type, body: body?.trim() ? (JSON.parse(body) as unknown) : "" };
  };

  beforeAll(async () => {
    await show(first, other, far);
  });

  test("a node is told its metadata as JSON, by name and without an EIP", async () => {
    expect(await get(first, "/i-00000001/")).toEqual({
      status: "200",
      type: "application/json",
      body: metadata,
    });
    expect(await get(first, "/i-00000001")).toMatchObject({ status: "200", body: metadata });
    expect(await get(first, "/i-00000001/", "HEAD")).toMatchObject({ status: "200", body: "" });
  });

  test("it knows the running instances of the zone alone, and nothing else", async () => {
    expect(await get(first, "/i-00000003/")).toMatchObject({
      status: "200",
      body: { instance_id: "i-00000003" },
    });
    for (const path of ["/i-00000002/", "/", "/i-00000001/user-data", "/latest/meta-data/", "/__class__"]) {
      expect(await get(first, path), path).toMatchObject({ status: "404" });
    }
    expect(await get(far, "/i-00000002/")).toMatchObject({ status: "200" });
    expect(await get(first, "/i-00000001/", "PUT")).toMatchObject({ status: "405" });
  });

  test("what changes is told at once, and an instance that is gone is not known any more", async () => {
    await show({ ...first, metadata: { ...metadata, instance_name: "new" } }, far);
    expect(await get(first, "/i-00000001/")).toMatchObject({ body: { instance_name: "new" } });
    expect(await get(first, "/i-00000003/")).toMatchObject({ status: "404" });
  });

  test("an instance is told of five times a minute, and a router's nodes are answered a hundred times", async () => {
    await show(first, other, far);
    const loop = (path: string, times: number) =>
      `python3 -c '
import collections, urllib.request as u, urllib.error
seen = []
for _ in range(${times}):
    try:
        seen.append(u.urlopen("${server}${path}", timeout=5).status)
    except urllib.error.HTTPError as error:
        seen.append(error.status)
print(*(f"{count}*{status}" for status, count in sorted(collections.Counter(seen).items())))'`;
    expect(await inView(plane, far.id, loop("/i-00000002/", 6))).toBe("4*200 2*429\n");
    expect(await inView(plane, other.id, loop("/", 100))).toMatch(/^\d+\*404 \d+\*429\n$/);
    expect(await get(first, "/")).toMatchObject({
      status: "429",
      body: { message: expect.stringContaining("100.64.0.10") },
    });
    expect(await get(far, "/")).toMatchObject({ status: "404" });
  });

  test("it is started again when it dies, and reaches no further than the intranet", async () => {
    const [pid = 0] = processesIn([`${prefix}-metadata`]);
    process.kill(pid, "SIGKILL");
    await until("another server", async () => (await get(first, "/")).status === "404");
    const lost = await output(
      "ip",
      "netns",
      "exec",
      `${prefix}-metadata`,
      "ping",
      "-c1",
      "-W1",
      "192.168.1.2",
    );
    expect(lost).toContain("Network is unreachable");
    const beyond = "timeout 1 bash -c 'echo > /dev/tcp/100.64.0.2/80' && echo open";
    expect(await inView(plane, first.id, beyond)).not.toContain("open");
  });

  test("nodes in the base network reach it too, by their own addresses", async () => {
    const zone = "gpu1a";
    const id = `vxnet-0-${zone}`;
    const network = { managerAddress: "10.131.1.1", network: "10.131.1.0/24", dhcp: true, dns: false };
    const intranet = { address: "100.64.0.3", network: "100.64.0.0/16" };
    const nics = [{ vxnet: id, address: "10.131.1.2", mac: "52:54:00:00:02:02" }];
    const inBase = { ...other, boot: 2, nics };
    const baseNetworks = [{ zone, id, intranet, ...network }];
    await plane.converge({ routers: [withIntranet(2)], baseNetworks, nodes: [inBase, far], bastionKeys: [] });
    expect(await get(inBase, "/i-00000003/")).toMatchObject({
      status: "200",
      body: { instance_id: "i-00000003" },
    });
    expect(await get(inBase, "/i-00000002/")).toMatchObject({ status: "404" });
    const asked =
      "for i in $(seq 101); do echo 'url = http://metadata.ks.qingcloud.com/'; echo output = /dev/null; done";
    const flood = `${asked} | curl -s --config - --write-out '%{http_code} '`;
    expect(await inView(plane, inBase.id, flood)).toMatch(/ 429 $/);
    expect(await get(inBase, "/")).toMatchObject({
      body: { message: expect.stringContaining("10.131.1.2") },
    });
  });

  test("with the last router it goes", async () => {
    await plane.converge({ routers: [], nodes: [first], bastionKeys: [] });
    expect(await output("ip", "netns", "list")).not.toContain(`${prefix}-metadata`);
    await show(first);
    expect(await get(first, "/i-00000001/")).toMatchObject({ status: "200" });
  });
});
