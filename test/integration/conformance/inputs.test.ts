/** What every resource answers before the cloud is asked: check, and a preview. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { definitions } from "../../../provider/definitions.ts";
import { hasUnknown, unknownValue } from "../../../provider/rpc/values.ts";
import { urnOf } from "../plugin.ts";
import { Life, marked, urn } from "./life.ts";
import { entries } from "./table.ts";
import { wrongInputs } from "./wrong-inputs.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let life: Life;
beforeAll(async () => {
  life = await Life.start();
});
afterAll(() => life?.stop());

const inCloud = entries.filter(({ type }) => type.startsWith("cloud:"));
const title = "$type $name";

describe("the table", () => {
  const kinds = definitions.filter(({ type }) => !type.startsWith("qingcloud:link:"));

  test("has every resource that needs no data plane", () => {
    const covered = new Set(entries.map(({ type }) => `qingcloud:${type}`));
    expect([...covered].sort()).toEqual(kinds.map(({ type }) => type).sort());
  });

  test.each(kinds)("says of every input of $type what its change does", ({ type, inputs }) => {
    const steps = entries.filter((each) => `qingcloud:${each.type}` === type).flatMap((each) => each.steps);
    const paths = steps.flatMap(({ diff }) => Object.keys(diff));
    // Those of every resource have tests of their own.
    const changed = new Set(["zone", "name", "mark", ...paths.map((path) => path.replace(/[.[].*/, ""))]);
    expect(Object.keys(inputs.shape).filter((name) => !changed.has(name))).toEqual([]);
  });

  test("says of every resource which wrong inputs are told", () => {
    expect(
      Object.keys(wrongInputs)
        .map((type) => `qingcloud:${type}`)
        .sort(),
    ).toEqual(kinds.map(({ type }) => type).sort());
  });
});

describe("check", () => {
  test.each(Object.entries(wrongInputs))(
    "%s: tells all problems at once, each at its path, with what was given and what is allowed",
    async (type, { given, told }) => {
      const calls = await life.callsBy(async () => {
        expect((await life.plugin.check(urnOf(type, "wrong"), given)).failures).toEqual(told);
      });
      expect(calls).toEqual([]);
    },
  );

  test.each(entries)(`${title}: fills in defaults, and marks secrets`, async (each) => {
    const inputs = each.inputs(() => "any-id");
    expect(await life.plugin.check(urn(each), inputs)).toEqual({
      inputs: { ...each.defaults, ...inputs },
      secrets: marked(each, inputs),
      failures: [],
    });
  });

  test.each(inCloud)(`${title}: takes the provider's zone where the program names none`, async (each) => {
    const { zone: _zone, ...inputs } = each.inputs(() => "any-id");
    expect((await life.plugin.check(urn(each), inputs)).inputs.zone).toBe("gpu2a");
  });
});

test.each(entries)(
  `${title}: a preview with unknown inputs asks the cloud nothing and keeps them`,
  async (each) => {
    // What it depends on is not made yet: every id is unknown, or any text.
    const unknowns = Object.fromEntries(each.unknowns.map((name) => [name, unknownValue]));
    const inputs = { ...each.defaults, ...each.inputs(() => "any-id"), ...unknowns };
    const known = Object.fromEntries(Object.entries(inputs).filter(([, value]) => !hasUnknown(value)));
    const outputs = Object.fromEntries(
      Object.keys(each.outputs(() => "any-id")).map((name) => [name, unknownValue]),
    );
    const calls = await life.callsBy(async () => {
      expect(await life.plugin.create(urn(each), inputs, { preview: true })).toEqual({
        urn: urn(each),
        id: "",
        inputs,
        properties: { ...outputs, ...inputs },
        secrets: { inputs: marked(each, known), properties: marked(each, known) },
      });
    });
    expect(calls).toEqual([]);
  },
);
