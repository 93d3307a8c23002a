/** The provider, called by gRPC: its real executable, started as the engine does, or its service in this process. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { credentials, Server } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { compileCache } from "../../local-cloud/compile-cache.mjs";
import { fromStruct, type Properties, toStruct } from "../../provider/rpc/values.ts";
import { listen } from "../harness/grpc.ts";
import { root } from "../harness/process.ts";
import { call, expectAgreement, HalfMade, marksOf, type Resource, resourceOf } from "./plugin-answers.ts";

export interface Checked {
  /** With defaults. */
  readonly inputs: Properties;
  /** Names of the inputs that came marked as secret. */
  readonly secrets: readonly string[];
  /** Property path and reason of each problem. */
  readonly failures: readonly (readonly [path: string, reason: string])[];
}

export class Plugin {
  readonly #served: ChildProcess | Server;
  readonly #client: providerService.ResourceProviderClient;
  #configuration: Properties = {};
  /** What this run has made, changed or compared: a run does not delete that, so a deletion begins another one. */
  readonly #named = new Set<string>();
  #anotherRun: Promise<void> = Promise.resolve();
  /** How often it was configured. */
  runs = 0;
  /** What it wrote to standard error. */
  stderr = "";

  private constructor(served: ChildProcess | Server, port: string | number) {
    this.#served = served;
    this.#client = new providerService.ResourceProviderClient(
      `127.0.0.1:${port}`,
      credentials.createInsecure(),
    );
    if (served instanceof Server) return;
    served.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  /**
   * @param configFile absent: it is not configured
   * @param engine address of the engine that hears its messages
   * @param env added to the environment
   */
  static async start(
    configFile?: string,
    { engine, env = {} }: { engine?: string; env?: Readonly<Record<string, string>> } = {},
  ): Promise<Plugin> {
    const argv = engine === undefined ? [] : [engine];
    const child = spawn(join(root, "provider", "pulumi-resource-qingcloud"), argv, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { PATH: process.env.PATH, HOME: "/nonexistent", NODE_COMPILE_CACHE: compileCache, ...env },
    });
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`the provider ended with ${code} before it said its port`);
    });
    ended.catch(() => {});
    const line = once(createInterface(child.stdout), "line") as Promise<[string]>;
    const [port] = await Promise.race([line, ended]);
    const plugin = new Plugin(child, port);
    if (configFile !== undefined) await plugin.configure({ configFile });
    return plugin;
  }

  /**
   * The service without a process of its own, for what is the same in both: it starts in milliseconds, and a test can
   * shorten its pauses. What it has begun ends when it is stopped, so it cannot stand for a process that is killed.
   * @param command the CLI's command line: a run that only deletes is a `destroy` unless the test says otherwise
   */
  static async here(
    configFile?: string,
    {
      engine,
      command = "destroy",
      behindFile,
    }: { engine?: string; command?: string; behindFile?: string } = {},
  ): Promise<Plugin> {
    const [{ ProviderService }, { definitions, functions }] = await Promise.all([
      import("../../provider/service.ts"),
      import("../../provider/definitions.ts"),
    ]);
    const server = new Server();
    const service = new ProviderService(definitions, functions, engine, {
      cliArguments: () => command.split(" "),
      behindFile,
    });
    server.addService(providerService.ResourceProviderService, service.handlers());
    const port = await listen(server);
    const plugin = new Plugin(server, port);
    if (configFile !== undefined) await plugin.configure({ configFile });
    return plugin;
  }

  get pid(): number {
    return this.#served instanceof Server ? process.pid : (this.#served.pid ?? 0);
  }

  async stop(signal: "SIGKILL" | "SIGINT" = "SIGKILL"): Promise<void> {
    if (this.#served instanceof Server) {
      await this.cancel().catch(() => {});
      this.#client.close();
      this.#served.forceShutdown();
      return;
    }
    this.#client.close();
    if (this.#served.exitCode !== null || this.#served.signalCode !== null) return;
    const ended = once(this.#served, "exit");
    this.#served.kill(signal);
    await ended;
  }

  /** As the engine's first word; this engine listens to nothing. */
  async handshake(): Promise<void> {
    const request = new rpc.ProviderHandshakeRequest().setEngineAddress("127.0.0.1:1");
    await call<rpc.ProviderHandshakeResponse>((done) => this.#client.handshake(request, done));
  }

  /** Problems of a configuration, `property: reason` each. */
  async checkConfig(args: Properties): Promise<string[]> {
    const request = new rpc.CheckRequest().setNews(toStruct(args));
    const response = await call<rpc.CheckResponse>((done) => this.#client.checkConfig(request, done));
    return response.getFailuresList().map((each) => `${each.getProperty()}: ${each.getReason()}`);
  }

  async configure(args: Properties): Promise<void> {
    this.#configuration = args;
    this.#named.clear();
    this.runs++;
    const request = new rpc.ConfigureRequest().setArgs(toStruct(args));
    await call<rpc.ConfigureResponse>((done) => this.#client.configure(request, done));
  }

  /** The engine configures the provider once in each run: what it knew of the one before is gone. */
  async nextRun(): Promise<void> {
    this.#anotherRun = this.configure(this.#configuration);
    await this.#anotherRun;
  }

  /** @throws Error with all failures */
  async invoke(token: string, args: Properties): Promise<Properties> {
    const request = new rpc.InvokeRequest().setTok(token).setArgs(toStruct(args));
    const response = await call<rpc.InvokeResponse>((done) => this.#client.invoke(request, done));
    const failures = response.getFailuresList().map((each) => `${each.getProperty()}: ${each.getReason()}`);
    if (failures.length > 0) throw new Error(failures.join("\n"));
    return fromStruct(response.getReturn());
  }

  async check(urn: string, news: Properties): Promise<Checked> {
    const request = new rpc.CheckRequest().setUrn(urn).setNews(toStruct(news));
    const response = await call<rpc.CheckResponse>((done) => this.#client.check(request, done));
    return {
      inputs: fromStruct(response.getInputs()),
      secrets: marksOf(response.getInputs()),
      failures: response.getFailuresList().map((each) => [each.getProperty(), each.getReason()] as const),
    };
  }

  /** @throws Error with all failures */
  async #valid(urn: string, news: Properties): Promise<Checked> {
    const checked = await this.check(urn, news);
    const told = checked.failures.map(([path, reason]) => `${path}: ${reason}`);
    if (told.length > 0) throw new Error(told.join("\n"));
    return checked;
  }

  /** Checks and creates. @throws HalfMade where the cloud made it and it is not finished */
  async create(urn: string, news: Properties, { preview = false, timeout = 60 } = {}): Promise<Resource> {
    const { inputs, secrets } = await this.#valid(urn, news);
    const request = new rpc.CreateRequest().setUrn(urn).setProperties(toStruct(inputs));
    request.setPreview(preview).setTimeout(timeout);
    const response = await call<rpc.CreateResponse>((done) => this.#client.create(request, done), urn).catch(
      (error: unknown) => {
        if (error instanceof HalfMade) this.#named.add(`${urn} ${error.resource.id}`);
        throw error;
      },
    );
    if (!preview) this.#named.add(`${urn} ${response.getId()}`);
    return resourceOf(urn, response.getId(), inputs, secrets, response.getProperties());
  }

  /** What the cloud has of a resource in state; undefined where it is gone. */
  async read({ urn, id, inputs, properties }: Resource): Promise<Resource | undefined> {
    const request = new rpc.ReadRequest().setUrn(urn).setId(id);
    return await this.#read(urn, request.setInputs(toStruct(inputs)).setProperties(toStruct(properties)));
  }

  /** @param id `zone/id`, or the id alone */
  async import(urn: string, id: string): Promise<Resource | undefined> {
    return await this.#read(urn, new rpc.ReadRequest().setUrn(urn).setId(id));
  }

  async #read(urn: string, request: rpc.ReadRequest): Promise<Resource | undefined> {
    const response = await call<rpc.ReadResponse>((done) => this.#client.read(request, done), urn);
    if (response.getId() === "") return undefined;
    const inputs = response.getInputs();
    return resourceOf(urn, response.getId(), fromStruct(inputs), marksOf(inputs), response.getProperties());
  }

  /** Kinds of change by property path; empty where nothing differs. */
  async diff({ urn, id, inputs, properties }: Resource, news: Properties): Promise<Record<string, string>> {
    const request = new rpc.DiffRequest().setUrn(urn).setId(id).setOlds(toStruct(properties));
    request.setOldInputs(toStruct(inputs)).setNews(toStruct((await this.#valid(urn, news)).inputs));
    this.#named.add(`${urn} ${id}`);
    const response = await call<rpc.DiffResponse>((done) => this.#client.diff(request, done));
    const kinds = Object.entries(rpc.PropertyDiff.Kind);
    const found: Record<string, string> = {};
    response.getDetaileddiffMap().forEach((detail, name) => {
      found[name] = kinds.find(([, value]) => value === detail.getKind())?.[0] ?? "";
    });
    expectAgreement(response, found);
    return found;
  }

  async update(
    { urn, id, inputs, properties }: Resource,
    news: Properties,
    { preview = false, timeout = 60 } = {},
  ): Promise<Resource> {
    const checked = await this.#valid(urn, news);
    const request = new rpc.UpdateRequest()
      .setUrn(urn)
      .setId(id)
      .setOlds(toStruct(properties))
      .setTimeout(timeout)
      .setPreview(preview);
    request.setOldInputs(toStruct(inputs)).setNews(toStruct(checked.inputs));
    this.#named.add(`${urn} ${id}`);
    const response = await call<rpc.UpdateResponse>((done) => this.#client.update(request, done), urn);
    return resourceOf(urn, id, checked.inputs, checked.secrets, response.getProperties());
  }

  /** Begins another run where this one has named the resource. */
  async delete(resource: Resource, options: { timeout?: number } = {}): Promise<void> {
    if (this.#named.has(`${resource.urn} ${resource.id}`)) await this.nextRun();
    await this.#anotherRun;
    await this.deleteInThisRun(resource, options);
  }

  async deleteInThisRun({ urn, id, inputs, properties }: Resource, { timeout = 60 } = {}): Promise<void> {
    const request = new rpc.DeleteRequest().setUrn(urn).setId(id).setTimeout(timeout);
    request.setOldInputs(toStruct(inputs)).setProperties(toStruct(properties));
    await call<empty.Empty>((done) => this.#client.delete(request, done));
  }

  async cancel(): Promise<void> {
    await call<empty.Empty>((done) => this.#client.cancel(new empty.Empty(), done));
  }
}

/** @param type without the package, e.g. `cloud:Eip` */
export function urnOf(type: string, name: string): string {
  return `urn:pulumi:test::crosszone::crosszone:network:Network$qingcloud:${type}::${name}`;
}
