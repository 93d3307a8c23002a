import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalQuery, encode, isSameSignature, sign } from "../../../qingcloud/signature.ts";

/** Any text that UTF-8 can hold: a lone surrogate is none. */
const text = fc.string({ unit: "binary" });
const unreserved = /[A-Za-z0-9\-_.~]/;

test("encode leaves the unreserved characters and writes every other byte of UTF-8 as upper-case %XX", () => {
  fc.assert(
    fc.property(text, (value) => {
      const byRule = [...Buffer.from(value)].map((byte) => {
        const character = String.fromCharCode(byte);
        return unreserved.test(character)
          ? character
          : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
      });
      expect(encode(value)).toBe(byRule.join(""));
      expect(decodeURIComponent(encode(value))).toBe(value);
    }),
  );
});

test("encode agrees with Python's urllib.parse.quote(safe='-_.~')", () => {
  const ascii = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code)).join("");
  const given = [ascii, "训练 集群", "💥 é", ...fc.sample(text, { numRuns: 200, seed: 4242 })];
  const program =
    "import json,sys,urllib.parse as u;print(json.dumps([u.quote(t,safe='-_.~') for t in json.load(sys.stdin)]))";
  const quoted: unknown = JSON.parse(
    execFileSync("python3", ["-c", program], { input: JSON.stringify(given), encoding: "utf8" }),
  );
  expect(given.map(encode)).toEqual(quoted);
});

test("the canonical query holds every parameter once, names in byte order", () => {
  fc.assert(
    fc.property(fc.dictionary(text, text), (parameters) => {
      const pairs = canonicalQuery(parameters)
        .split("&")
        .filter((pair) => pair !== "")
        .map((pair) => pair.split("=").map(decodeURIComponent));
      const names = pairs.map(([name = ""]) => Buffer.from(name));
      expect(names.every((name, i) => i === 0 || Buffer.compare(names[i - 1] ?? name, name) < 0)).toBe(true);
      expect(new Map(pairs as [string, string][])).toEqual(new Map(Object.entries(parameters)));
    }),
  );
});

test("the order of the names is that of bytes, not of characters or numbers", () => {
  const parameters = { "a.10": "", "a.2": "", a: "", B: "", "\u{1F4A5}": "", "\uFF5E": "", _: "" };
  expect(canonicalQuery(parameters)).toBe("B=&_=&a=&a.10=&a.2=&%EF%BD%9E=&%F0%9F%92%A5=");
});

test("a signature does not depend on the order of the parameters, and changes with any of its parts", () => {
  fc.assert(
    fc.property(fc.dictionary(text, text, { minKeys: 1 }), text, (parameters, other) => {
      const signature = sign("GET", "/iaas/", parameters, "secret");
      const reversed = Object.fromEntries(Object.entries(parameters).reverse());
      const [name = ""] = Object.keys(parameters);
      expect(sign("GET", "/iaas/", reversed, "secret")).toBe(signature);
      expect(sign("POST", "/iaas/", parameters, "secret")).not.toBe(signature);
      expect(sign("GET", "/iaas", parameters, "secret")).not.toBe(signature);
      expect(sign("GET", "/iaas/", parameters, `secret${other}!`)).not.toBe(signature);
      const changed = { ...parameters, [name]: `${parameters[name]}!` };
      expect(sign("GET", "/iaas/", changed, "secret")).not.toBe(signature);
      expect(isSameSignature(signature, signature)).toBe(true);
      expect(isSameSignature(signature, other)).toBe(false);
    }),
  );
});
