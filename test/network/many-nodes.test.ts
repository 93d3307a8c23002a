/** Fifty nodes in one vxnet: all come up at once, are on one network, and go away leaving nothing. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { listNamespaces } from "../../local-cloud/network/machine/namespaces.ts";
import { processesIn } from "../../local-cloud/network/machine/shell.ts";
import type { NodePicture } from "../../local-cloud/network/picture.ts";
import { node, output, ownPrefix, router, runs, temporaryFolder } from "./support.ts";
import { useDataPlane } from "./use-data-plane.ts";

const count = 50;
const home = temporaryFolder();
const prefix = ownPrefix("n");
const zoneRouter = router(1, { ipsecTunnels: [] });
const nodes: readonly NodePicture[] = Array.from({ length: count }, (_, index) => {
  const number = String(index + 10);
  return node(1, [], {
    id: `i-000000${number}`,
    hostname: `node-${number}`,
    nics: [{ vxnet: "vxnet-00000001", address: `192.168.1.${number}`, mac: `52:54:00:00:01:${number}` }],
  });
});

describe("fifty nodes", { timeout: 120_000 }, () => {
  const plane = useDataPlane({ home, prefix });

  test("come up with sshd, reach each other, and leave no namespace, process, mount or disk", async () => {
    await plane.converge({ routers: [zoneRouter], nodes, bastionKeys: [] });
    const seen = (await plane.observe()).nodes;
    expect(seen.map(({ id }) => id)).toEqual(nodes.map(({ id }) => id));
    const listening = seen.filter(({ pid }) =>
      /^\s*\d+: 00000000:0016 /m.test(readFileSync(`/proc/${pid}/net/tcp`, "utf8")),
    );
    expect(listening).toHaveLength(count);
    const last = nodes.at(-1)?.nics[0]?.address ?? "";
    const ping = ["netns", "exec", `${prefix}-${nodes[0]?.id}`, "ping", "-c1", "-W2", last];
    expect(await output("ip", ...ping)).toContain("1 received");

    const namespaces = seen.map(({ namespace }) => namespace);
    const processes = processesIn(namespaces);
    expect(processes.length).toBeGreaterThan(2 * count);
    await plane.converge({ routers: [zoneRouter], nodes: [], bastionKeys: [] });
    expect(processes.filter(runs)).toEqual([]);
    expect(listNamespaces(prefix).sort()).toEqual([
      `${prefix}-internet`,
      `${prefix}-rtr-00000001`,
      `${prefix}-switch`,
    ]);
    const ports = JSON.parse(
      await output("ip", "-n", `${prefix}-switch`, "-json", "link", "show", "type", "veth"),
    );
    expect(ports).toHaveLength(1); // the router's
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(home);
    await plane.forget(nodes.map(({ id }) => id));
    expect(nodes.filter(({ id }) => existsSync(join(home, "nodes", id)))).toEqual([]);
    await plane.stop();
    expect(listNamespaces(prefix)).toEqual([]);
  });
});
