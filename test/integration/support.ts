/** The provider's own executable, driven by gRPC as the engine drives it, and what the cloud has logged of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import providerService from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import statusMessages from "@pulumi/pulumi/proto/status_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import {
  fromStruct,
  type Properties,
  type Struct,
  secretSignature,
  signatureKey,
  toStruct,
} from "../../provider/rpc/values.ts";

const launcher = new URL("../../provider/pulumi-resource-qingcloud", import.meta.url).pathname;

/** As in a stack with components. */
export function urnOf(type: string, name: string): string {
  return `urn:pulumi:test::crosszone::crosszone:network:Zone$${type}::${name}`;
}

/** What a create answered, or what a read found. */
export interface Found {
  readonly id: string;
  readonly properties: Properties;
  /** Names of the properties that came marked as secret. */
  readonly secrets: readonly string[];
}

type Done<Response> = (error: ServiceError | null, response: Response) => void;

export class Provider {
  readonly #process: ChildProcess;
  readonly #client: providerService.ResourceProviderClient;

  private constructor(process: ChildProcess, port: string) {
    this.#process = process;
    const address = `127.0.0.1:${port}`;
    this.#client = new providerService.ResourceProviderClient(address, credentials.createInsecure());
  }

  /** Starts the executable and configures it; nothing of the caller's environment chooses an account. */
  static async start(configFile: string): Promise<Provider> {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith("QINGCLOUD_")),
    );
    const child = spawn(launcher, [], { stdio: ["ignore", "pipe", "inherit"], env });
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`the provider ended with ${code} before it said its port`);
    });
    ended.catch(() => {});
    const line = once(createInterface(child.stdout), "line") as Promise<[string]>;
    const [port] = await Promise.race([line, ended]);
    const provider = new Provider(child, port);
    const request = new rpc.ConfigureRequest().setArgs(toStruct({ configFile }));
    await call<rpc.ConfigureResponse>((done) => provider.#client.configure(request, done));
    return provider;
  }

  async stop(): Promise<void> {
    this.#client.close();
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGINT");
    await exited;
  }

  async check(urn: string, news: Properties): Promise<{ inputs: Properties; failures: string[][] }> {
    const request = new rpc.CheckRequest().setUrn(urn).setNews(toStruct(news));
    const response = await call<rpc.CheckResponse>((done) => this.#client.check(request, done));
    return {
      inputs: fromStruct(response.getInputs()),
      failures: response.getFailuresList().map((each) => [each.getProperty(), each.getReason()]),
    };
  }

  async diff(urn: string, id: string, olds: Properties, news: Properties) {
    const request = new rpc.DiffRequest().setUrn(urn).setId(id);
    request.setOldInputs(toStruct(olds)).setOlds(toStruct(olds)).setNews(toStruct(news));
    const response = await call<rpc.DiffResponse>((done) => this.#client.diff(request, done));
    return {
      isNone: response.getChanges() === rpc.DiffResponse.DiffChanges.DIFF_NONE,
      diffs: response.getDiffsList(),
      replaces: response.getReplacesList(),
    };
  }

  async create(urn: string, inputs: Properties, { preview = false } = {}): Promise<Found> {
    const request = new rpc.CreateRequest().setUrn(urn).setProperties(toStruct(inputs)).setPreview(preview);
    const response = await call<rpc.CreateResponse>((done) => this.#client.create(request, done));
    return found(response.getId(), response.getProperties());
  }

  /** Undefined where it does not exist. Without `known` it is an import. */
  async read(urn: string, id: string, known?: { inputs: Properties; properties: Properties }) {
    const request = new rpc.ReadRequest().setUrn(urn).setId(id);
    if (known !== undefined)
      request.setInputs(toStruct(known.inputs)).setProperties(toStruct(known.properties));
    const response = await call<rpc.ReadResponse>((done) => this.#client.read(request, done));
    if (response.getId() === "") return undefined;
    return {
      ...found(response.getId(), response.getProperties()),
      inputs: fromStruct(response.getInputs()),
    };
  }

  async update(urn: string, id: string, olds: Properties, oldInputs: Properties, news: Properties) {
    const request = new rpc.UpdateRequest().setUrn(urn).setId(id);
    request.setOlds(toStruct(olds)).setOldInputs(toStruct(oldInputs)).setNews(toStruct(news));
    const response = await call<rpc.UpdateResponse>((done) => this.#client.update(request, done));
    return found(id, response.getProperties());
  }

  async delete(urn: string, id: string, inputs: Properties, properties: Properties): Promise<void> {
    const request = new rpc.DeleteRequest().setUrn(urn).setId(id);
    request.setOldInputs(toStruct(inputs)).setProperties(toStruct(properties));
    await call<empty.Empty>((done) => this.#client.delete(request, done));
  }

  async cancel(): Promise<void> {
    await call<empty.Empty>((done) => this.#client.cancel(new empty.Empty(), done));
  }
}

function call<Response>(start: (done: Done<Response>) => unknown): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) => (error ? reject(error) : resolve(response)));
  });
}

function found(id: string, struct: Struct | undefined): Found {
  const raw = (struct?.toJavaScript() ?? {}) as Record<string, { [signatureKey]?: unknown } | null>;
  const secrets = Object.keys(raw).filter((name) => raw[name]?.[signatureKey] === secretSignature);
  return { id, properties: fromStruct(struct), secrets };
}

/** The structured error that a half-made resource is answered with. @throws the error itself where it is another */
export function initFailedOf(error: ServiceError) {
  const [trailer] = error.metadata.get("grpc-status-details-bin");
  if (!(trailer instanceof Buffer)) throw error;
  const [detail] = statusMessages.Status.deserializeBinary(new Uint8Array(trailer)).getDetailsList();
  const typeName = detail?.getTypeName();
  if (detail === undefined || typeName !== "pulumirpc.ErrorResourceInitFailed") throw error;
  const failed = rpc.ErrorResourceInitFailed.deserializeBinary(detail.getValue_asU8());
  return {
    id: failed.getId(),
    inputs: fromStruct(failed.getInputs()),
    properties: fromStruct(failed.getProperties()),
    reasons: failed.getReasonsList(),
  };
}

/** One line of calls.jsonl. */
export interface Call {
  readonly zone: string;
  readonly action: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly ret_code: number;
}

/** The API calls that a cloud has answered so far. */
export function callsOf(home: string): Call[] {
  const file = join(home, "calls.jsonl");
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Call);
}

/** Action and parameters of a call that changes something. */
export type Change = readonly [action: string, parameters: Readonly<Record<string, string>>];

/** The calls that change something, in their order, in `zone`; a refused one would be one too many. */
export function changesAmong(calls: readonly Call[]): Change[] {
  return calls
    .filter(({ action }) => !/^(Describe|Get)/.test(action))
    .map(({ action, parameters }) => [action, parameters]);
}

/** Waits until a condition holds. @throws Error with `what` after the deadline */
export async function waitFor(what: string, condition: () => boolean, seconds = 30): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${seconds} s in vain for ${what}`);
    await sleep(20);
  }
}
