import fc, { type JsonValue } from "fast-check";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { expect, test } from "vitest";
import {
  fromStruct,
  hasUnknown,
  secretSignature,
  signatureKey,
  toStruct,
  unknownValue,
} from "../../../provider/rpc/values.ts";

const raw = (properties: object) =>
  structs.Struct.fromJavaScript(properties as Parameters<typeof structs.Struct.fromJavaScript>[0]);
const secret = (value: unknown) => ({ [signatureKey]: secretSignature, value });
/** Names of objects: "__proto__" is none that JavaScript's own objects can hold. */
const name = fc.string().filter((text) => text !== "__proto__" && text !== signatureKey);
const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes("__proto__"));
/** Minus zero is zero on the wire. */
const onWire = (value: JsonValue): unknown => JSON.parse(JSON.stringify(value));

test("the marks are those of the protocol", () => {
  expect([signatureKey, secretSignature, unknownValue]).toEqual([
    "4dabf18193072939515e22adb298388d",
    "1b47061264138c4ac30d75fd1eb44270",
    "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  ]);
});

test("properties come back as they were, marked as secret or not", () => {
  fc.assert(
    fc.property(fc.dictionary(name, json), fc.array(name), (properties, names) => {
      const secrets = new Set([...Object.keys(properties).slice(0, 2), ...names]);
      const expected = onWire(properties);
      const read = (struct: structs.Struct): unknown => JSON.parse(JSON.stringify(fromStruct(struct)));
      expect(read(toStruct(properties))).toEqual(expected);
      const marked = toStruct(properties, secrets);
      expect(read(structs.Struct.deserializeBinary(marked.serializeBinary()))).toEqual(expected);
    }),
  );
});

test("secrets are marked by name, an unknown value is not hidden, undefined is left out", () => {
  const given = { key: "k", later: unknownValue, open: 1, gone: undefined };
  expect(toStruct(given, new Set(["key", "later", "gone"])).toJavaScript()).toEqual({
    key: secret("k"),
    later: unknownValue,
    open: 1,
  });
});

test("secrets are unwrapped at any depth, also inside each other", () => {
  const given = raw({ a: secret("x"), b: [{ c: secret([secret(1), 2]) }], d: secret({ e: secret(null) }) });
  expect(fromStruct(given)).toEqual({ a: "x", b: [{ c: [1, 2] }], d: { e: null } });
});

test("other special objects, such as assets, stay as they are", () => {
  const asset = { [signatureKey]: "c44067f5952c0a294b673a41bacd8c17", text: "t" };
  expect(fromStruct(raw({ asset }))).toEqual({ asset });
});

test("no struct is no properties", () => {
  expect(fromStruct(undefined)).toEqual({});
});

test("an unknown value is found wherever it is, and nothing else is taken for one", () => {
  fc.assert(
    fc.property(json, fc.array(fc.oneof(fc.constant("list"), name), { maxLength: 5 }), (value, path) => {
      const wrap = (inner: unknown) =>
        path.reduce<unknown>(
          (held, step) => (step === "list" ? [value, held] : { other: value, [step]: held }),
          inner,
        );
      expect(hasUnknown(wrap(unknownValue))).toBe(true);
      expect(hasUnknown(wrap("known"))).toBe(false);
      const travelled = fromStruct(toStruct({ held: wrap(secret(unknownValue)) }));
      expect(hasUnknown(travelled)).toBe(true);
    }),
  );
});
