import { expect, test } from "vitest";
import { formerName } from "../../../infra/renamed.ts";

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
  ["shanghai-router", undefined],
  ["bjx-router", undefined],
  ["network", undefined],
])("%s was %s", (name, before) => {
  expect(formerName(name, zones)).toBe(before);
});

test("where nothing was renamed no resource had another name", () => {
  expect(formerName("shanghai-router", [{ name: "shanghai" }])).toBeUndefined();
});
