import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { changesAmong } from "../harness/calls.ts";
import { Stack, type Stored, up } from "../harness/stack.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

/** Every test goes on from the one before: the life of one stack. */
let stack: Stack;
/** What the commands have shown and stored so far: no secret may be in it. */
const seen: string[] = [];
let firstUp: string[] = [];
beforeAll(async () => {
  stack = await Stack.start();
});
afterAll(async () => await stack?.remove());

const zones = ["gpu1a", "gpu2a"];
/** As `up`, but it shows first what it will do. */
const withPreview = up.filter((each) => each !== "--skip-preview");

async function pulumi(...args: string[]): Promise<string> {
  const { code, text } = await stack.run(...args);
  seen.push(text);
  if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${text}`);
  return text;
}

/** The changes that the commands made, as names of actions. */
const actionsBy = async (work: () => Promise<unknown>) =>
  (await stack.cloud.changesBy(work)).map(([action]) => action);

function one(type: string, zone: string): Stored {
  const found = stack.resources(type).filter(({ inputs }) => inputs?.zone === zone);
  if (found[0] === undefined || found.length > 1) throw new Error(`${found.length} ${type} in ${zone}`);
  return found[0];
}

test("up makes in each zone exactly what the plan has, by one call each", async () => {
  const actions = await actionsBy(() => pulumi(...up));
  firstUp = actions;
  const counts = Object.fromEntries(
    [...new Set(actions)].map((name) => [name, actions.filter((each) => each === name).length]),
  );
  const { UpdateRouters = 0, ...rest } = counts;
  expect(rest).toEqual({
    AllocateEips: 2,
    CreateSecurityGroup: 2,
    AddSecurityGroupRules: 2,
    ApplySecurityGroup: 2,
    CreateKeyPair: 2,
    CreateRouters: 2,
    ModifyRouterAttributes: 2,
    CreateVxnets: 2,
    JoinRouter: 2,
    RunInstances: 2,
    AddRouterStatics: 4,
  });
  // For the EIP, then for both statics together; a static that comes late has one of its own.
  expect(UpdateRouters).toBeGreaterThanOrEqual(4);
  expect(UpdateRouters).toBeLessThanOrEqual(6);
});

test("the outputs are those of the design", async () => {
  const outputs = JSON.parse(await stack.ok("stack", "output", "--json")) as {
    zones: { zoneId: string; bandwidthMbps: number; nodes: { privateIp: string; instanceId: string }[] }[];
    tunnels: unknown[];
    training: unknown;
    operatorKey: string;
  };
  expect(outputs.zones.map(({ zoneId }) => zoneId)).toEqual(zones);
  expect(outputs.zones.map(({ nodes }) => nodes.map(({ privateIp }) => privateIp))).toEqual([
    ["192.168.1.2"],
    ["192.168.2.2"],
  ]);
  expect(outputs.tunnels).toEqual([
    {
      kind: "ipsec",
      zones: ["beijing", "shanghai"],
      over: "internet",
      encrypted: true,
      up: null,
      rttMs: null,
      lossPercent: null,
      goodputMbps: null,
      mtu: 1400,
    },
  ]);
  expect(outputs.training).toBeNull();
  expect(outputs.operatorKey).toBe("[secret]");
});

test("both sides of the tunnel have each other's address and network, and the same key", async () => {
  const sides = await Promise.all(
    zones.map(async (zone) => {
      const { id } = one("Vpc", zone);
      const found = await stack.cloud.client.one("DescribeRouterStatics", "router_static_set", {
        zone,
        router: id ?? "",
        static_type: "7",
      });
      const [peer, , key] = String(found.val1).split("|");
      const eip = one("Eip", zone).outputs?.address;
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

test("a second preview, a second up and a refresh find nothing to change, and change nothing", async () => {
  const actions = await actionsBy(async () => {
    await pulumi("preview", "--expect-no-changes", "--diff", "--color", "never");
    await stack.noChanges();
  });
  expect(actions).toEqual([]);
});

test("an EIP's bandwidth changes in place, by one call and nothing else", async () => {
  const { id: before } = one("Eip", "gpu1a");
  stack.configure({ "zones[0].bandwidthMbps": 50 });
  let shown = "";
  const changes = await stack.cloud.changesBy(async () => {
    shown = await pulumi(...withPreview, "--diff");
  });
  const [preview = "", update = ""] = shown.split(/^Updating /m);
  for (const each of [preview, update]) expect(each).toMatch(/bandwidth\s*: 20 => 50/);
  expect(changes).toEqual([["ChangeEipsBandwidth", { "eips.1": before, bandwidth: "50" }]]);
  expect(one("Eip", "gpu1a").id).toBe(before);
  expect(await stack.cloud.client.one("DescribeEips", "eip_set", { "eips.1": before ?? "" })).toMatchObject({
    bandwidth: 50,
  });
});

test("what someone changed, and deleted, by hand is found by refresh, and put back by up", async () => {
  const { client } = stack.cloud;
  const { id: eip = "" } = one("Eip", "gpu2a");
  const { id: forward = "" } = one("PortForward", "gpu1a");
  await client.done("ChangeEipsBandwidth", { zone: "gpu2a", "eips.1": eip, bandwidth: "7" });
  await client.ok("DeleteRouterStatics", { zone: "gpu1a", "router_statics.1": forward });
  await pulumi("refresh", "--yes", "--skip-preview", "--color", "never");
  expect(one("Eip", "gpu2a").outputs?.bandwidth).toBe(7);
  expect(stack.resources("PortForward").map(({ id }) => id)).not.toContain(forward);

  const before = stack.cloud.calls().length;
  await pulumi(...up);
  const calls = stack.cloud.calls().slice(before);
  const changesIn = (zone: string) =>
    changesAmong(calls.filter((call) => call.zone === zone && call.ret_code === 0));
  expect(changesIn("gpu2a")).toEqual([["ChangeEipsBandwidth", { "eips.1": eip, bandwidth: "20" }]]);
  // The deletion by hand was not applied either: the router is found so, and applied.
  const actions = ["UpdateRouters", "AddRouterStatics", "UpdateRouters"];
  expect(changesIn("gpu1a").map(([action]) => action)).toEqual(actions);
  expect(one("PortForward", "gpu1a").id).not.toBe(forward);
  await pulumi("preview", "--expect-no-changes");
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
  // One pre-shared key, the operator's key, and a host key for each node.
  expect(secrets).toHaveLength(4);
  expect(secrets.filter((text) => text.includes("OPENSSH PRIVATE KEY"))).toHaveLength(3);
  const home = stack.cloud.home;
  const places: Record<string, string> = {
    state: await stack.ok("stack", "export"),
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

test("destroy leaves nothing: no resource in the state, none in the cloud, and each was deleted once", async () => {
  const actions = await actionsBy(() => pulumi("destroy", "--yes", "--skip-preview", "--color", "never"));
  expect(stack.resources()).toEqual([]);
  const deletes = actions.filter((name) => /^(Delete|Release|Terminate)/.test(name)).sort();
  const made = firstUp.filter((name) => /^(CreateR|CreateS|CreateK|CreateV|Allocate|Run)/.test(name));
  // Statics go with their routers, which are deleted with all that is in them.
  expect(deletes.filter((name) => name !== "DeleteRouterStatics")).toHaveLength(made.length);
  expect(await stack.cloud.resources()).toEqual({ gpu1a: {}, gpu2a: {} });
});
