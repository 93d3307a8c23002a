import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { hashPassword, sha512Crypt } from "../../../local-cloud/services/instances/sha512-crypt.ts";

test("the specification's own vector", () => {
  expect(sha512Crypt("Hello world!", "saltstring")).toBe(
    "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
  );
});

test("passwords of any length and script are hashed as the C library does it", () => {
  const verify =
    "import crypt, sys\nfor line in sys.stdin:\n    password, hash = line.rstrip('\\n').split('\\t')\n    print(crypt.crypt(password, hash) == hash)";
  const passwords = [
    "a",
    "Zxcvb12345",
    "x".repeat(63),
    "y".repeat(64),
    "z".repeat(65),
    "w".repeat(200),
    "密码 pass",
  ];
  const input = passwords.map((password) => `${password}\t${hashPassword(password)}\n`).join("");
  const told = execFileSync("/usr/bin/python3", ["-W", "ignore", "-c", verify], { input, encoding: "utf8" });
  expect(told).toBe("True\n".repeat(passwords.length));
});

test("a hash has a salt of its own", () => {
  expect(hashPassword("same")).not.toBe(hashPassword("same"));
});
