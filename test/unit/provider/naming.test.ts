import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  digitsOf,
  isNameOfSibling,
  isSwept,
  markIn,
  markOf,
  namedAsRead,
  oldShortName,
  physicalName,
  sameName,
  shortName,
} from "../../../provider/cloud/naming.ts";

const urn = "urn:pulumi:dev::crosszone::crosszone:network:Zone$qingcloud:cloud:Vpc::beijing-router";
describe("a physical name", () => {
  test("is the one that was given", () => {
    expect(physicalName(urn, { name: "mine", mark: "0badcafe" })).toBe("mine");
  });

  test("is made of the logical name, the mark and a hash of the URN, and is the same in every run", () => {
    expect(physicalName(urn, { mark: "0badcafe" })).toMatch(/^beijing-router-0badcafe-[0-9a-f]{8}$/);
    expect(physicalName(urn, {})).toMatch(/^beijing-router-[0-9a-f]{8}$/);
    expect(physicalName(urn, { mark: "0badcafe" })).toBe(physicalName(urn, { mark: "0badcafe" }));
  });

  test("differs where the URN or the mark differs", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.stringMatching(/^[0-9a-f]{2}$/),
        fc.stringMatching(/^[0-9a-f]{2}$/),
        (a, b, markA, markB) => {
          const [one, other] = [
            physicalName(urn + a, { mark: markA }),
            physicalName(urn + b, { mark: markB }),
          ];
          expect(one === other).toBe(a === b && markA === markB);
        },
      ),
    );
  });
});

describe("a sibling's name", () => {
  const parents = "urn:pulumi:dev::crosszone::crosszone:network:Zone$";
  const one = `${parents}qingcloud:cloud:SecurityGroupRules::beijing-peers`;
  const other = "qingcloud:cloud:SecurityGroupRule";
  const nameIn = (stack: string, mark: string, name = "beijing-esp-from-10.0.0.1/32") =>
    physicalName(`${stack}${other}::${name}`, { mark });

  test("is known by type, parent, stack and mark, whatever the logical name is", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\w./-]{1,30}$/), (name) => {
        expect(isNameOfSibling(other, one, "0badcafe", nameIn(parents, "0badcafe", name))).toBe(true);
      }),
    );
    const root = "urn:pulumi:dev::crosszone::";
    expect(isNameOfSibling(other, `${root}a:b:C::x`, "m", nameIn(root, "m"))).toBe(true);
  });

  test.each([
    ["another type", "qingcloud:cloud:Vpc", "0badcafe", nameIn(parents, "0badcafe")],
    ["another mark", other, "0badcafe", nameIn(parents, "0ddba115")],
    ["no mark", other, undefined, nameIn(parents, "0badcafe")],
    ["another stack", other, "0badcafe", nameIn(parents.replace("dev", "prod"), "0badcafe")],
    ["another parent", other, "0badcafe", nameIn(parents.replace("Zone", "Tunnel"), "0badcafe")],
    ["a name by hand", other, "0badcafe", "by hand"],
    ["no name", other, "0badcafe", ""],
  ])("is not one with %s", (_, type, mark, name) => {
    expect(isNameOfSibling(type, one, mark, name)).toBe(false);
  });
});

describe("the name as a read finds it", () => {
  test("stays out where it was made, is drift where it was given, and is taken by an import, where there is one", () => {
    expect(namedAsRead({ mark: "m" }, "z", "found")).toEqual({ zone: "z", mark: "m" });
    expect(namedAsRead({ name: "given" }, "z", "found")).toEqual({ zone: "z", name: "found" });
    expect(namedAsRead(undefined, "z", "found")).toEqual({ zone: "z", name: "found" });
    expect(namedAsRead(undefined, "z", "")).toEqual({ zone: "z" });
  });
});

test("a short name has at most 14 characters, and differs where the URN or the mark differs", () => {
  const names = [
    shortName(urn, { mark: "0badcafe" }),
    shortName(urn, { mark: "0badcaff" }),
    shortName(`${urn}2`, { mark: "0badcafe" }),
    shortName(urn, {}),
    oldShortName(urn, { mark: "0badcafe" }),
  ];
  expect(names.map((name) => [name.length, markIn(name)])).toEqual([
    [14, "0badcafe"],
    [14, "0badcaff"],
    [14, "0badcafe"],
    [14, undefined],
    [14, undefined],
  ]);
  expect(new Set(names).size).toBe(5);
  expect(shortName(urn, { mark: "0badcafe" })).toBe(names[0]);
  expect(shortName(urn, { name: "mine" })).toBe("mine");
});

test("a mark that lets strays be removed makes the same names, and says so of itself", () => {
  const swept = markOf("0badcafe", true, urn);
  expect(swept).toMatch(/^0badcafe\+sweep-[0-9a-f]{8}$/);
  expect(markOf("0badcafe", false, urn)).toBe("0badcafe");
  const sibling = urn.replace(/[^:]+$/, "sibling");
  const others = [urn.replace(/^urn:pulumi:\w+/, "urn:pulumi:copy"), urn.replace("::", "::other-")];
  expect([urn, sibling].map((each) => isSwept(swept, each))).toEqual([true, true]);
  expect(others.map((each) => isSwept(swept, each))).toEqual([false, false]);
  expect(["0badcafe", undefined].map((each) => isSwept(each, urn))).toEqual([false, false]);
  for (const nameOf of [physicalName, shortName, oldShortName])
    expect(nameOf(urn, { mark: swept })).toBe(nameOf(urn, { mark: "0badcafe" }));
  expect(markIn(physicalName(urn, { mark: swept }))).toBe(digitsOf(swept));
});

test("a name that comes from the mark now, and was imported before, is the same name", () => {
  const news = { mark: "0badcafe" };
  const state = { outputs: { name: physicalName(urn, news) } };
  expect([sameName("name", state, news, urn), sameName("mark", state, news, urn)]).toEqual([true, true]);
  expect(sameName("bandwidth", state, news, urn)).toBe(false);
  expect(sameName("name", { outputs: { name: "other" } }, news, urn)).toBe(false);
});
