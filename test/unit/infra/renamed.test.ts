import { expect, test } from "vitest";
import { formerNames } from "../../../infra/renamed.ts";

const zones = [
  { name: "bj", formerly: "beijing" },
  { name: "bj-2", formerly: "beijing-south" },
  { name: "shanghai" },
];

test.each([
  ["bj", "beijing"],
  ["bj-router", "beijing-router"],
  ["bj-1-ssh", "beijing-1-ssh"],
  ["bj-2-router", "beijing-south-router"],
  ["bj-shanghai-at-bj", "beijing-shanghai-at-beijing"],
  ["bj-bj-2-at-bj-2", "beijing-beijing-south-at-beijing-south"],
])("%s was %s", (name, before) => {
  expect(formerNames(name, zones)[0]).toBe(before);
});

test.each(["shanghai-router", "bjx-router", "network"])("%s had no other name", (name) => {
  expect(formerNames(name, zones)).toEqual([]);
});

test("a zone may be called as a word of the resources' own", () => {
  expect(formerNames("at-shanghai-at-at", [{ name: "at", formerly: "beijing" }])).toEqual([
    "beijing-shanghai-beijing-beijing",
    "beijing-shanghai-beijing-at",
    "beijing-shanghai-at-beijing",
    "beijing-shanghai-at-at",
    "at-shanghai-beijing-beijing",
    "at-shanghai-beijing-at",
    "at-shanghai-at-beijing",
  ]);
});

test("a zone whose name begins with that of a renamed one keeps its own", () => {
  const zones = [{ name: "gpu", formerly: "g" }, { name: "gpu-1" }, { name: "g-1" }];
  expect(formerNames("gpu-1-router", zones)).toEqual([]);
  expect(formerNames("gpu-router", zones)).toEqual(["g-router"]);
});

test("where nothing was renamed no resource had another name", () => {
  expect(formerNames("shanghai-router", [{ name: "shanghai" }])).toEqual([]);
});
