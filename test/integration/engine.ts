/** An engine of the test's own: it keeps what the provider tells its user. */
import { Server } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineMessages, { type LogRequest } from "@pulumi/pulumi/proto/engine_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { listen } from "../harness/grpc.ts";

/** One message behind a resource. */
export interface Told {
  readonly severity: string;
  readonly urn: string;
  readonly message: string;
  readonly ephemeral: boolean;
}

export class Engine {
  readonly #server: Server;
  readonly address: string;
  readonly told: Told[];

  private constructor(server: Server, port: number, told: Told[]) {
    this.#server = server;
    this.address = `127.0.0.1:${port}`;
    this.told = told;
  }

  static async start(): Promise<Engine> {
    const told: Told[] = [];
    const server = new Server();
    server.addService(engineService.EngineService, {
      log(call: { request: LogRequest }, answer: (error: null, response: empty.Empty) => void) {
        const { request } = call;
        const severities = Object.entries(engineMessages.LogSeverity);
        told.push({
          severity: severities.find(([, value]) => value === request.getSeverity())?.[0].toLowerCase() ?? "",
          urn: request.getUrn(),
          message: request.getMessage(),
          ephemeral: request.getEphemeral(),
        });
        answer(null, new empty.Empty());
      },
    });
    const port = await listen(server);
    return new Engine(server, port, told);
  }

  /** Messages of one resource, in their order. */
  toldOf(urn: string): string[] {
    return this.told.filter((each) => each.urn === urn).map(({ message }) => message);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}
