/** Property values between the engine's protobuf structs and plain JavaScript. Source: pulumi/pulumi, plugin/rpc.go. */
import structs from "google-protobuf/google/protobuf/struct_pb.js";

export type Struct = structs.Struct;
export type Properties = Record<string, unknown>;

/** Marks that an object is a special value; the signature says which. */
export const signatureKey = "4dabf18193072939515e22adb298388d";
export const secretSignature = "1b47061264138c4ac30d75fd1eb44270";
/** What the engine sends in a preview for a value that is not known yet. */
export const unknownValue = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Reads a struct; secrets are unwrapped, unknowns stay as `unknownValue`, other special objects stay as they are. */
export function fromStruct(struct: Struct | undefined): Properties {
  return (unwrapSecrets(struct?.toJavaScript() ?? {}) ?? {}) as Properties;
}

/** Writes a struct; undefined properties are left out, those named in `secrets` are marked as secret. */
export function toStruct(properties: Readonly<Properties>, secrets: ReadonlySet<string> = new Set()): Struct {
  const plain: Properties = {};
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    plain[name] =
      secrets.has(name) && value !== unknownValue ? { [signatureKey]: secretSignature, value } : value;
  }
  return structs.Struct.fromJavaScript(plain as Parameters<typeof structs.Struct.fromJavaScript>[0]);
}

/** Whether a value is, or holds anywhere, a value that is not known yet. */
export function hasUnknown(value: unknown): boolean {
  if (value === unknownValue) return true;
  if (Array.isArray(value)) return value.some(hasUnknown);
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnknown);
}

function unwrapSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrapSecrets);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Properties;
  if (record[signatureKey] === secretSignature) return unwrapSecrets(record.value);
  return Object.fromEntries(Object.entries(record).map(([name, item]) => [name, unwrapSecrets(item)]));
}
