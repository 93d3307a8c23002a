import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { runtime } from "@pulumi/pulumi";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ConfigError, parseConfig } from "../../../infra/config.ts";
import { findExisting, idsFrom } from "../../../infra/existing/find.ts";
import { type Found, join, joinProblems } from "../../../infra/existing/join.ts";
import { physicalName } from "../../../provider/cloud/naming.ts";
import { plain, zoneOf } from "./configurations.ts";
import { answer, stateWith } from "./terraform-plugin.ts";

describe("zones[].existing in the configuration", () => {
  const problemsOf = (existing: unknown, more: object = {}): string[] => {
    try {
      parseConfig({ ...plain, zones: [zoneOf("beijing", 1, { existing, ...more }), zoneOf("shanghai", 2)] });
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.message
        .split("\n")
        .slice(1, -1)
        .map((line) => line.replace("  - crosszone:zones[0].", ""));
    }
  };

  test.each([
    { vpcId: "rtr-1a2b3c4d" },
    { eipId: "eip-1a2b3c4d" },
    { vpcId: "rtr-1a2b3c4d", vxnetId: "vxnet-1a2b3c4", eipId: "eip-1a2b3c4d" },
    { terraformState: "terraform.tfstate", outputs: { vpcId: "vpc_id" } },
    { terraformState: { backend: "local", path: "a.tfstate" }, outputs: { vpcId: "vpc_id" } },
    { terraformState: { backend: "s3", bucket: "b", key: "k" }, outputs: { eipId: "eip" } },
    {
      terraformState: { backend: "remote", organization: "o", workspaces: { prefix: "net-" } },
      outputs: { vpcId: "v", vxnetId: "x" },
    },
  ])("may be %j", (existing) => {
    expect(problemsOf(existing)).toEqual([]);
  });

  test.each<[string, unknown, string[]]>([
    ["nothing", {}, ["existing: must name at least one of vpcId, vxnetId, eipId (given: {})"]],
    [
      "ids of other things",
      { vpcId: "vpc-1", eipId: "1.2.3.4" },
      [
        'existing.vpcId: must be the id of a VPC router, e.g. rtr-1a2b3c4d (given: "vpc-1")',
        'existing.eipId: must be the id of an EIP, e.g. eip-1a2b3c4d (given: "1.2.3.4")',
      ],
    ],
    [
      "a vxnet without its router",
      { vxnetId: "vxnet-1" },
      [
        'existing.vxnetId: needs vpcId beside it: a vxnet is reached through the router that it is joined to (given: "vxnet-1")',
      ],
    ],
    [
      "a vxnet's output without its router's",
      { terraformState: "x", outputs: { vxnetId: "a" } },
      [
        'existing.outputs.vxnetId: needs vpcId beside it: a vxnet is reached through the router that it is joined to (given: "a")',
      ],
    ],
    [
      "both ids and Terraform",
      { vpcId: "rtr-1", terraformState: "x", outputs: { vpcId: "a" } },
      ["existing: takes either ids, or terraformState with outputs, not both (given: {"],
    ],
    [
      "a state without outputs",
      { terraformState: "x" },
      [
        "existing.outputs: must name the Terraform output of at least one of vpcId, vxnetId, eipId (given: nothing)",
      ],
    ],
    [
      "outputs without a state",
      { outputs: { vpcId: "a" } },
      ["existing.terraformState: must say where the outputs are read (given: nothing)"],
    ],
    [
      "keys of a backend",
      { terraformState: { backend: "s3", bucket: "b", key: "k", secretKey: "s" }, outputs: { vpcId: "a" } },
      ["existing.terraformState.secretKey: is not a setting"],
    ],
    [
      "another backend",
      { terraformState: { backend: "consul" }, outputs: { vpcId: "a" } },
      [
        'existing.terraformState.backend: must be the path of a state file, or have backend: local, s3 or remote (given: "consul")',
      ],
    ],
    [
      "a setting that there is not",
      { vpcId: "rtr-1", routerId: "rtr-1" },
      ["existing.routerId: is not a setting"],
    ],
  ])("must not be %s", (_, existing, expected) => {
    const problems = problemsOf(existing);
    expect(problems).toHaveLength(expected.length);
    for (const [index, start] of expected.entries()) expect(problems[index]).toContain(start);
  });

  test("a router that exists may have a network of its own, outside vpcNetwork", () => {
    const network = { network: "172.20.1.0/24" };
    expect(problemsOf({ vpcId: "rtr-1" }, network)).toEqual([]);
    expect(problemsOf({ terraformState: "x", outputs: { vpcId: "v" } }, network)).toEqual([]);
    expect(problemsOf({ eipId: "eip-1" }, network)).toEqual([
      'network: must lie inside vpcNetwork 192.168.0.0/16 (given: "172.20.1.0/24")',
    ]);
  });
});

describe("the ids that Terraform's outputs hold", () => {
  const outputs = { vpc: "rtr-1", subnet: "vxnet-2", list: ["eip-1"], key: "hunter2" };

  test("are taken by the names that were given", () => {
    expect(idsFrom(outputs, { vpcId: "vpc", vxnetId: "subnet" })).toEqual({
      ids: { vpcId: "rtr-1", vxnetId: "vxnet-2" },
      problems: [],
    });
  });

  test("are told where they are missing or something else, without showing what that is", () => {
    const { problems } = idsFrom(outputs, { vpcId: "toString", vxnetId: "key", eipId: "list" });
    expect(problems).toEqual([
      'outputs.vpcId: must be an output of the state; there are: key, list, subnet, vpc (given: "toString")',
      'outputs.vxnetId: what the output holds must be the id of a vxnet, e.g. vxnet-1a2b3c4d (given: "key")',
      'outputs.eipId: what the output holds must be a text (given: "list")',
    ]);
    expect(idsFrom({}, { vpcId: "vpc" }).problems).toEqual([
      'outputs.vpcId: must be an output of the state; there are: none (given: "vpc")',
    ]);
  });
});

const own = {
  isMarked: (name: string) => name === "marked",
  eip: (name: string) => name === "mine",
  vpc: (name: string) => name === "mine",
  otherZone: (router: string, eip: string) =>
    router === "rtr-7" || eip === "shanghai's" ? "shanghai" : undefined,
};
const eip = { id: "eip-1", name: "theirs", address: "203.0.113.9", bandwidth: 50 };
const vpc = { id: "rtr-1", name: "theirs", vpcNetwork: "192.168.0.0/16", securityGroupId: "sg-1" };
const vxnet = { id: "vxnet-1", name: "theirs", vpcId: "rtr-1", ipNetwork: "192.168.1.0/24" };
const network = "192.168.1.0/24";

const ownMessage = (id: string) =>
  `is this stack's own, "marked": leave it out, the stack has it without that (given: "${id}")`;
const zoneMessage = (id: string) =>
  `is zone "shanghai"'s in this stack. If this is the same zone, say so by \`formerly: shanghai\`. If it is another one, run \`up\` once with no zone on that router, then with this one (given: "${id}")`;

describe("what was found is joined", () => {
  test.each<[string, Found, object]>([
    ["nothing", {}, {}],
    [
      "a router with its EIP, and a vxnet",
      { vpc: { ...vpc, eip }, vxnet },
      {
        vpc: { id: "rtr-1", securityGroupId: "sg-1" },
        vxnetId: "vxnet-1",
        eip: { id: "eip-1", address: "203.0.113.9", bandwidth: 50 },
      },
    ],
    [
      "a router on which an earlier run has put the stack's own EIP: still the stack's own",
      { vpc: { ...vpc, eip: { ...eip, name: "mine" } } },
      { vpc: { id: "rtr-1", securityGroupId: "sg-1" } },
    ],
    [
      "a given EIP instead of the stack's own on the router",
      { vpc: { ...vpc, eip: { ...eip, id: "eip-0", name: "mine" } }, eip },
      {
        vpc: { id: "rtr-1", securityGroupId: "sg-1" },
        eip: { id: "eip-1", address: "203.0.113.9", bandwidth: 50 },
      },
    ],
    [
      "an EIP that an earlier run has put on the stack's own router",
      { eip: { ...eip, holderId: "rtr-9", holderName: "mine" } },
      { eip: { id: "eip-1", address: "203.0.113.9", bandwidth: 50 } },
    ],
  ])("%s", (_, found, joined) => {
    expect(joinProblems({ network }, found, own)).toEqual([]);
    expect(join(found, own)).toEqual(joined);
  });

  test.each<[string, { network?: string; bandwidthMbps?: unknown }, Found, [string, string][]]>([
    [
      "a router of another network",
      { network: "172.16.1.0/24" },
      { vpc },
      [["network", 'must lie inside 192.168.0.0/16, the network of rtr-1 (given: "172.16.1.0/24")']],
    ],
    [
      "a router without a security group",
      {},
      { vpc: { id: "rtr-1", name: "theirs", vpcNetwork: "192.168.0.0/16" } },
      [
        [
          "existing.vpcId",
          "rtr-1 has no security group, so nothing can be let in: give it one in the console",
        ],
      ],
    ],
    [
      "a vxnet of no router",
      {},
      { vpc, vxnet: { ...vxnet, vpcId: "", ipNetwork: "" } },
      [
        [
          "existing.vxnetId",
          "must be a vxnet of rtr-1; vxnet-1 is joined to no router: correct vpcId or vxnetId",
        ],
      ],
    ],
    [
      "a vxnet of another network",
      {},
      { vpc, vxnet: { ...vxnet, ipNetwork: "192.168.7.0/24" } },
      [["network", 'must be 192.168.7.0/24, the network of vxnet-1 (given: "192.168.1.0/24")']],
    ],
    [
      "an EIP beside the router's own",
      {},
      { vpc: { ...vpc, eip: { ...eip, id: "eip-7" } }, eip },
      [
        [
          "existing.eipId",
          'rtr-1 has eip-7: leave eipId out to use that, or take it from the router first (given: "eip-1")',
        ],
      ],
    ],
    [
      "an EIP of something else",
      {},
      { vpc, eip: { ...eip, holderId: "i-5", holderName: "web" } },
      [["existing.eipId", 'eip-1 is on i-5: take it from there first, or give a free one (given: "eip-1")']],
    ],
    [
      "an EIP with another bandwidth",
      { bandwidthMbps: 20 },
      { eip },
      [
        [
          "bandwidthMbps",
          "must be left out or be 50: eip-1 exists, so its bandwidth is not changed (given: 20)",
        ],
      ],
    ],
    [
      "what the stack has made",
      {},
      {
        vpc: { ...vpc, name: "marked" },
        vxnet: { ...vxnet, name: "marked" },
        eip: { ...eip, name: "marked", holderId: "rtr-1" },
      },
      [
        ["existing.vpcId", ownMessage("rtr-1")],
        ["existing.vxnetId", ownMessage("vxnet-1")],
        ["existing.eipId", ownMessage("eip-1")],
      ],
    ],
    [
      "a router that another zone of the stack has joined",
      {},
      { vpc: { ...vpc, id: "rtr-7" } },
      [["existing.vpcId", zoneMessage("rtr-7")]],
    ],
    [
      "a router that has another zone's EIP",
      {},
      { vpc: { ...vpc, eip: { ...eip, name: "shanghai's" } } },
      [["existing.vpcId", zoneMessage("rtr-1")]],
    ],
  ])("not %s", (_, settings, found, problems) => {
    expect(joinProblems({ network, ...settings }, found, own)).toEqual(problems);
  });
});

describe("looking up", () => {
  let directory: string;
  let state: string;
  let routerEip = "somebody's";
  /** The stack's state, by URN. */
  let made: Record<string, object> = {};

  beforeAll(async () => {
    directory = mkdtempSync(joinPath(tmpdir(), "existing-"));
    state = joinPath(directory, "terraform.tfstate");
    writeFileSync(state, stateWith({ vpc_id: "rtr-1", subnet: "vxnet-1" }));
    const things: Record<string, object> = {
      "rtr-1": {
        id: "rtr-1",
        name: "r",
        vpcNetwork: "192.168.0.0/16",
        type: 1,
        eipId: "eip-1",
        securityGroupId: "sg-1",
      },
      "vxnet-1": vxnet,
    };
    await runtime.setMocks(
      {
        call(given) {
          if (given.token.startsWith("terraform:")) return answer(given);
          if (given.token === "pulumi:pulumi:readStackResourceOutputs") return { outputs: made };
          const { id } = given.inputs as { id: string };
          if (given.token === "qingcloud:cloud:getEipHolder") return {};
          if (id.startsWith("eip-")) return { ...eip, id, name: routerEip, billingMode: "bandwidth" };
          const found = things[id];
          // As the engine's errors are: the words are in `details`.
          if (found === undefined) throw Object.assign(new Error(), { details: `There is no "${id}".` });
          return found;
        },
        newResource: ({ name, inputs }) => ({ id: name, state: inputs as Record<string, unknown> }),
      },
      "crosszone",
      "dev",
    );
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const outputs = { vpcId: "vpc_id", vxnetId: "subnet" };
  const zones = ["beijing1a", "shanghai1a"];

  test("finds by Terraform's outputs what it finds by ids", async () => {
    const byIds = await findExisting(
      [zoneOf("beijing", 1, { existing: { vpcId: "rtr-1", vxnetId: "vxnet-1" } })],
      zones,
    );
    const byState = await findExisting(
      [zoneOf("beijing", 1, { existing: { terraformState: state, outputs } })],
      zones,
    );
    expect(byState).toEqual(byIds);
    expect(byIds).toEqual({
      problems: [],
      zones: new Map([
        [
          "beijing",
          {
            vpc: { id: "rtr-1", securityGroupId: "sg-1" },
            vxnetId: "vxnet-1",
            eip: { id: "eip-1", address: "203.0.113.9", bandwidth: 50 },
          },
        ],
      ]),
    });
  });

  test("knows the EIP of an earlier run of this stack by its name, whatever the mark", async () => {
    const urn = "urn:pulumi:dev::crosszone::crosszone:network:Network$qingcloud:cloud:Eip::beijing";
    routerEip = physicalName(urn, { mark: "0123abcd" });
    const found = await findExisting([zoneOf("beijing", 1, { existing: { vpcId: "rtr-1" } })], zones);
    expect(found.zones.get("beijing")).toEqual({ vpc: { id: "rtr-1", securityGroupId: "sg-1" } });
    routerEip = physicalName(urn.replace("dev", "prod"), { mark: "0123abcd" });
    const other = await findExisting([zoneOf("beijing", 1, { existing: { vpcId: "rtr-1" } })], zones);
    expect(other.zones.get("beijing")?.eip?.id).toBe("eip-1");
  });

  test("knows by the mark in the state what the stack has made, also under another name of its and of the zone's", async () => {
    const urnOf = (type: string, name: string) => `urn:pulumi:dev::crosszone::${type}::${name}`;
    made = {
      [urnOf("qingcloud:state:StackMark", "mark")]: {
        type: "qingcloud:state:StackMark",
        outputs: { value: "0123abcd+sweep-89abcdef" },
      },
      [urnOf("qingcloud:cloud:VpcEip", "beijing-router")]: {
        type: "qingcloud:cloud:VpcEip",
        outputs: { vpcId: "rtr-1" },
      },
    };
    routerEip = "beijing-0123abcd-01234567";
    const find = (more: object) =>
      findExisting([zoneOf("bj", 1, { zoneId: "beijing1a", existing: { vpcId: "rtr-1" }, ...more })], zones);
    expect(await find({ formerly: "beijing" })).toEqual({
      zones: new Map([["bj", { vpc: { id: "rtr-1", securityGroupId: "sg-1" } }]]),
      problems: [],
    });
    const [problem, ...others] = (await find({})).problems;
    expect(problem).toContain(`crosszone:zones[0].existing.vpcId: is zone "beijing"'s in this stack.`);
    expect(others).toEqual([]);
    made = {};
    routerEip = "somebody's";
  });

  test("tells all problems of all zones, in their order", async () => {
    const { problems } = await findExisting(
      [
        zoneOf("beijing", 1, { existing: { terraformState: state, outputs: { vpcId: "nothing" } } }),
        zoneOf("shanghai", 2, { existing: { vpcId: "rtr-2", vxnetId: "vxnet-1" } }),
        zoneOf("beijing", 3, { existing: { vpcId: "rtr-2" } }),
        zoneOf("unknown", 4, { existing: { vpcId: "rtr-404" } }),
      ],
      zones,
    );
    expect(problems).toEqual([
      'crosszone:zones[0].existing.outputs.vpcId: must be an output of the state; there are: subnet, vpc_id (given: "nothing")',
      'crosszone:zones[2].existing.vpcId: zone "shanghai" has it too, and every zone needs its own (given: "rtr-2")',
      'crosszone:zones[1].existing.vpcId: There is no "rtr-2".',
      'crosszone:zones[2].existing.vpcId: There is no "rtr-2".',
    ]);
  });

  test.each([undefined, "x", [null, {}, { existing: 7 }], [zoneOf("beijing", 1)]])(
    "leaves zones of another form to the schema: %j",
    async (given) => {
      expect(await findExisting(given, zones)).toEqual({ zones: new Map(), problems: [] });
    },
  );
});
