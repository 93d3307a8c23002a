/** X.509 certificates with P-256 keys: as much of RFC 5280 as a VPN needs. */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

interface Names {
  readonly subject: string;
  readonly issuer: string;
}

export interface Identity {
  readonly name: string;
  readonly certificate: string;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

const years = 10;
/** Identifiers in DER, without tag and length. */
const oids = {
  commonName: "550403",
  ecdsaWithSha256: "2a8648ce3d040302",
  basicConstraints: "551d13",
  keyUsage: "551d0f",
  extendedKeyUsage: "551d25",
  subjectKeyIdentifier: "551d0e",
  authorityKeyIdentifier: "551d23",
  clientAuth: "2b06010505070302",
} as const;

/** A value in DER: tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 128) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(body.length.toString(16).replace(/^(?=(..)*.$)/, "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

const sequence = (...items: readonly Uint8Array[]): Buffer => der(0x30, ...items);
const set = (...items: readonly Uint8Array[]): Buffer => der(0x31, ...items);
const oid = (name: keyof typeof oids): Buffer => der(0x06, Buffer.from(oids[name], "hex"));
const octets = (content: Uint8Array): Buffer => der(0x04, content);
/** A bit string; `unused` of its last bits are none. */
const bits = (content: Uint8Array, unused = 0): Buffer => der(0x03, Buffer.from([unused]), content);
const isTrue = der(0x01, Buffer.from([0xff]));

function commonName(name: string): Buffer {
  return sequence(set(sequence(oid("commonName"), der(0x0c, Buffer.from(name)))));
}

/** UTCTime, which RFC 5280 wants until 2049. */
function time(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x17, Buffer.from(digits.slice(2)));
}

function extension(name: keyof typeof oids, value: Uint8Array): Buffer {
  return sequence(oid(name), isTrue, octets(value));
}

/** What tells a key from others; extensions with it are not critical. */
function keyExtensions(subject: KeyObject, issuer: KeyObject): Buffer[] {
  const digest = (key: KeyObject): Buffer =>
    createHash("sha256")
      .update(key.export({ type: "spki", format: "der" }))
      .digest()
      .subarray(0, 20);
  return [
    sequence(oid("subjectKeyIdentifier"), octets(octets(digest(subject)))),
    sequence(oid("authorityKeyIdentifier"), octets(sequence(der(0x80, digest(issuer))))),
  ];
}

const authorityExtensions = [
  extension("basicConstraints", sequence(isTrue)),
  // keyCertSign and cRLSign.
  extension("keyUsage", bits(Buffer.from([0x06]), 1)),
];
const clientExtensions = [
  // digitalSignature.
  extension("keyUsage", bits(Buffer.from([0x80]), 7)),
  extension("extendedKeyUsage", sequence(oid("clientAuth"))),
];

function certify(
  { subject, issuer }: Names,
  publicKey: KeyObject,
  issuerKey: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  extensions: readonly Uint8Array[],
  now: number,
): string {
  const algorithm = sequence(oid("ecdsaWithSha256"));
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + years);
  // A positive number of 16 bytes.
  const serial = Buffer.concat([Buffer.from([0x01]), randomBytes(15)]);
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    commonName(issuer),
    sequence(time(now - 86_400_000), time(end.getTime())),
    commonName(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions, ...keyExtensions(publicKey, issuerKey.publicKey))),
  );
  return toPem(sequence(toBeSigned, algorithm, bits(sign("sha256", toBeSigned, issuerKey.privateKey))));
}

function toPem(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/** A certificate authority that vouches for itself. @param now milliseconds since the epoch */
export function makeAuthority(name: string, now: number): Identity {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const names = { subject: name, issuer: name };
  return {
    name,
    certificate: certify(names, publicKey, { publicKey, privateKey }, authorityExtensions, now),
    publicKey,
    privateKey,
  };
}

/** A client that the authority vouches for. */
export function makeClient(name: string, authority: Identity, now: number): Identity {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const names = { subject: name, issuer: authority.name };
  const certificate = certify(names, publicKey, authority, clientExtensions, now);
  return { name, certificate, publicKey, privateKey };
}
