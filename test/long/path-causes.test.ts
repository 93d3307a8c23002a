/**
 * Causes of a broken path that take real packets: `up` fails with the cause, starts no rank, and works when it is repaired.
 * Each test goes on where the one before ended: that its path carries what it needs proves the repair of the one before.
 * Causes that the API alone shows are in test/integration/path-causes.test.ts.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { parameters, routerOf, test } from "../e2e/two-zones/story.ts";
import { namespaceOf, shrinkTunnel } from "../harness/machine.ts";
import { followedOf, outputsOf } from "../harness/outputs.ts";
import type { Place } from "../harness/place.ts";
import { command, type Ended } from "../harness/process.ts";
import { ranksStarted } from "../harness/ranks.ts";
import { TestClient } from "../local-cloud/support.ts";

const zones = { beijing: "gpu1a", shanghai: "gpu2a" } as const;
type Name = keyof typeof zones;

/** Two ranks that meet as PyTorch's do, and send each other what a step of training sends. */
const exchange = `import os, socket, threading

address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
gradients = bytes(4 * ${parameters})
if os.environ["RANK"] == "0":
    with socket.create_server(address) as server:
        server.settimeout(120)
        peer = server.accept()[0]
else:
    peer = socket.create_connection(address, 120)
with peer:
    peer.settimeout(120)
    sending = threading.Thread(target=peer.sendall, args=[gradients])
    sending.start()
    received = 0
    while received < len(gradients):
        more = len(peer.recv(1 << 16))
        assert more > 0, f"the other rank left after {received} bytes"
        received += more
    sending.join()
`;

interface Static {
  readonly id: string;
  readonly val1: string;
}

async function tunnelAt(place: Place, name: Name, type: "6" | "7"): Promise<Static> {
  const request = { zone: zones[name], router: routerOf(place, name), static_type: type };
  const client = TestClient.ofHome(place.cloudHome);
  const found = await client.one("DescribeRouterStatics", "router_static_set", request);
  return { id: String(found.router_static_id), val1: String(found.val1) };
}

/** Changes one of the parts of the tunnel's first value, and puts it into effect. */
async function modify(place: Place, name: Name, { id, val1 }: Static, index: number, part: string) {
  const client = TestClient.ofHome(place.cloudHome);
  const zone = zones[name];
  const changed = val1.split("|").with(index, part).join("|");
  await client.ok("ModifyRouterStaticAttributes", { zone, router_static: id, val1: changed });
  await client.done("UpdateRouters", { zone, "routers.1": routerOf(place, name) });
}

/** Expects that a command fails, says all of this, and starts no rank. */
async function expectRefused(
  place: Place,
  check: () => Promise<Ended>,
  ...texts: readonly (string | RegExp)[]
): Promise<string> {
  const startedBefore = ranksStarted(place);
  const { code, text } = await check();
  expect(code, text).not.toBe(0);
  for (const expected of texts) expect(text).toMatch(expected);
  expect(ranksStarted(place)).toEqual(startedBefore);
  return text;
}

const nameOf = (place: Place, name: Name) => `router ${routerOf(place, name)} (zone ${zones[name]})`;
const differ = (place: Place) => `of ${nameOf(place, "beijing")} and ${nameOf(place, "shanghai")} differ`;

test("two zones train, with the bandwidth and the tunnel that they begin with", ({ first }) => {
  expect(first.code, first.text).toBe(0);
});

test("an MTU black hole, on which training would hang, fails the path check with the size that passes, which crosszone:tunnel.mtu then takes", async ({
  place,
}) => {
  const restore = shrinkTunnel(namespaceOf(await place.status(), routerOf(place, "beijing")));
  try {
    // The path is the same for any script; the guide's own goes over the next tunnel.
    const script = join(place.directory, "exchange.py");
    writeFileSync(script, exchange);
    // The check is made again because the bandwidth has changed; another seed is waiting for it.
    place.configure({
      "zones[0].bandwidthMbps": 30,
      "zones[1].bandwidthMbps": 20,
      "training.seed": 5,
      "training.epochs": 1,
      "training.script.path": script,
    });
    await expectRefused(
      place,
      () => place.up(),
      "The path from 192.168.1.2 to 192.168.2.2 does not carry training: ",
      // Small packets pass: key and route are right.
      "192.168.2.2 answers small packets but none of 1400 bytes: the largest that passes is 1300 bytes",
      "Set crosszone:tunnel.mtu to 1300",
    );
    place.configure({ "tunnel.mtu": 1300 });
    const { code, text } = await place.up();
    expect(code, text).toBe(0);
    // Nothing is lost any longer: it would say that TCP carries less than half of what was bought.
    expect(text).not.toContain("far below");
    expect(followedOf(place).map(({ attempt }) => attempt)).toEqual([1, 1]);
  } finally {
    restore();
    place.configure({ "tunnel.mtu": undefined, "training.seed": 6, "training.script": undefined });
  }
});

test("a pre-shared key that someone changed at one side of an IPSec tunnel fails the path check", async ({
  place,
}) => {
  const tunnel = await tunnelAt(place, "shanghai", "7");
  await modify(place, "shanghai", tunnel, 2, "another key than the peer's");
  const text = await expectRefused(
    place,
    // Without the refresh that `npm start` begins with.
    () => place.up(),
    "The path from 192.168.1.2 to 192.168.2.2 does not carry training: ",
    `the pre-shared keys ${differ(place)}`,
  );
  for (const secret of ["another key than the peer's", tunnel.val1.split("|")[2] ?? ""])
    expect(text).not.toContain(secret);
});

test("the next refresh repairs it; a node whose route leads elsewhere fails the check", async ({ place }) => {
  const { nodes } = await place.status();
  const node = nodes.find(({ zone }) => zone === "gpu2a")?.namespace ?? "";
  command("ip", "-n", node, "route", "replace", "unreachable", "192.168.1.0/24");
  try {
    const changes = await place.changesBy(async () => {
      const text = await expectRefused(
        place,
        () => place.up("--refresh"),
        "the node 192.168.2.2 has no route to 192.168.1.2 (RTNETLINK answers: No route to host)",
      );
      expect(text).not.toContain("differ");
    });
    expect(changes).toEqual(["ModifyRouterStaticAttributes", "UpdateRouters"]);
  } finally {
    command("ip", "-n", node, "route", "delete", "unreachable", "192.168.1.0/24");
  }
});

test("a bandwidth far below the purchase fails the check", async ({ place }) => {
  const eip = place.checkpoint().resources.find(({ urn }) => urn.endsWith(":Eip::beijing"))?.id ?? "";
  const request = { zone: zones.beijing, "eips.1": eip, bandwidth: "2" };
  await TestClient.ofHome(place.cloudHome).done("ChangeEipsBandwidth", request);
  await expectRefused(
    place,
    () => place.up(),
    /carries \d\.\d Mbit\/s of TCP, far below the 18\.1 that the headers leave/,
    `EIP ${eip} of ${nameOf(place, "beijing")} has 2 Mbit/s, not 30: someone has changed it`,
  );
});

test("a GRE tunnel takes the place of the other on the same nodes, and training goes over it; the bandwidth is right again by a refresh", async ({
  place,
}) => {
  place.configure({ "tunnel.kind": "gre", "tunnel.allowUnencrypted": true });
  const changes = await place.changesBy(async () => {
    const { code, text } = await place.up("--refresh");
    expect(code, text).toBe(0);
  });
  expect(changes.filter((action) => /Instances|Routers$/.test(action) && action !== "UpdateRouters")).toEqual(
    [],
  );
  expect(outputsOf(place).tunnels).toMatchObject([{ kind: "gre", up: true }]);
  expect(followedOf(place).map(({ attempt }) => attempt)).toEqual([1, 1]);
});

test("another key at one side of it fails the check; a refresh repairs it", async ({ place }) => {
  await modify(place, "beijing", await tunnelAt(place, "beijing", "6"), 1, "77");
  const { resources } = place.checkpoint();
  const check = resources.find(({ type }) => type === "qingcloud:link:PathCheck")?.urn ?? "";
  // Without `--refresh` it finds nothing else to do.
  await expectRefused(place, () => place.up("--replace", check), `the keys (77, 1019) ${differ(place)}`);
  const changes = await place.changesByUp("--refresh");
  expect(changes).toEqual(["ModifyRouterStaticAttributes", "UpdateRouters"]);
  expect(outputsOf(place).tunnels).toMatchObject([{ kind: "gre", up: true }]);
  place.configure({ "tunnel.kind": undefined, "tunnel.allowUnencrypted": undefined });
});
