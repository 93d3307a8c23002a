/** The provider in this process for a CLI, which would start it as a process, and again for each of its phases. */
import { Server } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import { listen } from "./grpc.ts";

interface Call {
  getPeer(): string;
}
type Handlers = Readonly<Record<string, (call: Call, answer: unknown) => void>>;

export class AttachedProvider {
  readonly #server: Server;
  /**
   * For the CLI's environment. The CLI saves the state in the end alone: to save it after each step of each resource takes
   * longer than the rest, and is for a CLI that is killed.
   */
  readonly env: Readonly<Record<string, string>>;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.env = { PULUMI_SKIP_CHECKPOINTS: "true", PULUMI_DEBUG_PROVIDERS: `qingcloud:${port}` };
  }

  /**
   * @param cliArguments those of the CLI that it is for
   * @param behindFile path of the file that the CLI's environment names
   */
  static async start(cliArguments: readonly string[], behindFile?: string): Promise<AttachedProvider> {
    const [{ ProviderService }, { definitions, functions }] = await Promise.all([
      import("../../provider/service.ts"),
      import("../../provider/definitions.ts"),
    ]);
    const provider = () =>
      new ProviderService(definitions, functions, undefined, {
        cliArguments: () => cliArguments,
        behindFile,
      }).handlers() as unknown as Handlers;
    // Each phase has its own connection, and at its end it cancels all work of its provider.
    const phases = new Map<string, Handlers>();
    const phaseOf = (peer: string): Handlers => {
      const phase = phases.get(peer) ?? provider();
      phases.set(peer, phase);
      return phase;
    };
    const handlers = Object.keys(provider()).map((name) => [
      name,
      (call: Call, answer: unknown) => phaseOf(call.getPeer())[name]?.(call, answer),
    ]);
    const server = new Server();
    server.addService(providerService.ResourceProviderService, Object.fromEntries(handlers));
    const port = await listen(server);
    return new AttachedProvider(server, port);
  }

  stop(): void {
    this.#server.forceShutdown();
  }
}
