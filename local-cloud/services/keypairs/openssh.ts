/** Keys in OpenSSH's formats. Source: RFC 4253 section 6.6, RFC 5656, RFC 8709, OpenSSH's PROTOCOL.key. */
import { generateKeyPairSync, type JsonWebKey, randomBytes } from "node:crypto";
import { badValue, missing } from "../errors.ts";

const encryptMethods = ["ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp521", "ssh-ed25519"] as const;
export type EncryptMethod = (typeof encryptMethods)[number];

export interface PublicKey {
  readonly encryptMethod: EncryptMethod;
  /** base64, without the type before it. */
  readonly body: string;
}

/** Reads `ssh-ed25519 AAAA… comment`, or the body alone where the type is given beside it. */
export function readPublicKey(text: string, given: EncryptMethod | undefined): PublicKey {
  const parts = text.trim().split(/\s+/);
  const written = encryptMethods.find((method) => method === parts[0]);
  const encryptMethod = written ?? given;
  const body = (written === undefined ? parts[0] : parts[1]) ?? "";
  const allowed = `an OpenSSH public key of type ${encryptMethods.join(", ")}`;
  if (encryptMethod === undefined) {
    if (/^[A-Za-z0-9+/]+=*$/.test(body) && parts.length === 1) throw missing("encrypt_method");
    throw badValue("public_key", shorten(text), allowed);
  }
  if (written !== undefined && given !== undefined && given !== written) {
    throw badValue("encrypt_method", given, `${written}, the type of public_key`);
  }
  if (typeOf(body) !== encryptMethod) throw badValue("public_key", shorten(text), allowed);
  return { encryptMethod, body };
}

/** The type that the body itself names. */
function typeOf(body: string): string | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(body)) return undefined;
  const bytes = Buffer.from(body, "base64");
  if (bytes.length < 8) return undefined;
  const length = bytes.readUInt32BE(0);
  return length <= 64 && bytes.length > 4 + length ? bytes.toString("latin1", 4, 4 + length) : undefined;
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

/** Makes a key; RSA has 2048 bits. */
export function makeKey(encryptMethod: EncryptMethod): PublicKey & { readonly privateKey: string } {
  switch (encryptMethod) {
    case "ssh-rsa": {
      const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const jwk = publicKey.export({ format: "jwk" });
      const body = pack(encryptMethod, positive(part(jwk, "e")), positive(part(jwk, "n")));
      return toKey(encryptMethod, body, privateKey.export({ type: "pkcs1", format: "pem" }).toString());
    }
    case "ecdsa-sha2-nistp521": {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-521" });
      const jwk = publicKey.export({ format: "jwk" });
      const point = Buffer.concat([Buffer.from([4]), part(jwk, "x"), part(jwk, "y")]);
      const body = pack(encryptMethod, "nistp521", point);
      return toKey(encryptMethod, body, privateKey.export({ type: "sec1", format: "pem" }).toString());
    }
    case "ssh-ed25519": {
      const jwk = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
      const body = pack(encryptMethod, part(jwk, "x"));
      return toKey(encryptMethod, body, ed25519PrivateKey(body, part(jwk, "x"), part(jwk, "d")));
    }
    case "ssh-dss":
      throw badValue(
        "encrypt_method",
        encryptMethod,
        "ssh-rsa, ecdsa-sha2-nistp521, ssh-ed25519 with mode system",
      );
  }
}

function toKey(encryptMethod: EncryptMethod, body: Buffer, privateKey: string) {
  return { encryptMethod, body: body.toString("base64"), privateKey };
}

function part(jwk: JsonWebKey, name: "e" | "n" | "x" | "y" | "d"): Buffer {
  return Buffer.from(jwk[name] ?? "", "base64url");
}

/** An mpint: a leading zero byte where the number would read as negative. */
function positive(bytes: Buffer): Buffer {
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
}

/** Strings with their length before them. */
function pack(...parts: readonly (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((item) => {
      const bytes = Buffer.from(item);
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** OpenSSH reads ed25519 keys in its own container only. */
function ed25519PrivateKey(publicBlob: Buffer, publicKey: Buffer, seed: Buffer): string {
  const check = randomBytes(4);
  const inner = Buffer.concat([
    check,
    check,
    pack("ssh-ed25519", publicKey, Buffer.concat([seed, publicKey]), ""),
  ]);
  const padding = Buffer.from(Array.from({ length: (8 - (inner.length % 8)) % 8 }, (_, index) => index + 1));
  const one = Buffer.from([0, 0, 0, 1]);
  const container = Buffer.concat([
    Buffer.from("openssh-key-v1\0"),
    pack("none", "none", ""),
    one,
    pack(publicBlob, Buffer.concat([inner, padding])),
  ]);
  const lines = container.toString("base64").match(/.{1,70}/g) ?? [];
  return ["-----BEGIN OPENSSH PRIVATE KEY-----", ...lines, "-----END OPENSSH PRIVATE KEY-----", ""].join(
    "\n",
  );
}
