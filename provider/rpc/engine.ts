/** The engine that started this plugin: messages to its user. */
import { credentials } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";

export type Severity = "debug" | "info" | "warning" | "error";

export interface EngineLog {
  /** Shows a message behind the resource; an ephemeral one is gone when the resource is done. */
  log(severity: Severity, urn: string, message: string, options?: { ephemeral?: boolean }): void;
}

/** Messages are best effort: an engine that is gone has nobody to show them to. */
export function connectEngine(address: string): EngineLog {
  const client = new engineService.EngineClient(address, credentials.createInsecure());
  return {
    log(severity, urn, message, options = {}) {
      const request = new engineMessages.LogRequest();
      request.setSeverity(engineMessages.LogSeverity[severity.toUpperCase() as "INFO"]);
      request.setUrn(urn);
      request.setMessage(message);
      request.setEphemeral(options.ephemeral ?? false);
      client.log(request, () => {});
    },
  };
}
