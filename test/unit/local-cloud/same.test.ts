import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isSame } from "../../../local-cloud/services/same.ts";

const data = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(undefined, null, true, false, 0, 1, "", "a"),
    fc.uint8Array({ maxLength: 2 }),
    fc.array(tie("value"), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom("a", "b"), tie("value"), { noNullPrototype: true }),
  ),
})).value;

test("plain data is the same exactly where node:util finds it strictly equal", () => {
  fc.assert(
    fc.property(data, data, (a, b) => {
      expect(isSame(a, b)).toBe(isDeepStrictEqual(a, b));
      expect(isSame(a, structuredClone(a))).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

test("an absent field is no field that is undefined, and the order of fields does not matter", () => {
  expect(isSame({ a: 1 }, { a: 1, b: undefined })).toBe(false);
  expect(isSame({ a: 1, b: undefined }, { a: 1, c: undefined })).toBe(false);
  expect(isSame({ a: 1, b: 2 }, { b: 2, a: 1 })).toBe(true);
});
