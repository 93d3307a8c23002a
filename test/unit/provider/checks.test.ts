import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { checkInputs, diffInputs, previewProperties, splitState } from "../../../provider/checks.ts";
import { definitions } from "../../../provider/definitions.ts";
import type { AnyResource } from "../../../provider/resource.ts";
import { unknownValue } from "../../../provider/rpc/values.ts";

const definitionOf = (type: string): AnyResource => {
  const found = definitions.find((each) => each.type === `qingcloud:${type}`);
  if (found === undefined) throw new Error(`no definition of ${type}`);
  return found;
};
const eip = definitionOf("cloud:Eip");
const tunnel = definitionOf("cloud:IpsecTunnel");
const instance = definitionOf("cloud:Instance");

const side = {
  zone: "pek3a",
  vpcId: "rtr-1",
  remoteAddress: "203.0.113.9",
  presharedKey: "a-very-secret-key",
  localNetworks: ["192.168.1.0/24"],
  targetNetworks: ["192.168.2.0/24"],
};

describe("checkInputs", () => {
  test("tells all problems at once, each at its property", () => {
    const { failures } = checkInputs(eip, { bandwidth: 5_000, billingMode: "gift", nmae: "x" });
    expect(failures.map(({ property }) => property).sort()).toEqual(["bandwidth", "billingMode", "nmae"]);
  });

  test("says what is allowed and what was given", () => {
    const [failure] = checkInputs(eip, { zone: "pek3a", bandwidth: 5_000 }).failures;
    expect(failure?.reason).toBe("bandwidth: Too big: expected number to be <=1000 (given: 5000)");
    const [unknown] = checkInputs(eip, { zone: "pek3a", bandwidth: 5, nmae: "x" }).failures;
    expect(unknown?.reason).toBe(
      '"nmae" is not a property; allowed: zone, name, mark, bandwidth, billingMode',
    );
  });

  test("names the place inside a list", () => {
    const rules = [{ protocol: "tcp" }, { protocol: "smtp" }];
    const { failures } = checkInputs(definitionOf("cloud:SecurityGroup"), { zone: "pek3a", rules });
    expect(failures).toHaveLength(1);
    expect(failures[0]?.property).toBe("rules[1].protocol");
    expect(failures[0]?.reason).toMatch(/^rules\[1\]\.protocol: .*\(given: "smtp"\)$/);
  });

  test("tells each property of an object that is not allowed there, and the numbers that are allowed", () => {
    const rules = [{ protocol: "tcp", port: 22, direction: 2, to: 23 }];
    const { failures } = checkInputs(definitionOf("cloud:SecurityGroup"), { zone: "pek3a", rules });
    const allowed = "protocol, priority, action, direction, fromPort, toPort, cidrBlock";
    expect(failures.map(({ reason }) => reason).sort()).toEqual([
      "rules[0].direction: must be one of 0, 1 (given: 2)",
      `rules[0].port: is not a property; allowed: ${allowed} (given: 22)`,
      `rules[0].to: is not a property; allowed: ${allowed} (given: 23)`,
    ]);
  });

  test("fills in defaults, also inside lists, and leaves out what is absent", () => {
    expect(checkInputs(eip, { zone: "pek3a", bandwidth: 5, name: null })).toEqual({
      inputs: { zone: "pek3a", bandwidth: 5, billingMode: "bandwidth" },
      failures: [],
    });
    const rules = [{ protocol: "esp" }];
    expect(checkInputs(definitionOf("cloud:SecurityGroup"), { zone: "pek3a", rules }).inputs.rules).toEqual([
      { protocol: "esp", priority: 0, action: "accept", direction: 0 },
    ]);
  });

  test("passes over what is not known yet, and still tells what is wrong beside it", () => {
    const { inputs, failures } = checkInputs(eip, { zone: unknownValue, bandwidth: 0 });
    expect(inputs.zone).toBe(unknownValue);
    expect(failures.map(({ property }) => property)).toEqual(["bandwidth"]);
  });

  test("passes over a list that holds something unknown", () => {
    const { inputs, failures } = checkInputs(tunnel, { ...side, targetNetworks: [unknownValue] });
    expect(failures).toEqual([]);
    expect(inputs.targetNetworks).toEqual([unknownValue]);
  });

  test("looks at properties together as soon as those are known and valid, whatever else is wrong", () => {
    const overlapping = { ...side, targetNetworks: ["192.168.9.0/24", "192.168.0.0/16"] };
    const failure = {
      property: "targetNetworks[1]",
      reason:
        "targetNetworks[1]: 192.168.0.0/16 overlaps 192.168.1.0/24 of localNetworks; every network is at one side",
    };
    expect(checkInputs(tunnel, overlapping).failures).toEqual([failure]);
    expect(checkInputs(tunnel, { ...overlapping, presharedKey: unknownValue }).failures).toEqual([failure]);
    const { failures } = checkInputs(tunnel, { ...overlapping, presharedKey: "short" });
    expect(failures.map(({ property }) => property)).toEqual(["presharedKey", "targetNetworks[1]"]);
    expect(checkInputs(tunnel, { ...overlapping, localNetworks: [unknownValue] }).failures).toEqual([]);
    expect(
      checkInputs(tunnel, { ...overlapping, localNetworks: [] }).failures.map(({ property }) => property),
    ).toEqual(["localNetworks"]);
  });

  test.each<[string, object, string[]]>([
    ["a type and a size", { instanceType: "x", cpu: 1 }, ["instanceType"]],
    ["neither type nor size", {}, ["instanceType"]],
    ["half a size", { cpu: 1 }, ["instanceType"]],
    ["a type", { instanceType: "x" }, []],
    ["a size", { cpu: 1, memoryGiB: 1, gpus: 1 }, []],
    ["a class of no GPUs", { cpu: 1, memoryGiB: 1, gpuClass: 0 }, ["gpuClass"]],
  ])("of an instance with %s", (_, shape, expected) => {
    const base = { zone: "z", imageId: "i", vxnetId: "v", privateIp: "192.168.1.2", keypairId: "k" };
    expect(checkInputs(instance, { ...base, ...shape }).failures.map(({ property }) => property)).toEqual(
      expected,
    );
  });

  test("shows no secret in a failure", () => {
    const secret = "hush|hush-hush";
    const told = JSON.stringify(checkInputs(tunnel, { ...side, presharedKey: secret }).failures);
    expect(told).toContain("must not contain `|`");
    expect(told).not.toContain("hush");
    const long = `SECRET${"x".repeat(5000)}`;
    expect(JSON.stringify(checkInputs(instance, { zone: "z", userData: long }).failures)).not.toContain(
      "SECRET",
    );
  });

  test.each([7, "2", unknownValue])(
    "shows no value of a router static of type %s that may be a password",
    (type) => {
      const news = { zone: "z", vpcId: "rtr-1", type, val1: "pptp", val2: 4711 };
      const { failures } = checkInputs(definitionOf("cloud:RouterStatic"), news);
      expect(failures.map(({ property }) => property)).toContain("val2");
      expect(JSON.stringify(failures)).not.toContain("4711");
    },
  );

  test.each(["link:NodeReady", "link:PathCheck"])("shows no private key of %s in a failure", (type) => {
    const connection = { host: "", port: 0, user: "u", privateKey: "PRIVATE", hostKey: "" };
    const news = { connection, from: { connection }, to: { connection }, needs: ["PRIVACY"] };
    expect(checkInputs(definitionOf(type), news).failures.length).toBeGreaterThan(0);
    expect(JSON.stringify(checkInputs(definitionOf(type), news).failures)).not.toContain("PRIVATE");
  });
});

test("checking what was checked changes nothing, for every resource", () => {
  const checked = checkInputs(tunnel, side).inputs;
  expect(checkInputs(tunnel, checked)).toEqual({ inputs: checked, failures: [] });
});

describe("diffInputs", () => {
  const urn = "urn:pulumi:dev::crosszone::qingcloud:cloud:Eip::front";
  const before = { zone: "pek3a", bandwidth: 20, billingMode: "bandwidth", mark: "m" };
  const diff = (definition: AnyResource, inputs: object, news: object, outputs: object = {}) =>
    diffInputs(definition, urn, { inputs: { ...inputs }, outputs: { ...outputs } }, { ...news });

  test("finds nothing where nothing changed", () => {
    expect(diff(eip, before, before)).toEqual([]);
    const rules = [{ protocol: "tcp", fromPort: 1 }];
    expect(diff(definitionOf("cloud:SecurityGroup"), { rules }, { rules: structuredClone(rules) })).toEqual(
      [],
    );
  });

  test("tells what is updated, added and deleted, and what makes it anew", () => {
    const { mark: _, ...rest } = before;
    const of = (property: string, kind: string, replace: boolean) => ({
      ...{ property, replace, details: [{ path: property, kind }] },
    });
    expect(diff(eip, before, { ...rest, zone: "sh1a", bandwidth: 50, name: "n" })).toEqual([
      of("zone", "update", true),
      of("name", "add", false),
      of("mark", "delete", false),
      of("bandwidth", "update", false),
    ]);
  });

  test("tells where in a list something differs", () => {
    const rules = [
      { protocol: "tcp", fromPort: 1, toPort: 2 },
      { protocol: "esp", priority: 1 },
    ];
    const news = [{ protocol: "tcp", fromPort: 1 }, { protocol: "esp", priority: 2 }, { protocol: "ah" }];
    expect(diff(definitionOf("cloud:SecurityGroup"), { rules }, { rules: news })).toEqual([
      {
        property: "rules",
        replace: false,
        details: [
          { path: "rules[0].toPort", kind: "delete" },
          { path: "rules[1].priority", kind: "update" },
          { path: "rules[2]", kind: "add" },
        ],
      },
    ]);
  });

  test("of a secret tells that it differs, not where", () => {
    const connection = (port: number) => ({ host: "h", port, user: "u", privateKey: "k", hostKey: "h" });
    expect(
      diff(definitionOf("link:NodeReady"), { connection: connection(1) }, { connection: connection(2) }),
    ).toEqual([
      { property: "connection", replace: false, details: [{ path: "connection", kind: "update" }] },
    ]);
  });

  test("replaces for any change of a resource that has no update", () => {
    const key = definitionOf("state:PresharedKey");
    expect(diff(key, { bytes: 16 }, { bytes: 32 })).toEqual([
      { property: "bytes", replace: true, details: [{ path: "bytes", kind: "update" }] },
    ]);
  });

  test.each<[string, string, object, object, object, [string, boolean][]]>([
    [
      "a type for its sizes",
      "Instance",
      { instanceType: "c2m4" },
      { cpu: 2, memoryGiB: 4 },
      { instanceType: "c2m4", cpu: 2, memoryGiB: 4 },
      [],
    ],
    [
      "sizes for their type",
      "Instance",
      { cpu: 2, memoryGiB: 4 },
      { instanceType: "c2m4" },
      { instanceType: "c2m4", cpu: 2, memoryGiB: 4 },
      [],
    ],
    [
      "more memory",
      "Instance",
      { cpu: 2, memoryGiB: 4 },
      { cpu: 2, memoryGiB: 8 },
      { instanceType: "c2m4", cpu: 2, memoryGiB: 4 },
      [["memoryGiB", false]],
    ],
    [
      "a GPU type for its sizes",
      "Instance",
      { instanceType: "g2ntp100.4xlarge.r4" },
      { cpu: 16, memoryGiB: 64, gpus: 1 },
      { instanceType: "g2ntp100.4xlarge.r4", cpu: 16, memoryGiB: 64 },
      [],
    ],
    [
      "one GPU more",
      "Instance",
      { cpu: 16, memoryGiB: 64, gpus: 1 },
      { cpu: 16, memoryGiB: 64, gpus: 2 },
      { cpu: 16, memoryGiB: 64 },
      [["gpus", false]],
    ],
    ["a larger disk", "Instance", { osDiskGiB: 20 }, { osDiskGiB: 40 }, {}, [["osDiskGiB", false]]],
    ["a smaller disk", "Instance", { osDiskGiB: 40 }, { osDiskGiB: 20 }, {}, [["osDiskGiB", true]]],
    [
      "an address that is no longer fixed",
      "Instance",
      { privateIp: "192.168.1.2" },
      {},
      { privateIp: "192.168.1.2" },
      [],
    ],
    ["a larger volume", "Volume", { sizeGiB: 10 }, { sizeGiB: 20 }, {}, [["sizeGiB", false]]],
    ["a smaller volume", "Volume", { sizeGiB: 20 }, { sizeGiB: 10 }, {}, [["sizeGiB", true]]],
    [
      "a key's comment",
      "KeyPair",
      { publicKey: "ssh-ed25519 AAAA a@b" },
      { publicKey: "ssh-ed25519 AAAA" },
      {},
      [],
    ],
    [
      "another key",
      "KeyPair",
      { publicKey: "ssh-ed25519 AAAA" },
      { publicKey: "ssh-ed25519 BBBB" },
      {},
      [["publicKey", true]],
    ],
    [
      "a value taken from a static",
      "RouterStatic",
      { type: 8, val1: "a", val2: "b" },
      { type: 8, val1: "a" },
      {},
      [["val2", true]],
    ],
    [
      "a port taken from a rule",
      "SecurityGroupRule",
      { protocol: "tcp", fromPort: 1 },
      { protocol: "tcp" },
      {},
      [["fromPort", true]],
    ],
  ])("of %s", (_, kind, olds, news, outputs, expected) => {
    const found = diff(definitionOf(`cloud:${kind}`), olds, news, outputs);
    expect(found.map(({ property, replace }) => [property, replace])).toEqual(expected);
  });

  test("finds exactly the properties that differ", () => {
    const values = fc.record({
      zone: fc.constantFrom("a", "b"),
      bandwidth: fc.integer({ min: 1, max: 3 }),
      billingMode: fc.constantFrom("bandwidth", "traffic"),
      name: fc.option(fc.constantFrom("n", "m"), { nil: undefined }),
    });
    fc.assert(
      fc.property(values, values, (olds, news) => {
        const expected = (["zone", "name", "bandwidth", "billingMode"] as const).filter(
          (name) => olds[name] !== news[name],
        );
        expect(diff(eip, olds, news).map(({ property }) => property)).toEqual(expected);
      }),
    );
  });
});

describe("warnings", () => {
  test.each<[object, RegExp[]]>([
    [{ instanceType: "g2ntp100.4xlarge.r4" }, []],
    [{ instanceType: "c2m4" }, []],
    [
      { instanceType: "g9new.xlarge" },
      [/^instanceType "g9new.xlarge" is no documented GPU type; documented are g2ntp100/],
    ],
    [{ cpu: 16, memoryGiB: 64, gpus: 1, gpuClass: 0 }, []],
    [
      { cpu: 16, memoryGiB: 64, gpus: 1, gpuClass: 7 },
      [/^gpuClass 7 is not documented; documented are 0 \(NVIDIA Tesla P100\), 1/],
    ],
    [
      { cpu: 2, memoryGiB: 4, gpus: 8 },
      [/^2 CPUs, 4 GiB, 8 GPUs is no documented GPU shape; documented are, as CPUs\/GiB\/GPUs, 16\/64\/1/],
    ],
  ])("of the shape %j", (shape, expected) => {
    const told = instance.warnings?.({ ...shape }) ?? [];
    expect(told).toHaveLength(expected.length);
    for (const [index, pattern] of expected.entries()) expect(told[index]).toMatch(pattern);
  });
});

describe("every definition", () => {
  test.each(definitions.map((each) => [each.type, each] as const))(
    "%s: describes all properties, and names only its own in replaceOn and secrets",
    (_, { inputs, outputs, replaceOn, secrets = [], rules = [], description }) => {
      expect(description.length).toBeGreaterThan(20);
      const all = { ...inputs.shape, ...outputs.shape } as Record<string, z.ZodType>;
      for (const [name, type] of Object.entries(all)) expect(type.description, name).toMatch(/.{3,}/);
      for (const name of replaceOn) expect(Object.keys(inputs.shape)).toContain(name);
      for (const name of secrets) expect(Object.keys(all)).toContain(name);
      for (const { reads } of rules)
        for (const name of reads) expect(Object.keys(inputs.shape)).toContain(name);
      expect(inputs.def.catchall).toBeInstanceOf(z.ZodNever);
    },
  );

  test("has a type of its own", () => {
    expect(new Set(definitions.map(({ type }) => type)).size).toBe(definitions.length);
  });
});

test("a preview knows the inputs and none of the outputs", () => {
  expect(previewProperties(eip, { zone: "pek3a", bandwidth: 5 })).toEqual({
    zone: "pek3a",
    bandwidth: 5,
    name: unknownValue,
    address: unknownValue,
  });
});

test("an output that may be null is null where state does not keep it: nothing is unfinished for that", () => {
  const found = { python: "3.11.2", pythonCommand: true, torch: "1.13.1", gpuDevices: 0, gpus: 0 };
  const state = { ...found, sudo: true, docker: true, nvidiaRuntime: false };
  const { outputs } = splitState(definitionOf("link:NodeReady"), state);
  expect(outputs).toEqual({ ...state, cuda: null, driver: null, installation: null, boot: null });
  expect(definitionOf("link:NodeReady").outputs.safeParse(outputs).success).toBe(true);
});

test("state is split into inputs and outputs, without nulls", () => {
  const state = { zone: "pek3a", bandwidth: 5, mark: null, name: "n", address: "203.0.113.5", other: 1 };
  expect(splitState(eip, state)).toEqual({
    inputs: { zone: "pek3a", bandwidth: 5, name: "n" },
    outputs: { name: "n", address: "203.0.113.5" },
  });
});
