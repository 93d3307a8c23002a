import { isDeepStrictEqual } from "node:util";
import fc, { type Arbitrary } from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import {
  AddSecurityGroupRules,
  actionsByName,
  DescribeEips,
  ModifyRouterAttributes,
  RunInstances,
} from "../../../qingcloud/actions.ts";
import { fromParameters, toParameters } from "../../../qingcloud/wire.ts";

/** Values of a schema, as a program passes them; an empty text, list or item means "absent" on the wire. */
function valuesOf(type: z.ZodType): Arbitrary<unknown> {
  if (type instanceof z.ZodOptional || type instanceof z.ZodDefault) {
    return fc.option(valuesOf(type.unwrap() as z.ZodType), { nil: undefined });
  }
  if (type instanceof z.ZodArray) {
    const item = valuesOf(type.element as z.ZodType).filter((value) => !isDeepStrictEqual(value, {}));
    return fc.array(item, { minLength: 1, maxLength: 12 });
  }
  if (type instanceof z.ZodObject) return requestsOf(type);
  if (type instanceof z.ZodUnion) return fc.oneof(...type.options.map((each) => valuesOf(each as z.ZodType)));
  if (type instanceof z.ZodLiteral) return fc.constantFrom(...type.values);
  if (type instanceof z.ZodEnum) return fc.constantFrom(...type.options);
  if (type instanceof z.ZodNumber) {
    const [min, max] = [type.minValue ?? -999_999, type.maxValue ?? 999_999];
    return fc.integer({ min: Math.max(min, -999_999), max: Math.min(max, 999_999) });
  }
  if (type instanceof z.ZodString)
    return fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom("7", "-1", "0", " "));
  throw new Error(`no values for ${type.constructor.name}`);
}

function requestsOf(schema: z.ZodObject): Arbitrary<Record<string, unknown>> {
  return fc
    .record(
      Object.fromEntries(
        Object.entries(schema.shape).map(([name, type]) => [name, valuesOf(type as z.ZodType)]),
      ),
    )
    .map((request) => Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined)));
}

test.each([...actionsByName.values()].map((described) => [described.name, described] as const))(
  "%s: every request comes back from the wire as it was",
  (_, { request: schema }) => {
    fc.assert(
      fc.property(requestsOf(schema), (request) => {
        expect(schema.safeParse(request).success).toBe(true);
        const parameters = toParameters(request);
        expect(Object.values(parameters).every((value) => typeof value === "string")).toBe(true);
        expect(fromParameters(schema, parameters)).toEqual(request);
      }),
      { numRuns: 30 },
    );
  },
);

describe("lists", () => {
  test("are written with indices from 1, objects with the field behind", () => {
    expect(
      toParameters({
        security_group: "sg-1",
        rules: [
          { protocol: "udp", priority: 0, val1: "500", val2: undefined },
          { protocol: "esp", priority: 1 },
        ],
        eips: ["a", "b"],
        none: [],
        missing: undefined,
      }),
    ).toEqual({
      security_group: "sg-1",
      "rules.1.protocol": "udp",
      "rules.1.priority": "0",
      "rules.1.val1": "500",
      "rules.2.protocol": "esp",
      "rules.2.priority": "1",
      "eips.1": "a",
      "eips.2": "b",
    });
  });

  test("are read in the order of their indices, counted from 0 or from 1, with gaps", () => {
    const schema = DescribeEips.request;
    expect(fromParameters(schema, { "eips.0": "a", "eips.1": "b" })).toEqual({ eips: ["a", "b"] });
    expect(fromParameters(schema, { "eips.10": "c", "eips.2": "b", "eips.1": "a" })).toEqual({
      eips: ["a", "b", "c"],
    });
    expect(
      fromParameters(AddSecurityGroupRules.request, {
        security_group: "sg-1",
        "rules.0.protocol": "tcp",
        "rules.0.priority": "5",
        "rules.0.made_up": "x",
        "rules.3.protocol": "udp",
        "rules.3.priority": "6",
      }),
    ).toEqual({
      security_group: "sg-1",
      rules: [
        { protocol: "tcp", priority: 5 },
        { protocol: "udp", priority: 6 },
      ],
    });
  });

  test("hold nothing that is empty", () => {
    expect(fromParameters(DescribeEips.request, { "eips.1": "", "status.1": "available" })).toEqual({
      status: ["available"],
    });
  });
});

test("an empty value is absent, unless its emptiness means something", () => {
  const given = { router: "rtr-1", eip: "", router_name: "" };
  expect(fromParameters(ModifyRouterAttributes.request, given)).toEqual({ router: "rtr-1" });
  expect(fromParameters(ModifyRouterAttributes.request, given, new Set(["eip"]))).toEqual({
    router: "rtr-1",
    eip: "",
  });
});

test("numbers are read where the schema has numbers, and what is none is left for the schema to refuse", () => {
  const given = {
    image_id: "1",
    cpu: "8",
    memory: "8 GB",
    hostname: "42",
    login_mode: "keypair",
    need_userdata: "1",
  };
  const raw = fromParameters(RunInstances.request, given);
  expect(raw).toEqual({
    image_id: "1",
    cpu: 8,
    memory: "8 GB",
    hostname: "42",
    login_mode: "keypair",
    need_userdata: 1,
  });
  expect(RunInstances.request.safeParse(raw).error?.issues.map(({ path }) => path.join("."))).toEqual([
    "memory",
  ]);
});

test("parameters that the action does not have are not read", () => {
  expect(fromParameters(DescribeEips.request, { zone: "pek3a", signature: "x", limit: "5" })).toEqual({
    limit: 5,
  });
});
