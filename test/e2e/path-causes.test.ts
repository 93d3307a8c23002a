/** Everything that a path can break by, done to a stack that stands: `up` fails with that cause, and works when it is mended. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

/** `up` that checks the path anew and nothing else, without a refresh. */
async function checkAgain(): Promise<Ended> {
  const { resources } = place.checkpoint();
  const check = resources.find(({ type }) => type === "qingcloud:link:PathCheck")?.urn ?? "";
  return await place.pulumi(["up", "--yes", "--skip-preview", "--non-interactive", "--replace", check]);
}

async function isRefusedWith(...texts: readonly (string | RegExp)[]): Promise<void> {
  const { code, text } = await checkAgain();
  expect(code, text).not.toBe(0);
  for (const expected of texts) expect(text).toMatch(expected);
}

async function isFine(): Promise<void> {
  const { code, text } = await checkAgain();
  expect(code, text).toBe(0);
}

/** What the causes advise. */
async function mendByRefresh(): Promise<void> {
  const { code, text } = await place.pulumi([
    "up",
    "--yes",
    "--skip-preview",
    "--non-interactive",
    "--refresh",
  ]);
  expect(code, text).toBe(0);
}

interface Static {
  readonly id: string;
  readonly val1: string;
  readonly targets: string;
}

async function tunnelAt({ zone, router }: End, type: "6" | "7"): Promise<Static> {
  const found = await client.one("DescribeRouterStatics", "router_static_set", {
    zone,
    router,
    static_type: type,
  });
  const targets = String(type === "7" ? found.val3 : found.val2);
  return { id: String(found.router_static_id), val1: String(found.val1), targets };
}

const modify = (end: End, tunnel: Static, values: Record<string, string>) =>
  client.ok("ModifyRouterStaticAttributes", { zone: end.zone, router_static: tunnel.id, ...values });
const apply = ({ zone, router }: End) => client.done("UpdateRouters", { zone, "routers.1": router });
const withPart = (val1: string, index: number, part: string) => val1.split("|").with(index, part).join("|");
const nameOf = ({ router, zone }: End) => `router ${router} (zone ${zone})`;

describe("of an IPSec tunnel", () => {
  test("another pre-shared key at one side", async () => {
    const tunnel = await tunnelAt(shanghai, "7");
    await modify(shanghai, tunnel, { val1: withPart(tunnel.val1, 2, "another key than the peer's") });
    await apply(shanghai);
    const { code, text } = await checkAgain();
    expect(code, text).not.toBe(0);
    expect(text).toContain("The path from 192.168.1.2 to 192.168.2.2 does not carry training");
    expect(text).toContain(`the pre-shared keys of ${nameOf(beijing)} and ${nameOf(shanghai)} differ`);
    for (const secret of ["another key than the peer's", tunnel.val1.split("|")[2] ?? ""])
      expect(text).not.toContain(secret);
    await mendByRefresh();
    await isFine();
  });

  test("UpdateRouters that is missing on one side", async () => {
    for (const end of [beijing, shanghai]) {
      const tunnel = await tunnelAt(end, "7");
      await modify(end, tunnel, { val1: withPart(tunnel.val1, 2, "a new key, the same for both") });
    }
    await apply(beijing);
    const { id } = await tunnelAt(shanghai, "7");
    await isRefusedWith(
      `the tunnel ${id} of ${nameOf(shanghai)} is not in effect: UpdateRouters is missing on this side`,
    );
    await apply(shanghai);
  });

  test("a peer's address that is another's, and target networks that are not the peer's", async () => {
    const tunnel = await tunnelAt(beijing, "7");
    await modify(beijing, tunnel, {
      val1: withPart(tunnel.val1, 0, "198.51.100.99"),
      val3: "192.168.9.0/24",
    });
    await apply(beijing);
    await isRefusedWith(
      `the tunnel ${tunnel.id} of ${nameOf(beijing)} leads to 198.51.100.99, its peer ${nameOf(shanghai)} is at ${shanghai.address}`,
      `does not lead to 192.168.2.0/24 behind its peer, but to 192.168.9.0/24`,
    );
    await modify(beijing, tunnel, { val1: tunnel.val1, val3: tunnel.targets });
    await apply(beijing);
  });

  test("a node whose route leads elsewhere", async () => {
    const { nodes } = await place.status();
    const node = nodes.find(({ zone }) => zone === "gpu2a")?.namespace ?? "";
    command("ip", "-n", node, "route", "replace", "unreachable", "192.168.1.0/24");
    await isRefusedWith(
      "the node 192.168.2.2 has no route to 192.168.1.2 (RTNETLINK answers: No route to host)",
    );
    command("ip", "-n", node, "route", "delete", "unreachable", "192.168.1.0/24");
  });

  test("an MTU black hole, with the size that passes, which crosszone:tunnel.mtu then takes", async () => {
    const mend = shrinkTunnel(namespaceOf(await place.status(), beijing.router));
    try {
      await isRefusedWith(
        "192.168.2.2 answers small packets but none of 1400 bytes: the largest that passes is 1300 bytes",
        "Set crosszone:tunnel.mtu to 1300",
      );
      place.configure({ "tunnel.mtu": 1300 });
      const { code, text } = await place.pulumi(["up", "--yes", "--skip-preview", "--non-interactive"]);
      expect(code, text).toBe(0);
      // Nothing is lost any more: it would be told that TCP carries less than half of what was bought.
      expect(text).not.toContain("far below");
    } finally {
      mend();
      place.configure({ "tunnel.mtu": undefined });
    }
  });

  test("a bandwidth far below the purchase", async () => {
    await client.done("ChangeEipsBandwidth", { zone: "gpu1a", "eips.1": beijing.eip, bandwidth: "2" });
    await isRefusedWith(
      /carries \d\.\d Mbit\/s of TCP, far below the 18\.1 that the headers leave/,
      `EIP ${beijing.eip} of ${nameOf(beijing)} has 2 Mbit/s, not 20: someone has changed it`,
    );
    await mendByRefresh();
    await isFine();
  });

  test("a router that is off", async () => {
    await client.done("PowerOffRouters", { zone: shanghai.zone, "routers.1": shanghai.router });
    await isRefusedWith("The path could not be checked: ", `${nameOf(shanghai)} is poweroffed`);
    await client.done("PowerOnRouters", { zone: shanghai.zone, "routers.1": shanghai.router });
    await isFine();
  });
});

describe("of a GRE tunnel", () => {
  test("which takes the place of the other on the same nodes", async () => {
    place.configure({ "tunnel.kind": "gre" });
    place.configure({ "tunnel.allowUnencrypted": true });
    const changes = await place.changesBy(async () => {
      const { code, text } = await place.start();
      expect(code, text).toBe(0);
    });
    expect(
      changes.filter((action) => /Instances|Routers$/.test(action) && action !== "UpdateRouters"),
    ).toEqual([]);
  });

  test("a security group that does not let it in", async () => {
    const request = { zone: shanghai.zone, router: shanghai.router };
    const router = await client.one("DescribeRouters", "router_set", {
      zone: shanghai.zone,
      "routers.1": request.router,
    });
    const group = String(router.security_group_id);
    const answer = await client.ok("DescribeSecurityGroupRules", {
      zone: shanghai.zone,
      security_group: group,
    });
    const rules = answer.security_group_rule_set as { security_group_rule_id: string; protocol: string }[];
    const rule = rules.find(({ protocol }) => protocol === "gre")?.security_group_rule_id ?? "";
    await client.ok("DeleteSecurityGroupRules", { zone: shanghai.zone, "security_group_rules.1": rule });
    await client.done("ApplySecurityGroup", { zone: shanghai.zone, security_group: group });
    await isRefusedWith(
      `security group ${group} of ${nameOf(shanghai)} does not let in gre from ${beijing.address}, the router of zone gpu1a`,
    );
    await mendByRefresh();
    await isFine();
  });

  test("another key at one side, and another tunnel to networks that overlap", async () => {
    const tunnel = await tunnelAt(beijing, "6");
    await modify(beijing, tunnel, { val1: withPart(tunnel.val1, 1, "77") });
    const rival = await client.ok("AddRouterStatics", {
      zone: beijing.zone,
      router: beijing.router,
      "statics.1.static_type": "6",
      "statics.1.val1": "198.51.100.99|7|10.250.0.1|10.250.0.2",
      "statics.1.val2": "192.168.2.0/25",
    });
    await apply(beijing);
    const [id = ""] = rival.router_statics as string[];
    await isRefusedWith(
      /the keys \((77, 1001|1001, 77)\) of router/,
      `another tunnel of ${nameOf(beijing)}, ${id}, leads to overlapping networks (192.168.2.0/25)`,
    );
    await modify(beijing, tunnel, { val1: tunnel.val1 });
    await apply(beijing);
    // The key is right again; the other tunnel still takes the packets.
    await isRefusedWith(`another tunnel of ${nameOf(beijing)}, ${id}, leads to overlapping networks`);
    await client.ok("DeleteRouterStatics", { zone: beijing.zone, "router_statics.1": id });
    await apply(beijing);
    await isFine();
  });

  test("a tunnel that someone has deleted", async () => {
    const { id } = await tunnelAt(shanghai, "6");
    await client.ok("DeleteRouterStatics", { zone: shanghai.zone, "router_statics.1": id });
    await apply(shanghai);
    await isRefusedWith(`${nameOf(shanghai)} has no tunnel ${id} any more: someone has deleted it`);
    await mendByRefresh();
  });
});
