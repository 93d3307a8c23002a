/** The project's program, or another, in this process for a CLI, which would start it as a process of a language host's. */
import { join } from "node:path";
import { Server } from "@grpc/grpc-js";
import * as automation from "@pulumi/pulumi/automation/server.js";
import { isGrpcError } from "@pulumi/pulumi/errors.js";
import languageService from "@pulumi/pulumi/proto/language_grpc_pb.js";
import * as settings from "@pulumi/pulumi/runtime/settings.js";
import { listen } from "./grpc.ts";
import { root } from "./process.ts";

/** The SDK's own, which its types do not show. */
const { LanguageServer } = automation as unknown as {
  LanguageServer: new (program: () => Promise<object>) => Parameters<Server["addService"]>[1];
};

/**
 * Engines follow each other, and one may get the port of one before: connections that all channels of a process share would
 * still say of that port that nobody answers ("No connection established").
 */
const { grpcClientOptions } = settings as unknown as { grpcClientOptions: Record<string, unknown> };
grpcClientOptions["grpc.use_local_subchannel_pool"] = 1;

let runs = 0;

const commands: ReadonlySet<string> = new Set(["destroy", "preview", "refresh", "up"]);

export class InlineProgram {
  readonly #server: Server;
  /** For the CLI's command line. */
  readonly args: readonly string[];

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.args = [`--client=127.0.0.1:${port}`, "--exec-kind", "auto.inline"];
  }

  /** Whether a command, the first of the CLI's arguments, takes `args`. */
  static isFor([command = ""]: readonly string[]): boolean {
    return commands.has(command);
  }

  /** @param entry path of the program's TypeScript */
  static async start(entry = join(root, "infra", "index.ts")): Promise<InlineProgram> {
    // Another address is another module: its top level is run for each command.
    const program = async () => {
      try {
        return { ...(await import(`${entry}?run=${runs++}`)) };
      } catch (error) {
        // The SDK's server takes an error of gRPC for the end of the CLI, and the program for ended well: all would be deleted.
        if (!isGrpcError(error as Error)) throw error;
        throw new Error("the program failed by gRPC", { cause: error });
      }
    };
    const server = new Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
    server.addService(languageService.LanguageRuntimeService as never, new LanguageServer(program));
    const port = await listen(server);
    return new InlineProgram(server, port);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}
