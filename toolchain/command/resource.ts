/** What the resources of this provider have in common. */
import { type Properties, secretSignature, signatureKey, unknownValue } from "../../provider/rpc/values.ts";
import type { LineLog } from "./engine.ts";

export interface Failure {
  readonly property: string;
  readonly reason: string;
}

/** What an operation is given besides its properties. */
export interface Context {
  readonly log: LineLog;
  /** Aborted when the engine cancels. */
  readonly signal: AbortSignal;
  /** Takes the resource's secrets out of a text that will be shown. */
  readonly redact: (text: string) => string;
}

export interface Resource {
  /** The outputs that are not inputs, unknown in previews. */
  readonly outputs: readonly string[];
  /** Says what is wrong with the inputs; values that are not known yet pass. */
  check(inputs: Properties): Failure[];
  /** Returns the outputs that are not inputs. */
  create(inputs: Properties, context: Context): Promise<Properties>;
  update(inputs: Properties, state: Properties, context: Context): Promise<Properties>;
  delete(state: Properties, context: Context): Promise<void>;
}

/** The check that a property is there and of one type. */
export function expectType(
  inputs: Properties,
  name: string,
  type: "string" | "object",
  required: boolean,
): Failure[] {
  const value = inputs[name];
  if (value === undefined || value === null) {
    return required ? [{ property: name, reason: `${name} is missing; it is required` }] : [];
  }
  return typeof value === type || value === unknownValue
    ? []
    : [{ property: name, reason: `${name} is a ${typeof value}; it must be a ${type}` }];
}

const credentialNames = ["privateKey", "privateKeyPassword", "password"] as const;

/**
 * A function that takes secrets out of texts: credentials, and every string that the program marked as secret.
 * The rest of a connection (host, user) is marked as secret by the SDK but says nothing that must be hidden.
 */
export function redactor(sources: readonly Properties[]): (text: string) => string {
  const secrets = new Set<string>();
  for (const { connection, ...others } of sources) {
    collect(others, false, secrets);
    for (const hop of hops(connection)) {
      for (const name of credentialNames) collect(hop[name], true, secrets);
    }
  }
  const longestFirst = [...secrets].sort((one, other) => other.length - one.length);
  return (text) => longestFirst.reduce((shown, secret) => shown.replaceAll(secret, "[secret]"), text);
}

const shortestSecret = 4;

function collect(value: unknown, secret: boolean, into: Set<string>): void {
  if (typeof value === "string") {
    // A shorter one would hide half of every text, and hides nothing: it can be guessed.
    if (secret && value.trim().length >= shortestSecret) into.add(value).add(value.trim());
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const marked = (value as Properties)[signatureKey] === secretSignature;
  for (const [name, item] of Object.entries(value)) {
    if (name !== signatureKey) collect(item, secret || marked, into);
  }
}

function hops(wireValue: unknown): Properties[] {
  const connection = unwrap(wireValue);
  if (connection === undefined) return [];
  const proxy = unwrap(connection.proxy);
  return proxy === undefined ? [connection] : [connection, proxy];
}

function unwrap(value: unknown): Properties | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const record = value as Properties;
  return record[signatureKey] === secretSignature ? unwrap(record.value) : record;
}
