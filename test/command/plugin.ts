/** Starts the plugin as the engine does, with an engine that keeps its log, and calls it by gRPC. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { credentials, Server, type ServiceError } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import type engineMessages from "@pulumi/pulumi/proto/engine_pb.js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import structs from "google-protobuf/google/protobuf/struct_pb.js";
import { type Properties, secretSignature, signatureKey } from "../../provider/rpc/values.ts";
import { listen } from "../harness/grpc.ts";

const launcher = new URL("../../toolchain/command/pulumi-resource-command", import.meta.url).pathname;

export interface LogLine {
  readonly urn: string;
  readonly message: string;
}

export function urn(type: string, name: string): string {
  return `urn:pulumi:test::crosszone::crosszone:index:Cluster$command:${type}::${name}`;
}

export function secret(value: unknown): Properties {
  return { [signatureKey]: secretSignature, value };
}

type Done<Response> = (error: ServiceError | null, response: Response) => void;

export class Plugin {
  readonly process: ChildProcess;
  readonly lines: LogLine[];
  readonly #client: providerService.ResourceProviderClient;
  readonly #engine: Server;

  private constructor(process: ChildProcess, port: string, engine: Server, lines: LogLine[]) {
    this.process = process;
    this.#client = new providerService.ResourceProviderClient(
      `127.0.0.1:${port}`,
      credentials.createInsecure(),
    );
    this.#engine = engine;
    this.lines = lines;
  }

  static async start(): Promise<Plugin> {
    const lines: LogLine[] = [];
    const engine = new Server();
    engine.addService(engineService.EngineService, {
      log(
        call: { request: engineMessages.LogRequest },
        answer: (error: null, response: empty.Empty) => void,
      ) {
        lines.push({ urn: call.request.getUrn(), message: call.request.getMessage() });
        answer(null, new empty.Empty());
      },
    });
    const enginePort = await listen(engine);
    const child = spawn(launcher, [`127.0.0.1:${enginePort}`], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, SSH_AUTH_SOCK: undefined },
    });
    const [port] = (await once(createInterface(child.stdout), "line")) as [string];
    return new Plugin(child, port, engine, lines);
  }

  async stop(): Promise<void> {
    this.#client.close();
    this.#engine.forceShutdown();
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const exited = once(this.process, "exit");
    this.process.kill("SIGINT");
    await exited;
  }

  /** As a killed engine leaves it; until the plugin has ended. */
  async loseEngine(): Promise<void> {
    const exited = once(this.process, "exit");
    this.#engine.forceShutdown();
    await exited;
  }

  messages(resource: string): string[] {
    return this.lines.filter((line) => line.urn === resource).map((line) => line.message);
  }

  async check(resource: string, inputs: Properties): Promise<string[]> {
    const request = new rpc.CheckRequest().setUrn(resource).setNews(struct(inputs));
    const response = await call<rpc.CheckResponse>((done) => this.#client.check(request, done));
    return response.getFailuresList().map((failure) => `${failure.getProperty()}: ${failure.getReason()}`);
  }

  async diff(resource: string, before: Properties, after: Properties) {
    const request = new rpc.DiffRequest().setUrn(resource).setId("id");
    request
      .setOldInputs(struct(before))
      .setOlds(struct({ ...before, stdout: "" }))
      .setNews(struct(after));
    const response = await call<rpc.DiffResponse>((done) => this.#client.diff(request, done));
    return { diffs: response.getDiffsList(), replaces: response.getReplacesList() };
  }

  async create(resource: string, inputs: Properties, preview = false) {
    const request = new rpc.CreateRequest()
      .setUrn(resource)
      .setProperties(struct(inputs))
      .setPreview(preview);
    const response = await call<rpc.CreateResponse>((done) => this.#client.create(request, done));
    return { id: response.getId(), state: plain(response.getProperties()) };
  }

  async update(resource: string, before: Properties, after: Properties): Promise<Properties> {
    const request = new rpc.UpdateRequest().setUrn(resource).setId("id");
    request.setOlds(struct(before)).setNews(struct(after));
    return plain(
      (await call<rpc.UpdateResponse>((done) => this.#client.update(request, done))).getProperties(),
    );
  }

  async delete(resource: string, state: Properties): Promise<void> {
    const request = new rpc.DeleteRequest().setUrn(resource).setId("id").setProperties(struct(state));
    await call<empty.Empty>((done) => this.#client.delete(request, done));
  }

  async cancel(): Promise<void> {
    await call<empty.Empty>((done) => this.#client.cancel(new empty.Empty(), done));
  }
}

function call<Response>(start: (done: Done<Response>) => unknown): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) => (error ? reject(new Error(error.details)) : resolve(response)));
  });
}

function struct(properties: Properties): structs.Struct {
  return structs.Struct.fromJavaScript(properties as Parameters<typeof structs.Struct.fromJavaScript>[0]);
}

function plain(value: structs.Struct | undefined): Properties {
  return (value?.toJavaScript() ?? {}) as Properties;
}
