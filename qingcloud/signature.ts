/** Signature version 1 of the QingCloud API. Source: API reference, "signature"; the official SDKs' signers. */
import { createHmac, timingSafeEqual } from "node:crypto";

export type SignatureMethod = "HmacSHA256" | "HmacSHA1";
export type Parameters = Readonly<Record<string, string>>;

const digests = { HmacSHA256: "sha256", HmacSHA1: "sha1" } as const;

export function isSignatureMethod(value: string | undefined): value is SignatureMethod {
  return value === "HmacSHA256" || value === "HmacSHA1";
}

/** Percent-encodes UTF-8 with upper-case hex, leaving only `A-Z a-z 0-9 - _ . ~`. */
export function encode(value: string): string {
  return encodeURIComponent(value).replace(
    /[!*'()]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The parameters sorted by name in byte order, encoded and joined: what is signed, and a valid query. */
export function canonicalQuery(parameters: Parameters): string {
  return Object.keys(parameters)
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map((name) => `${encode(name)}=${encode(parameters[name] ?? "")}`)
    .join("&");
}

/**
 * Signs a request.
 * @param path the path that is requested: `/iaas/` and `/iaas` sign differently
 * @param parameters all parameters except `signature`
 * @returns base64
 */
export function sign(
  method: "GET" | "POST",
  path: string,
  parameters: Parameters,
  secret: string,
  signatureMethod: SignatureMethod = "HmacSHA256",
): string {
  return createHmac(digests[signatureMethod], secret)
    .update(`${method}\n${path}\n${canonicalQuery(parameters)}`)
    .digest("base64");
}

/** Compares two signatures in constant time. */
export function isSameSignature(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
