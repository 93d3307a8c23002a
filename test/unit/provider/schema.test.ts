import { expect, test } from "vitest";
import { definitions, functions } from "../../../provider/definitions.ts";
import { type PropertySpec, packageSchema } from "../../../provider/schema.ts";

const schema = packageSchema(definitions, functions);

test("has every resource and function that the provider answers for", () => {
  expect(Object.keys(schema.resources).sort()).toEqual(definitions.map(({ type }) => type).sort());
  expect(Object.keys(schema.functions).sort()).toEqual(functions.map(({ token }) => token).sort());
});

test("says of an input its type, default, meaning, and whether a change makes the resource anew", () => {
  const eip = schema.resources["qingcloud:cloud:Eip"];
  expect(eip?.inputProperties).toEqual({
    zone: {
      type: "string",
      description: "Zone id, e.g. `pek3a`; default the provider's `zone`.",
      willReplaceOnChanges: true,
    },
    name: { type: "string", description: expect.stringMatching(/^Name in the console/) },
    mark: { type: "string", description: "`value` of the stack's StackMark." },
    bandwidth: { type: "integer", description: expect.stringMatching(/^Mbit\/s, 1 to 1000/) },
    billingMode: {
      type: "string",
      default: "bandwidth",
      description: "What is paid for: the bandwidth or the traffic.",
    },
  });
  expect(eip?.requiredInputs).toEqual(["bandwidth"]);
  expect(eip?.required.toSorted()).toEqual(["address", "bandwidth", "billingMode", "name", "zone"]);
});

test("marks secrets, whatever they are in", () => {
  const secretsOf = (type: string) => {
    const { inputProperties = {}, properties = {} } = schema.resources[`qingcloud:${type}`] ?? {};
    const all: Readonly<Record<string, PropertySpec>> = { ...properties, ...inputProperties };
    return Object.keys(all).filter((name) => all[name]?.secret === true);
  };
  expect(secretsOf("cloud:IpsecTunnel")).toEqual(["presharedKey"]);
  expect(secretsOf("cloud:Instance")).toEqual(["userData"]);
  expect(secretsOf("state:SshKey")).toEqual(["privateKey"]);
  expect(secretsOf("link:PathCheck")).toEqual(["from", "to"]);
  expect(secretsOf("link:ReachCheck")).toEqual(["connection"]);
  expect(secretsOf("cloud:Eip")).toEqual([]);
});

test("objects are types that are there, also in lists", () => {
  const rules = schema.resources["qingcloud:cloud:SecurityGroup"]?.inputProperties.rules;
  expect(rules).toMatchObject({
    type: "array",
    items: { $ref: "#/types/qingcloud:cloud:SecurityGroupRulesItem" },
  });
  expect(schema.types["qingcloud:cloud:SecurityGroupRulesItem"]?.properties.direction).toEqual({
    type: "integer",
    default: 0,
    description: "0 inbound, 1 outbound.",
  });
  const referred = [...JSON.stringify(schema).matchAll(/"#\/types\/([^"]+)"/g)].map(
    ([, token = ""]) => token,
  );
  expect(referred.filter((token) => !(token in schema.types))).toEqual([]);
  expect(Object.keys(schema.types).filter((token) => token in schema.resources)).toEqual([]);
});

test("no lookup tells a secret", () => {
  for (const { type, secrets = [] } of definitions) {
    const lookup = schema.functions[type.replace(/:(\w+)$/, ":get$1")];
    for (const secret of secrets) expect(Object.keys(lookup?.outputs.properties ?? {})).not.toContain(secret);
  }
});

test("everything has a description", () => {
  for (const [token, { description, inputProperties, properties }] of Object.entries(schema.resources)) {
    expect([token, description?.length]).toEqual([token, expect.any(Number)]);
    for (const [name, each] of Object.entries({ ...inputProperties, ...properties })) {
      expect([token, name, each.description]).toEqual([token, name, expect.stringMatching(/.{3,}/)]);
    }
  }
  for (const [token, { description, inputs, outputs }] of Object.entries(schema.functions)) {
    expect(description.length).toBeGreaterThan(20);
    for (const [name, each] of Object.entries({ ...inputs.properties, ...outputs.properties })) {
      expect([token, name, each.description]).toEqual([token, name, expect.stringMatching(/.{3,}/)]);
    }
  }
});
