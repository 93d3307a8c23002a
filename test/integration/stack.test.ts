/** A stack of two VPCs in one zone and one in another, from its first up, with all processes of its own, to its destroy. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { stateFile } from "../../scripts/dev/state-file.ts";
import { changesAmong } from "../harness/calls.ts";
import { Stack, type Stored, up } from "../harness/stack.ts";
import { letIn, operators, routersOf } from "./seen-routers.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
/** What the commands have shown and stored so far: no secret may be in it. */
const seen: string[] = [];
let firstUp: string[] = [];
beforeAll(async () => {
  stack = await Stack.start();
  const third = { name: "tianjin", zoneId: "gpu1a", network: "192.168.3.0/24", bandwidthMbps: 20 };
  stack.configure({ "zones[2]": { ...third, imageId: "img-deeplearning" } });
});
afterAll(async () => await stack?.remove());

const names = ["beijing", "shanghai", "tianjin"] as const;
type Name = (typeof names)[number];
const zoneIds = { beijing: "gpu1a", shanghai: "gpu2a", tianjin: "gpu1a" };
/** Shows first what will be done. */
const withPreview = "--skip-preview=false";
const routers = () => routersOf(stack);

async function pulumi(...args: string[]): Promise<string> {
  const { code, text } = await stack.run(...args);
  seen.push(text);
  if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${text}`);
  return text;
}

/** The changes that the commands made, as names of actions. */
const actionsBy = async (work: () => Promise<unknown>) =>
  (await stack.cloud.changesBy(work)).map(([action]) => action);

/** The one resource of a type that is named after a zone. */
function one(type: string, name: Name): Stored {
  const found = stack.resources(`:${type}`).filter(({ urn }) => urn.includes(`::${name}`));
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} ${type} of ${name}`);
  return found[0];
}

test("up makes in each zone exactly what the plan has, by one call each", async () => {
  const actions = await actionsBy(() => pulumi(...up));
  stack.attachProvider();
  firstUp = actions;
  const counts = Object.fromEntries(
    [...new Set(actions)].map((name) => [name, actions.filter((each) => each === name).length]),
  );
  const { UpdateRouters = 0, ...rest } = counts;
  expect(rest).toEqual({
    AllocateEips: 3,
    CreateSecurityGroup: 3,
    // For each group its own rules; the peers' of two are lists next to their groups.
    AddSecurityGroupRules: 5,
    ApplySecurityGroup: 5,
    CreateKeyPair: 3,
    CreateRouters: 3,
    ModifyRouterAttributes: 3,
    CreateVxnets: 3,
    JoinRouter: 3,
    RunInstances: 3,
    AddRouterStatics: 9,
  });
  // For the EIP, then for the three statics together; a static that comes late has one of its own.
  expect(UpdateRouters).toBeGreaterThanOrEqual(6);
  expect(UpdateRouters).toBeLessThanOrEqual(12);
});

test("the outputs are those of the design", () => {
  const outputs = stack.outputs<{
    zones: { zoneId: string; bandwidthMbps: number; nodes: { privateIp: string; instanceId: string }[] }[];
    tunnels: unknown[];
    training: unknown;
    operatorKey: string;
  }>();
  expect(outputs.zones.map(({ zoneId }) => zoneId)).toEqual(names.map((name) => zoneIds[name]));
  expect(outputs.zones.map(({ nodes }) => nodes.map(({ privateIp }) => privateIp))).toEqual([
    ["192.168.1.2"],
    ["192.168.2.2"],
    ["192.168.3.2"],
  ]);
  const unmeasured = { up: null, rttMs: null, lossPercent: null, goodputMbps: null };
  const tunnel = { kind: "ipsec", encrypted: true, ...unmeasured };
  expect(outputs.tunnels).toEqual([
    { ...tunnel, zones: ["beijing", "shanghai"], over: "internet", mtu: 1400 },
    { ...tunnel, zones: ["beijing", "tianjin"], over: "intranet", mtu: 1400 },
    { ...tunnel, zones: ["shanghai", "tianjin"], over: "internet", mtu: 1400 },
  ]);
  expect(outputs.training).toBeNull();
  expect(outputs.operatorKey).toBe("[secret]");
});

test("both sides of the tunnel have each other's address and network, and the same key", async () => {
  const tunnelOf = (name: Name) => {
    const [found] = stack.resources().filter(({ urn }) => urn.endsWith(`::beijing-shanghai-at-${name}`));
    if (found === undefined) throw new Error(`the tunnel has no end at ${name}`);
    return found;
  };
  const sides = await Promise.all(
    (["beijing", "shanghai"] as const).map(async (name) => {
      const found = await stack.cloud.client.one("DescribeRouterStatics", "router_static_set", {
        zone: zoneIds[name],
        "router_statics.1": tunnelOf(name).id ?? "",
      });
      const [peer, , key] = String(found.val1).split("|");
      const eip = one("Eip", name).outputs?.address;
      return { peer, key, eip, local: found.val2, target: found.val3, isApplied: found.is_applied };
    }),
  );
  const [a, b] = sides;
  expect([a?.peer, a?.local, a?.target]).toEqual([b?.eip, b?.target, b?.local]);
  expect([b?.peer, b?.local, b?.target]).toEqual([a?.eip, a?.target, a?.local]);
  expect(a?.key).toBe(b?.key);
  expect(a?.key?.length).toBeGreaterThanOrEqual(40);
  expect(sides.map(({ isApplied }) => isApplied)).toEqual([1, 1]);
});

test("routers of one zone have each other's id as peer and let in its intranet address, others the EIP", async () => {
  const { beijing, shanghai, tianjin } = await routers();
  expect(beijing?.tunnels).toEqual({
    "192.168.2.0/24": [shanghai?.eip, shanghai?.eip],
    "192.168.3.0/24": [tianjin?.id, "%any"],
  });
  expect(tianjin?.tunnels).toEqual({
    "192.168.1.0/24": [beijing?.id, "%any"],
    "192.168.2.0/24": [shanghai?.eip, shanghai?.eip],
  });
  expect(beijing?.letIn).toEqual(letIn(shanghai?.eip, tianjin?.privateIp));
  expect(tianjin?.letIn).toEqual(letIn(shanghai?.eip, beijing?.privateIp));
  expect(shanghai?.letIn).toEqual(letIn(beijing?.eip, tianjin?.eip));
});

test("what someone changed, and deleted, by hand is found by refresh, and nothing else", async () => {
  const { client } = stack.cloud;
  const { id: eip = "", urn: eipUrn } = one("Eip", "shanghai");
  const { id: forward = "", urn: forwardUrn } = one("PortForward", "beijing");
  const before = stack.stateByUrn();
  await client.done("ChangeEipsBandwidth", { zone: "gpu2a", "eips.1": eip, bandwidth: "7" });
  await client.ok("DeleteRouterStatics", { zone: "gpu1a", "router_statics.1": forward });
  expect(await actionsBy(() => pulumi("refresh", "--yes", "--skip-preview", "--color", "never"))).toEqual([]);
  expect(one("Eip", "shanghai").outputs?.bandwidth).toBe(7);
  const after = stack.stateByUrn();
  const isChanged = (urn: string) => before[urn] !== after[urn];
  // The deletion was not applied: the router is found so, with all that waits for that.
  const unapplied = stack.resources().filter(({ initErrors }) => initErrors !== undefined);
  unapplied.sort((a, b) => (a.urn < b.urn ? -1 : 1));
  expect(unapplied.map(({ urn, initErrors }) => [urn.split("::").at(-1), initErrors])).toEqual(
    ["beijing-shanghai-at-beijing", "beijing-tianjin-at-beijing", "beijing-router"].map((name) => [
      name,
      [expect.stringMatching(/not applied \(UpdateRouters\); the next `up` finishes it$/)],
    ]),
  );
  expect(
    Object.keys({ ...before, ...after })
      .filter(isChanged)
      .toSorted(),
  ).toEqual([eipUrn, forwardUrn, ...unapplied.map(({ urn }) => urn)].toSorted());
  expect(after[forwardUrn]).toBeUndefined();
  expect(after[eipUrn]).toBe(before[eipUrn]?.replaceAll('"bandwidth":20', '"bandwidth":7'));
});

test("it is put back by up, and an EIP's bandwidth changes in place, by one call each and nothing else", async () => {
  const { id: eip = "" } = one("Eip", "shanghai");
  const { id: before = "" } = one("Eip", "beijing");
  stack.configure({ "zones[0].bandwidthMbps": 50 });
  const since = stack.cloud.calls().length;
  const shown = await pulumi(...up, withPreview, "--diff");
  const [preview = "", update = ""] = shown.split(/^Updating /m);
  for (const each of [preview, update]) {
    expect(each).toMatch(/bandwidth\s*: 20 => 50/);
    expect(each).toMatch(/bandwidth\s*: 7 => 20/);
    expect(each).toMatch(
      /^ +\+ 1 (to create|created)\n +~ 5 (to update|updated)\n +6 changes\. \d+ unchanged/m,
    );
  }
  const calls = stack.cloud.calls().slice(since);
  const changesIn = (zone: string) =>
    changesAmong(calls.filter((call) => call.zone === zone && call.ret_code === 0));
  expect(changesIn("gpu2a")).toEqual([["ChangeEipsBandwidth", { "eips.1": eip, bandwidth: "20" }]]);
  const isBandwidth = ([action]: readonly [string, object]) => action === "ChangeEipsBandwidth";
  expect(changesIn("gpu1a").filter(isBandwidth)).toEqual([
    ["ChangeEipsBandwidth", { "eips.1": before, bandwidth: "50" }],
  ]);
  // The deletion by hand is applied first.
  const others = changesIn("gpu1a").filter((change) => !isBandwidth(change));
  expect(others.map(([action]) => action)).toEqual(["UpdateRouters", "AddRouterStatics", "UpdateRouters"]);
  expect(one("Eip", "beijing").id).toBe(before);
  expect(await stack.cloud.client.one("DescribeEips", "eip_set", { "eips.1": before })).toMatchObject({
    bandwidth: 50,
  });
});

test("with the intranet off all meet at their EIPs, on the same routers; nothing is left of the other rules", async () => {
  const before = await routers();
  stack.configure({ "tunnel.intranet": "off" });
  const changes = await stack.cloud.changesBy(() => pulumi(...up));
  const { beijing, shanghai, tianjin } = await routers();
  expect([beijing?.id, tianjin?.id]).toEqual([before.beijing?.id, before.tianjin?.id]);
  expect(beijing?.tunnels["192.168.3.0/24"]).toEqual([tianjin?.eip, tianjin?.eip]);
  expect(beijing?.letIn).toEqual(letIn(shanghai?.eip, tianjin?.eip));
  expect(tianjin?.letIn).toEqual(letIn(shanghai?.eip, beijing?.eip));
  expect(changes.filter(([action]) => action === "DeleteSecurityGroups")).toHaveLength(2);
});

test("a second preview, a second up and a refresh find nothing to change, and change nothing", async () => {
  const actions = await actionsBy(async () => {
    await pulumi("preview", "--expect-no-changes", "--diff", "--color", "never");
    seen.push(await stack.noChanges());
  });
  expect(actions).toEqual([]);
});

test("and on again, a router's SSH stays open in the exchange of its group", async () => {
  stack.configure({ "tunnel.intranet": "auto" });
  const changes = (await stack.cloud.changesBy(() => pulumi(...up))) as [string, Record<string, string>][];
  const { beijing, shanghai, tianjin } = await routers();
  expect(beijing?.letIn).toEqual(letIn(shanghai?.eip, tianjin?.privateIp));
  for (const { id } of [beijing, tianjin].flatMap((each) => each ?? [])) {
    const exchanged = changes.findIndex(
      ([action, { router, security_group: group }]) =>
        action === "ModifyRouterAttributes" && router === id && group !== undefined,
    );
    const group = changes[exchanged]?.[1].security_group;
    const openedBefore = changes
      .slice(0, exchanged)
      .filter(([action, of]) => action === "AddSecurityGroupRules" && of.security_group === group)
      .flatMap(([, of]) => Object.entries(of))
      .filter(([name, value]) => name.endsWith(".protocol") && value === "tcp");
    expect(openedBefore).toHaveLength(operators.length);
    const isApplied = changes.findIndex(
      ([action, of]) => action === "ApplySecurityGroup" && of.security_group === group,
    );
    expect(isApplied).toBeGreaterThanOrEqual(0);
    expect(isApplied).toBeLessThan(exchanged);
  }
});

test("no secret stands in clear in the state, the shown diffs, the log of calls or the cloud's log", async () => {
  const shown = JSON.parse(await stack.ok("stack", "export", "--show-secrets")) as {
    deployment: { resources: Stored[] };
  };
  const secrets = shown.deployment.resources.flatMap(({ type, outputs }) => {
    const { plaintext } = (outputs?.[type.endsWith("PresharedKey") ? "value" : "privateKey"] ?? {}) as {
      plaintext?: string;
    };
    return plaintext === undefined || !/PresharedKey|SshKey/.test(type)
      ? []
      : [JSON.parse(plaintext) as string];
  });
  // A pre-shared key for each tunnel, the operator's key, and a host key for each node.
  expect(secrets).toHaveLength(7);
  expect(secrets.filter((text) => text.includes("OPENSSH PRIVATE KEY"))).toHaveLength(4);
  const home = stack.cloud.home;
  const places: Record<string, string> = {
    state: readFileSync(stateFile(stack.workspace), "utf8"),
    "calls.jsonl": readFileSync(join(home, "calls.jsonl"), "utf8"),
    "the cloud's log": readFileSync(join(home, "log"), "utf8"),
    commands: seen.join("\n"),
    "the working configuration": readFileSync(
      join(stack.cloud.directory, ".pulumi", "Pulumi.dev.yaml"),
      "utf8",
    ),
  };
  const keys = /qy_secret_access_key: '(\w+)'/.exec(readFileSync(stack.cloud.configFile, "utf8"))?.[1] ?? "";
  expect(keys).toHaveLength(40);
  for (const secret of [...secrets, keys]) {
    // A private key: one line from its middle, whatever the line ends are.
    const part = secret.includes("\n") ? (secret.split("\n")[2] ?? "") : secret;
    expect(part.length).toBeGreaterThanOrEqual(30);
    for (const [place, text] of Object.entries(places)) {
      for (const form of [part, Buffer.from(secret).toString("base64")]) {
        expect(text.includes(form), `a secret in ${place}`).toBe(false);
      }
    }
  }
  expect(places["calls.jsonl"]).toContain("[secret]");
});

test("sweep finds nothing of a whole stack, nor of one with a zone under a new name, whose rules are in lists", async () => {
  const lists = stack.resources(":SecurityGroupRules");
  expect(lists.map(({ urn }) => urn.split("::").at(-1)).sort()).toEqual(["beijing-peers", "tianjin-peers"]);
  const swept = async () => {
    const changes = await stack.cloud.changesBy(async () => {
      const { code, stdout } = await stack.command("sweep", "--yes").ended;
      expect([code, stdout]).toEqual([0, "Nothing bears the mark of the stack and is in no state.\n"]);
    });
    expect(changes).toEqual([]);
  };
  await swept();
  stack.configure({ "zones[2].name": "tj", "zones[2].formerly": "tianjin" });
  const before = stack.resources().map(({ type, id }) => `${type} ${id}`);
  const { code, text } = await stack.start(...up).ended;
  expect([code, code === 0 ? "" : text]).toEqual([0, ""]);
  expect(
    stack
      .resources()
      .map(({ type, id }) => `${type} ${id}`)
      .sort(),
  ).toEqual(before.sort());
  await swept();
  await stack.noChanges();
});

test("destroy leaves nothing: no resource in the state, none in the cloud, and each was deleted once", async () => {
  const actions = await actionsBy(() => pulumi("destroy", "--yes", "--skip-preview", "--color", "never"));
  expect(stack.resources()).toEqual([]);
  const deletes = actions.filter((name) => /^(Delete|Release|Terminate)/.test(name)).sort();
  const made = firstUp.filter((name) => /^(CreateR|CreateS|CreateK|CreateV|Allocate|Run)/.test(name));
  // Statics go with their routers, which are deleted with all that is in them.
  expect(deletes.filter((name) => name !== "DeleteRouterStatics")).toHaveLength(made.length);
  expect(await stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
});
