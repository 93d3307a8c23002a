import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeMessage, encodeMessage, type ViciMessage } from "../../local-cloud/network/tunnels/vici.ts";

test("a message has the bytes that strongSwan's description gives", () => {
  const message = {
    key1: "value1",
    section1: { "sub-section": { key2: "value2" }, list1: ["item1", "item2"] },
  };
  const expected = [
    "\x03\x04key1\x00\x06value1",
    "\x01\x08section1\x01\x0bsub-section\x03\x04key2\x00\x06value2\x02",
    "\x04\x05list1\x05\x00\x05item1\x05\x00\x05item2\x06\x02",
  ].join("");
  expect(encodeMessage(message).toString("latin1")).toBe(expected);
});

test("every message is read back as it was written", () => {
  const name = fc
    .string({ minLength: 1, maxLength: 40 })
    .filter((text) => text !== "__proto__" && !/^\d+$/.test(text));
  const value = fc.string({ maxLength: 400 });
  const { message } = fc.letrec<{ message: ViciMessage }>((tie) => ({
    message: fc.dictionary(
      name,
      fc.oneof({ maxDepth: 3 }, value, fc.array(value, { maxLength: 4 }), tie("message")),
      { maxKeys: 4, noNullPrototype: true },
    ),
  }));
  fc.assert(
    fc.property(message, (one) => {
      expect(decodeMessage(encodeMessage(one))).toEqual(one);
    }),
  );
});
