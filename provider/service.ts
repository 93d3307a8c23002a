/** The provider's RPCs over the resource definitions. Source: pulumi/pulumi, proto/pulumi/provider.proto. */

import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import Empty from "google-protobuf/google/protobuf/empty_pb.js";
import { checkInputs, type Difference, diffInputs, previewProperties, splitState } from "./checks.ts";
import { checkConfiguration, configure, packageVersion } from "./configuration.ts";
import type { AnyFunction } from "./function.ts";
import { Operations } from "./operations.ts";
import type { AnyResource } from "./resource.ts";
import { connectEngine, type EngineLog } from "./rpc/engine.ts";
import { InitFailedError } from "./rpc/init-failed.ts";
import { unary } from "./rpc/server.ts";
import { fromStruct, type Properties, toStruct } from "./rpc/values.ts";
import type { Session } from "./session.ts";

type Message<Name extends keyof typeof provider> = (typeof provider)[Name] extends new () => infer M
  ? M
  : never;

export class ProviderService {
  readonly #definitions: ReadonlyMap<string, AnyResource>;
  readonly #functions: ReadonlyMap<string, AnyFunction>;
  readonly #operations = new Operations();
  #engine: EngineLog | undefined;
  #session: Session | undefined;

  constructor(
    definitions: readonly AnyResource[],
    functions: readonly AnyFunction[],
    engineAddress: string | undefined,
  ) {
    this.#functions = new Map(functions.map((each) => [each.token, each]));
    this.#definitions = new Map(definitions.map((definition) => [definition.type, definition]));
    if (engineAddress !== undefined) this.#engine = connectEngine(engineAddress);
  }

  /** The handlers, by the names of the gRPC service. */
  handlers() {
    return {
      handshake: unary((request: Message<"ProviderHandshakeRequest">) => {
        this.#engine = connectEngine(request.getEngineAddress());
        return new provider.ProviderHandshakeResponse();
      }),
      attach: unary((request: InstanceType<typeof plugin.PluginAttach>) => {
        this.#engine = connectEngine(request.getAddress());
        return new Empty.Empty();
      }),
      getPluginInfo: unary(() => new plugin.PluginInfo().setVersion(packageVersion)),
      checkConfig: unary((request: Message<"CheckRequest">) => this.#checkConfig(request)),
      diffConfig: unary(() =>
        // The engine would keep the old configuration with DIFF_NONE.
        new provider.DiffResponse().setChanges(provider.DiffResponse.DiffChanges.DIFF_SOME),
      ),
      configure: unary((request: Message<"ConfigureRequest">) => {
        this.#session = configure(fromStruct(request.getArgs()));
        return new provider.ConfigureResponse().setSupportspreview(true);
      }),
      invoke: unary((request: Message<"InvokeRequest">) => this.#invoke(request)),
      check: unary((request: Message<"CheckRequest">) => this.#check(request)),
      diff: unary((request: Message<"DiffRequest">) => this.#diff(request)),
      create: unary((request: Message<"CreateRequest">) => this.#create(request)),
      read: unary((request: Message<"ReadRequest">) => this.#read(request)),
      update: unary((request: Message<"UpdateRequest">) => this.#update(request)),
      delete: unary((request: Message<"DeleteRequest">) => this.#delete(request)),
      cancel: unary(() => {
        this.#operations.cancel();
        return new Empty.Empty();
      }),
    };
  }

  #checkConfig(request: Message<"CheckRequest">) {
    const news = fromStruct(request.getNews());
    return checkResponse(news, checkConfiguration(news));
  }

  async #invoke(request: Message<"InvokeRequest">) {
    const called = this.#functions.get(request.getTok());
    if (called === undefined) {
      throw new Error(
        `"${request.getTok()}" is no function of this provider; there are: ${[...this.#functions.keys()].join(", ")}.`,
      );
    }
    const result = await called.call(this.#ready(), called.arguments.parse(fromStruct(request.getArgs())));
    return new provider.InvokeResponse().setReturn(toStruct(result));
  }

  #check(request: Message<"CheckRequest">) {
    const definition = this.#definition(request.getUrn());
    const { inputs, failures } = checkInputs(definition, fromStruct(request.getNews()));
    return checkResponse(inputs, failures);
  }

  #diff(request: Message<"DiffRequest">) {
    const definition = this.#definition(request.getUrn());
    const ignored = new Set(request.getIgnorechangesList());
    const differences = diffInputs(
      definition,
      fromStruct(request.getOldInputs()),
      fromStruct(request.getNews()),
    ).filter(({ property }) => !ignored.has(property));
    return diffResponse(definition, differences);
  }

  async #create(request: Message<"CreateRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const inputs = fromStruct(request.getProperties());
    if (request.getPreview()) {
      const properties = toStruct(previewProperties(definition, inputs), secretsOf(definition));
      return new provider.CreateResponse().setProperties(properties);
    }
    const { id, outputs } = await this.#finish(urn, request.getTimeout(), inputs, undefined);
    return new provider.CreateResponse()
      .setId(id)
      .setProperties(toStruct({ ...inputs, ...outputs }, secretsOf(definition)));
  }

  /** Creates, or finishes what an interrupted create left; once the cloud has made it, a failure keeps it in state. */
  async #finish(urn: string, timeout: number, inputs: Properties, halfMadeId: string | undefined) {
    const definition = this.#definition(urn);
    const operation = this.#operations.begin(urn, timeout, this.#ready(), this.#engine, halfMadeId);
    try {
      return await operation.run((context) => definition.create(context, inputs));
    } catch (error) {
      const id = operation.madeId ?? halfMadeId;
      if (id === undefined) throw error;
      const secrets = secretsOf(definition);
      // Without its outputs, so that the next run sees an unfinished one: a given `name` is an input and an output.
      const properties = Object.fromEntries(
        Object.entries(inputs).filter(([name]) => !(name in definition.outputs.shape)),
      );
      throw new InitFailedError(
        id,
        toStruct(properties, secrets),
        toStruct(inputs, secrets),
        messageOf(error),
      );
    }
  }

  async #read(request: Message<"ReadRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const oldInputs = fromStruct(request.getInputs());
    const isImport = Object.keys(oldInputs).length === 0;
    const [zone, importId] = isImport ? splitImportId(request.getId()) : [undefined, request.getId()];
    const operation = this.#operations.begin(urn, 0, this.#ready(), this.#engine, undefined, zone);
    const known = {
      inputs: oldInputs,
      outputs: splitState(definition, fromStruct(request.getProperties())).outputs,
    };
    const found = await operation.run((context) =>
      definition.read(context, importId, isImport ? undefined : known),
    );
    const response = new provider.ReadResponse();
    if (found === undefined) return response;
    const secrets = secretsOf(definition);
    return response
      .setId(importId)
      .setInputs(toStruct(found.inputs, secrets))
      .setProperties(toStruct({ ...found.inputs, ...found.outputs }, secrets));
  }

  async #update(request: Message<"UpdateRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const news = fromStruct(request.getNews());
    const { outputs } = splitState(definition, fromStruct(request.getOlds()));
    const secrets = secretsOf(definition);
    const answer = (properties: Properties) =>
      new provider.UpdateResponse().setProperties(toStruct({ ...news, ...properties }, secrets));
    if (request.getPreview()) return answer(outputs);
    const isFinished = definition.outputs.safeParse(outputs).success;
    if (!isFinished || definition.update === undefined) {
      return answer((await this.#finish(urn, request.getTimeout(), news, request.getId())).outputs);
    }
    const { update } = definition;
    const change = { olds: fromStruct(request.getOldInputs()), news, outputs };
    const operation = this.#operations.begin(urn, request.getTimeout(), this.#ready(), this.#engine);
    return answer(await operation.run((context) => update(context, request.getId(), change)));
  }

  async #delete(request: Message<"DeleteRequest">) {
    const definition = this.#definition(request.getUrn());
    const operation = this.#operations.begin(
      request.getUrn(),
      request.getTimeout(),
      this.#ready(),
      this.#engine,
    );
    const state = splitState(definition, fromStruct(request.getProperties()));
    const oldInputs = fromStruct(request.getOldInputs());
    const inputs = Object.keys(oldInputs).length > 0 ? oldInputs : state.inputs;
    await operation.run((context) => definition.delete(context, request.getId(), { ...state, inputs }));
    return new Empty.Empty();
  }

  #definition(urn: string): AnyResource {
    // A URN is urn:pulumi:stack::project::parent$type::name.
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const definition = this.#definitions.get(type);
    if (definition === undefined) {
      throw new Error(
        `"${type}" is no resource of this provider; there are: ${[...this.#definitions.keys()].join(", ")}.`,
      );
    }
    return definition;
  }

  #ready(): Session {
    if (this.#session === undefined)
      throw new Error("The provider was asked to work before it was configured.");
    return this.#session;
  }
}

function secretsOf(definition: AnyResource): ReadonlySet<string> {
  return new Set(definition.secrets);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `zone/id`, or an id alone. */
function splitImportId(text: string): readonly [string | undefined, string] {
  const slash = text.indexOf("/");
  return slash < 0 ? [undefined, text] : [text.slice(0, slash), text.slice(slash + 1)];
}

function checkResponse(inputs: Properties, failures: readonly { property: string; reason: string }[]) {
  return new provider.CheckResponse()
    .setInputs(toStruct(inputs))
    .setFailuresList(
      failures.map(({ property, reason }) =>
        new provider.CheckFailure().setProperty(property).setReason(reason),
      ),
    );
}

function diffResponse(definition: AnyResource, differences: readonly Difference[]) {
  const { DIFF_NONE, DIFF_SOME } = provider.DiffResponse.DiffChanges;
  const response = new provider.DiffResponse()
    .setChanges(differences.length > 0 ? DIFF_SOME : DIFF_NONE)
    .setDiffsList(differences.map(({ property }) => property))
    .setReplacesList(differences.filter(({ replace }) => replace).map(({ property }) => property))
    .setDeletebeforereplace(definition.deleteBeforeReplace ?? false)
    .setHasdetaileddiff(true);
  for (const { property, kind, replace } of differences) {
    const name =
      `${kind}${replace ? "_replace" : ""}`.toUpperCase() as keyof typeof provider.PropertyDiff.Kind;
    const detail = new provider.PropertyDiff().setKind(provider.PropertyDiff.Kind[name]).setInputdiff(true);
    response.getDetaileddiffMap().set(property, detail);
  }
  return response;
}
