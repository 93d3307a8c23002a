/** What the provider's answers over gRPC say, in the words of the tests. */
import type { ServiceError } from "@grpc/grpc-js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import statusMessages from "@pulumi/pulumi/proto/status_pb.js";
import {
  fromStruct,
  type Properties,
  type Struct,
  secretSignature,
  signatureKey,
} from "../../provider/rpc/values.ts";

/** What state holds of a resource. */
export interface Resource {
  readonly urn: string;
  readonly id: string;
  readonly inputs: Properties;
  /** Inputs and outputs. */
  readonly properties: Properties;
  /** Which of them came marked as secret; absent where the test wrote the resource itself. */
  readonly secrets?: Marks;
}

/** Names of the properties that came marked as secret. */
export interface Marks {
  readonly inputs: readonly string[];
  readonly properties: readonly string[];
}

/** The half-made resource that an interrupted or failed create leaves in state. */
export class HalfMade extends Error {
  override readonly name = "HalfMade";
  readonly resource: Resource;
  constructor(message: string, resource: Resource) {
    super(message);
    this.resource = resource;
  }
}

type Done<Response> = (error: ServiceError | null, response: Response) => void;
type Call<Response> = (done: Done<Response>) => unknown;

export function call<Response>(start: Call<Response>, urn = ""): Promise<Response> {
  return new Promise<Response>((resolve, reject) => {
    start((error, response) => (error ? reject(error) : resolve(response)));
  }).catch((error: ServiceError) => {
    throw halfMade(error, urn) ?? new Error(error.details);
  });
}

/** The structured error that grpc-go reads from this trailer. */
function halfMade(error: ServiceError, urn: string): HalfMade | undefined {
  const [trailer] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!(trailer instanceof Buffer)) return undefined;
  const [detail] = statusMessages.Status.deserializeBinary(new Uint8Array(trailer)).getDetailsList();
  const failed = detail?.unpack(
    rpc.ErrorResourceInitFailed.deserializeBinary,
    "pulumirpc.ErrorResourceInitFailed",
  );
  if (failed == null) return undefined;
  const inputs = failed.getInputs();
  return new HalfMade(
    error.details,
    resourceOf(urn, failed.getId(), fromStruct(inputs), marksOf(inputs), failed.getProperties()),
  );
}

export function resourceOf(
  urn: string,
  id: string,
  inputs: Properties,
  marked: readonly string[],
  properties: Struct | undefined,
): Resource {
  const secrets = { inputs: marked, properties: marksOf(properties) };
  return { urn, id, inputs, properties: fromStruct(properties), secrets };
}

export function marksOf(struct: Struct | undefined): string[] {
  const raw = (struct?.toJavaScript() ?? {}) as Record<string, { [signatureKey]?: unknown } | null>;
  return Object.keys(raw)
    .filter((name) => raw[name]?.[signatureKey] === secretSignature)
    .sort();
}

/** What an engine without detailed diffs reads says the same. @param details kinds of change by property path */
export function expectAgreement(response: rpc.DiffResponse, details: Readonly<Record<string, string>>): void {
  const properties = (paths: readonly string[]) =>
    [...new Set(paths.map((path) => path.replace(/[.[].*/, "")))].sort().join();
  const isNone = response.getChanges() === rpc.DiffResponse.DiffChanges.DIFF_NONE;
  const paths = Object.keys(details);
  const replaced = paths.filter((path) => details[path]?.endsWith("_REPLACE"));
  if (
    isNone !== (paths.length === 0) ||
    properties(paths) !== response.getDiffsList().toSorted().join() ||
    properties(replaced) !== response.getReplacesList().toSorted().join()
  ) {
    throw new Error(
      `details ${JSON.stringify(details)} disagree with ${JSON.stringify(response.toObject())}`,
    );
  }
}
