/** The one structured error of creates: the resource exists, but is not finished. */
import { Metadata, status } from "@grpc/grpc-js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import statusMessages from "@pulumi/pulumi/proto/status_pb.js";
import anyMessages from "google-protobuf/google/protobuf/any_pb.js";
import type { Struct } from "./values.ts";

/** Answered by a create or update: the engine keeps `id` with `properties` in state and says `reason`. */
export class InitFailedError extends Error {
  override readonly name = "InitFailedError";
  readonly code = status.UNKNOWN;
  readonly details: string;
  readonly metadata = new Metadata();

  constructor(id: string, properties: Struct, inputs: Struct, reason: string) {
    super(reason);
    this.details = reason;
    const failed = new provider.ErrorResourceInitFailed()
      .setId(id)
      .setProperties(properties)
      .setInputs(inputs)
      .setReasonsList([reason]);
    const detail = new anyMessages.Any();
    detail.pack(failed.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
    const answer = new statusMessages.Status().setCode(status.UNKNOWN).setMessage(reason);
    // Apart: `addDetails` returns the detail, not the status.
    answer.addDetails(detail);
    // grpc-go reads structured errors from this trailer.
    this.metadata.add("grpc-status-details-bin", Buffer.from(answer.serializeBinary()));
  }
}
