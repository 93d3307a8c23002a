/** The `connection` input: where and as whom to connect, and which host key to expect there. */
import { createHash } from "node:crypto";
import type { Properties } from "../../provider/rpc/values.ts";
import type { Failure } from "./resource.ts";

export interface Hop {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly privateKey: string | undefined;
  readonly privateKeyPassword: string | undefined;
  readonly agentSocketPath: string | undefined;
  readonly hostKey: HostKey | undefined;
  /** -1: without limit */
  readonly dialErrorLimit: number;
  /** 0: without limit */
  readonly perDialTimeoutSeconds: number;
}

export interface Connection extends Hop {
  readonly proxy: Hop | undefined;
}

export interface HostKey {
  readonly type: string;
  readonly key: Buffer;
}

const keyTypes = /^(ssh-|ecdsa-|sk-)/;

/** Reads a public key as in authorized_keys or known_hosts: type and base64, whatever stands around them. */
export function parseHostKey(text: string): HostKey | undefined {
  const words = text.trim().split(/\s+/);
  const at = words.findIndex((word) => keyTypes.test(word));
  const type = words[at];
  const encoded = words[at + 1];
  if (type === undefined || encoded === undefined || !/^[A-Za-z0-9+/]+=*$/.test(encoded)) return undefined;
  return { type, key: Buffer.from(encoded, "base64") };
}

/** The fingerprint as OpenSSH shows it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
}

/** Checks what is known of `connection` and its `proxy`. */
export function checkConnection(inputs: Properties): Failure[] {
  const connection = inputs.connection;
  if (connection === undefined || connection === null) {
    return [{ property: "connection", reason: "connection is missing; it must hold at least the host" }];
  }
  if (typeof connection !== "object") return []; // not known yet
  const hop = connection as Properties;
  const proxy = hop.proxy;
  return [
    ...checkHop("connection", hop),
    ...(typeof proxy === "object" && proxy !== null ? checkHop("connection.proxy", proxy as Properties) : []),
  ];
}

function checkHop(path: string, hop: Properties): Failure[] {
  const failures: Failure[] = [];
  if (typeof hop.host !== "string" || hop.host === "") {
    failures.push({
      property: `${path}.host`,
      reason: `${path}.host is missing; it must be an address or a name`,
    });
  }
  return failures;
}

/** Reads `connection`, with the official provider's defaults. */
export function readConnection(inputs: Properties): Connection {
  const connection = inputs.connection as Properties;
  const proxy = connection.proxy as Properties | undefined | null;
  return { ...readHop(connection), proxy: proxy ? readHop(proxy) : undefined };
}

function readHop(hop: Properties): Hop {
  const text = (name: string) => (typeof hop[name] === "string" && hop[name] !== "" ? hop[name] : undefined);
  const number = (name: string, otherwise: number) =>
    hop[name] === undefined ? otherwise : Number(hop[name]);
  const hostKeyText = text("hostKey");
  const hostKey = hostKeyText === undefined ? undefined : parseHostKey(hostKeyText);
  if (hostKeyText !== undefined && hostKey === undefined) {
    throw new Error(
      `hostKey of ${hop.host} is ${JSON.stringify(hostKeyText)}; it must be a type and a key in base64, as in "ssh-ed25519 AAAA…"`,
    );
  }
  return {
    host: String(hop.host),
    port: number("port", 22),
    user: text("user") ?? "root",
    password: text("password"),
    privateKey: text("privateKey"),
    privateKeyPassword: text("privateKeyPassword"),
    agentSocketPath: text("agentSocketPath") ?? process.env.SSH_AUTH_SOCK,
    hostKey,
    dialErrorLimit: number("dialErrorLimit", 10),
    perDialTimeoutSeconds: number("perDialTimeout", 15),
  };
}
