import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { configSchema, parseConfig } from "../../../infra/config.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const read = (name: string): unknown => parse(readFileSync(join(root, name), "utf8"));
const block = z
  .object({
    config: z.record(
      z.string(),
      z.looseObject({ type: z.string(), description: z.string().min(10), default: z.unknown().optional() }),
    ),
  })
  .parse(read("Pulumi.yaml")).config;

const jsonSchema = z
  .object({
    properties: z.record(z.string(), z.looseObject({ type: z.string(), default: z.unknown().optional() })),
    required: z.array(z.string()),
  })
  .parse(z.toJSONSchema(configSchema, { io: "input" }));

/** Keys of other namespaces are written with theirs. */
const own = Object.entries(block).filter(([name]) => !name.includes(":") || name.startsWith("crosszone:"));
const byKey = new Map(own.map(([name, declared]) => [name.replace(/^crosszone:/, ""), declared]));

test("the config block of Pulumi.yaml has exactly the keys of the schema", () => {
  expect([...byKey.keys()].sort()).toEqual(Object.keys(configSchema.shape).sort());
});

test.each(Object.entries(jsonSchema.properties))(
  "%s has the schema's type, and a default where it has one",
  (key, of) => {
    const declared = byKey.get(key);
    expect(declared?.type).toBe(of.type);
    expect(declared !== undefined && "default" in declared).toBe(!jsonSchema.required.includes(key));
  },
);

test("with the defaults of the block, the schema fills in what it fills in without them", () => {
  const needed = {
    zones: [
      { name: "a", zoneId: "x", network: "192.168.1.0/24", imageId: "i" },
      { name: "b", zoneId: "y", network: "192.168.2.0/24", imageId: "i" },
    ],
    operatorCidrs: ["203.0.113.1/32"],
  };
  const defaults = [...byKey].flatMap(([key, declared]) =>
    "default" in declared ? [[key, declared.default]] : [],
  );
  expect(parseConfig({ ...Object.fromEntries(defaults), ...needed })).toEqual(parseConfig(needed));
});

const examples = readdirSync(join(root, "examples")).map((name) => `examples/${name}`);

test.each(["Pulumi.dev.yaml", ...examples])("%s is a valid configuration", (file) => {
  const { config } = z.object({ config: z.record(z.string(), z.unknown()) }).parse(read(file));
  const settings = Object.entries(config).flatMap(([key, value]) => {
    const [namespace, name] = key.split(":");
    return namespace === "crosszone" ? [[name, value]] : [];
  });
  expect(settings.length).toBeGreaterThan(0);
  expect(() => parseConfig(Object.fromEntries(settings))).not.toThrow();
});
