/**
 * Causes of a broken path that take real packets: `up` fails with the cause, and works when it is repaired. Each test goes
 * on where the one before ended: that its path carries what it needs proves the repair of the one before. Causes that the
 * API alone shows are in test/integration/path-causes.test.ts.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { namespaceOf, shrinkTunnel } from "../harness/machine.ts";
import { Place } from "../harness/place.ts";
import { command, type Ended } from "../harness/process.ts";
import { TestClient } from "../local-cloud/support.ts";

let place: Place;
let client: TestClient;

interface End {
  readonly zone: string;
  readonly router: string;
  readonly address: string;
  readonly eip: string;
}
let beijing: End;
let shanghai: End;

beforeAll(async () => {
  place = new Place();
  await place.cloudOk("start");
  place.configure({ "training.mode": "none" });
  const first = await place.start();
  expect(first.code, first.text).toBe(0);
  client = TestClient.ofHome(place.cloudHome);
  const { resources } = place.checkpoint();
  const end = (name: string, zone: string): End => {
    const of = (type: string, urn: string) =>
      resources.find((each) => each.type.endsWith(type) && each.urn.endsWith(urn));
    const eip = of(":Eip", `::${name}`);
    return {
      zone,
      router: of(":Vpc", `::${name}-router`)?.id ?? "",
      eip: eip?.id ?? "",
      address: String(eip?.outputs?.address),
    };
  };
  [beijing, shanghai] = [end("beijing", "gpu1a"), end("shanghai", "gpu2a")];
});

afterAll(() => place.remove());

/** `up` that checks the path again; without `--refresh` it finds nothing else to do. */
async function checkAgain(...flags: readonly string[]): Promise<Ended> {
  const { resources } = place.checkpoint();
  const check = resources.find(({ type }) => type === "qingcloud:link:PathCheck")?.urn ?? "";
  return await place.up(...flags, "--replace", check);
}

/** Does what the causes advise, and checks again. */
const repairedByRefresh = () => checkAgain("--refresh");

function expectRefused({ code, text }: Ended, ...texts: readonly (string | RegExp)[]): void {
  expect(code, text).not.toBe(0);
  for (const expected of texts) expect(text).toMatch(expected);
}

interface Static {
  readonly id: string;
  readonly val1: string;
}

async function tunnelAt({ zone, router }: End, type: "6" | "7"): Promise<Static> {
  const request = { zone, router, static_type: type };
  const found = await client.one("DescribeRouterStatics", "router_static_set", request);
  return { id: String(found.router_static_id), val1: String(found.val1) };
}

/** Changes one of the parts of the tunnel's first value, and puts it into effect. */
async function modify({ zone, router }: End, { id, val1 }: Static, index: number, part: string) {
  const changed = val1.split("|").with(index, part).join("|");
  await client.ok("ModifyRouterStaticAttributes", { zone, router_static: id, val1: changed });
  await client.done("UpdateRouters", { zone, "routers.1": router });
}

const nameOf = ({ router, zone }: End) => `router ${router} (zone ${zone})`;
const differ = () => `of ${nameOf(beijing)} and ${nameOf(shanghai)} differ`;

test("another pre-shared key at one side of an IPSec tunnel", async () => {
  const tunnel = await tunnelAt(shanghai, "7");
  await modify(shanghai, tunnel, 2, "another key than the peer's");
  const refused = await checkAgain();
  expectRefused(
    refused,
    "The path from 192.168.1.2 to 192.168.2.2 does not carry training",
    `the pre-shared keys ${differ()}`,
  );
  for (const secret of ["another key than the peer's", tunnel.val1.split("|")[2] ?? ""])
    expect(refused.text).not.toContain(secret);
});

test("a node whose route leads elsewhere; the key is right again by a refresh", async () => {
  const { nodes } = await place.status();
  const node = nodes.find(({ zone }) => zone === "gpu2a")?.namespace ?? "";
  command("ip", "-n", node, "route", "replace", "unreachable", "192.168.1.0/24");
  const refused = await repairedByRefresh();
  command("ip", "-n", node, "route", "delete", "unreachable", "192.168.1.0/24");
  expectRefused(
    refused,
    "the node 192.168.2.2 has no route to 192.168.1.2 (RTNETLINK answers: No route to host)",
  );
  expect(refused.text).not.toContain("differ");
});

test("an MTU black hole, with the size that passes, which crosszone:tunnel.mtu then takes", async () => {
  const repair = shrinkTunnel(namespaceOf(await place.status(), beijing.router));
  try {
    // Small packets pass: key and route are right.
    expectRefused(
      await checkAgain(),
      "192.168.2.2 answers small packets but none of 1400 bytes: the largest that passes is 1300 bytes",
      "Set crosszone:tunnel.mtu to 1300",
    );
    place.configure({ "tunnel.mtu": 1300 });
    const { code, text } = await place.up();
    expect(code, text).toBe(0);
    // Nothing is lost any longer: it would say that TCP carries less than half of what was bought.
    expect(text).not.toContain("far below");
  } finally {
    repair();
    place.configure({ "tunnel.mtu": undefined });
  }
});

test("a bandwidth far below the purchase", async () => {
  await client.done("ChangeEipsBandwidth", { zone: "gpu1a", "eips.1": beijing.eip, bandwidth: "2" });
  expectRefused(
    await checkAgain(),
    /carries \d\.\d Mbit\/s of TCP, far below the 18\.1 that the headers leave/,
    `EIP ${beijing.eip} of ${nameOf(beijing)} has 2 Mbit/s, not 20: someone has changed it`,
  );
});

test("a GRE tunnel takes the place of the other on the same nodes; the bandwidth is right again by a refresh", async () => {
  place.configure({ "tunnel.kind": "gre", "tunnel.allowUnencrypted": true });
  const changes = await place.changesBy(async () => {
    const { code, text } = await place.start();
    expect(code, text).toBe(0);
  });
  expect(changes.filter((action) => /Instances|Routers$/.test(action) && action !== "UpdateRouters")).toEqual(
    [],
  );
});

test("another key at one side of it", async () => {
  await modify(beijing, await tunnelAt(beijing, "6"), 1, "77");
  expectRefused(await checkAgain(), `the keys (77, 1001) ${differ()}`);
  const { code, text } = await repairedByRefresh();
  expect(code, text).toBe(0);
});
