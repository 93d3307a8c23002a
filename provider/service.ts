/** The provider's RPCs over the resource definitions. Source: pulumi/pulumi, proto/pulumi/provider.proto. */

import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import provider from "@pulumi/pulumi/proto/provider_pb.js";
import Empty from "google-protobuf/google/protobuf/empty_pb.js";
import { messageOf } from "../qingcloud/errors.ts";
import {
  checkInputs,
  diffInputs,
  previewProperties,
  previewUpdate,
  secretsOf,
  splitState,
} from "./checks.ts";
import { untilItsJobsEnd } from "./cloud/job-ends.ts";
import { checkConfiguration, configure, packageVersion } from "./configuration.ts";
import type { AnyFunction } from "./function.ts";
import {
  cutOff,
  cutOffIn,
  cutOffOf,
  deleteWhole,
  endUpdate,
  keptMessage,
  readCutOff,
  renamingOf,
  unfinished,
  withoutReplacing,
} from "./half-made.ts";
import type { AnyResource, Problem } from "./resource.ts";
import { connectEngine } from "./rpc/engine.ts";
import { checkResponse, diffResponse, invokeFailures } from "./rpc/responses.ts";
import { unary } from "./rpc/server.ts";
import { fromStruct, hasUnknown, type Properties, toStruct } from "./rpc/values.ts";
import { Run, type RunOptions } from "./run.ts";
import { stackMark } from "./state/stack-mark.ts";
import { typeOf } from "./urn.ts";

type Message<Name extends keyof typeof provider> = (typeof provider)[Name] extends new () => infer M
  ? M
  : never;

export class ProviderService {
  readonly #definitions: ReadonlyMap<string, AnyResource>;
  readonly #functions: ReadonlyMap<string, AnyFunction>;
  readonly #run: Run;

  constructor(
    definitions: readonly AnyResource[],
    functions: readonly AnyFunction[],
    engineAddress: string | undefined,
    options: RunOptions,
  ) {
    this.#run = new Run(options);
    this.#functions = new Map(functions.map((each) => [each.token, each]));
    this.#definitions = new Map(definitions.map((definition) => [definition.type, definition]));
    if (engineAddress !== undefined) this.#run.engine = connectEngine(engineAddress);
  }

  /** The handlers, by the names of the gRPC service. */
  handlers() {
    return {
      handshake: unary((request: Message<"ProviderHandshakeRequest">) => {
        this.#run.engine = connectEngine(request.getEngineAddress());
        return new provider.ProviderHandshakeResponse();
      }),
      attach: unary((request: InstanceType<typeof plugin.PluginAttach>) => {
        this.#run.engine = connectEngine(request.getAddress());
        return new Empty.Empty();
      }),
      getPluginInfo: unary(() => new plugin.PluginInfo().setVersion(packageVersion)),
      checkConfig: unary((request: Message<"CheckRequest">) => this.#checkConfig(request)),
      diffConfig: unary(() =>
        // The engine would keep the old configuration with DIFF_NONE.
        new provider.DiffResponse().setChanges(provider.DiffResponse.DiffChanges.DIFF_SOME),
      ),
      configure: unary((request: Message<"ConfigureRequest">) => {
        this.#run.session = configure(fromStruct(request.getArgs()));
        return new provider.ConfigureResponse().setSupportspreview(true);
      }),
      getSchema: unary(async () => {
        // Asked for by people, not by deployments.
        const { packageSchema } = await import("./schema.ts");
        const schema = packageSchema([...this.#definitions.values()], [...this.#functions.values()]);
        return new provider.GetSchemaResponse().setSchema(JSON.stringify(schema));
      }),
      invoke: unary((request: Message<"InvokeRequest">) => this.#invoke(request)),
      check: unary((request: Message<"CheckRequest">) => this.#check(request)),
      diff: unary((request: Message<"DiffRequest">) => this.#diff(request)),
      create: unary((request: Message<"CreateRequest">) => this.#create(request)),
      read: unary((request: Message<"ReadRequest">) => this.#read(request)),
      update: unary((request: Message<"UpdateRequest">) => this.#update(request)),
      delete: unary((request: Message<"DeleteRequest">) => this.#delete(request)),
      cancel: unary(() => {
        this.#run.operations.cancel();
        return new Empty.Empty();
      }),
    };
  }

  #checkConfig(request: Message<"CheckRequest">) {
    const news = fromStruct(request.getNews());
    return checkResponse(toStruct(news), checkConfiguration(news));
  }

  async #invoke(request: Message<"InvokeRequest">) {
    const called = this.#functions.get(request.getTok());
    if (called === undefined) {
      throw new Error(
        `"${request.getTok()}" is no function of this provider; there are: ${[...this.#functions.keys()].join(", ")}.`,
      );
    }
    const { values, problems } = this.#withZone(called.arguments.shape, fromStruct(request.getArgs()));
    const parsed = called.arguments.safeParse(values);
    const issues = (parsed.error?.issues ?? []).map(({ path, message }) => ({
      property: path.map(String).join("."),
      reason: message,
    }));
    if (!parsed.success || problems.length > 0) return invokeFailures([...issues, ...problems]);
    // Ends on Ctrl-C, as everything that waits for the cloud does.
    const operation = this.#run.begin(undefined, { urn: "" });
    const result = await operation.run((context) => called.call(context, parsed.data));
    return new provider.InvokeResponse().setReturn(toStruct(result));
  }

  #check(request: Message<"CheckRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const news = fromStruct(request.getNews());
    const { values, problems } = this.#withZone(definition.inputs.shape, news);
    const { inputs, failures } = checkInputs(definition, values);
    failures.push(...problems);
    if (this.#run.session !== undefined)
      failures.push(...(definition.conflicts?.(this.#run.session, known(inputs)) ?? []));
    for (const warning of definition.warnings?.(known(inputs)) ?? [])
      this.#run.engine?.log("warning", urn, warning);
    return checkResponse(toStruct(inputs, secretsOf(definition, inputs)), failures);
  }

  #diff(request: Message<"DiffRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const ignored = new Set(request.getIgnorechangesList());
    const properties = fromStruct(request.getOlds());
    const state = {
      inputs: fromStruct(request.getOldInputs()),
      outputs: splitState(definition, properties).outputs,
    };
    const cut = cutOffOf(definition, state.inputs, properties);
    const news = fromStruct(request.getNews());
    const isOfRefresh = this.#run.isOfRefresh(urn, request.getId(), news);
    if (!isOfRefresh) definition.notice?.(this.#run.ready(), request.getId(), known(news));
    const all = diffInputs(definition, urn, state, news).filter(({ property }) => !ignored.has(property));
    const differences = cut === undefined ? all : withoutReplacing(definition, urn, cut, news, all);
    if (isOfRefresh) return diffResponse(differences, definition.deleteBeforeReplace ?? false);
    this.#run.ready().hasBuilt = true;
    this.#run.ready().meet(urn, request.getId(), differences.length === 0, { ...state, outputs: properties });
    if (differences.some(({ replace }) => replace)) this.#run.warnOfLoss(definition, urn, request.getId());
    return diffResponse(differences, definition.deleteBeforeReplace ?? false);
  }

  async #create(request: Message<"CreateRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const inputs = fromStruct(request.getProperties());
    const secrets = secretsOf(definition, inputs);
    if (request.getPreview()) {
      const properties = toStruct(previewProperties(definition, inputs), secrets);
      return new provider.CreateResponse().setProperties(properties);
    }
    const { id, outputs } = await this.#run.finish(
      definition,
      { urn, timeoutSeconds: request.getTimeout() },
      inputs,
    );
    definition.notice?.(this.#run.ready(), id, inputs);
    return new provider.CreateResponse()
      .setId(id)
      .setProperties(toStruct({ ...inputs, ...outputs }, secrets));
  }

  async #read(request: Message<"ReadRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const oldInputs = fromStruct(request.getInputs());
    const isImport = Object.keys(oldInputs).length === 0;
    const [importZone, id] = isImport ? splitImportId(request.getId()) : [undefined, request.getId()];
    const operation = this.#run.begin(definition, { urn, importZone }, oldInputs);
    const properties = fromStruct(request.getProperties());
    const stored = { inputs: oldInputs, outputs: splitState(definition, properties).outputs };
    const cut =
      cutOffOf(definition, oldInputs, properties) ?? cutOffIn(this.#run.behind.renamingOf(id), stored);
    const found = await operation.run(async (context) => {
      if (this.#run.behind.wasThere && typeof oldInputs.zone === "string")
        await untilItsJobsEnd(context, oldInputs.zone, id);
      if (cut !== undefined) return await readCutOff(definition, context, id, cut);
      const read = await definition.read(context, id, isImport ? undefined : stored);
      // An earlier run may have ended between its deletion and what puts that into effect.
      if (read === undefined && this.#run.behind.wasThere && definition.takesEffectLater === true)
        await definition.delete(context, id, stored);
      return read;
    });
    const response = new provider.ReadResponse();
    if (found === undefined) return response;
    this.#run.refreshed(urn, id, oldInputs);
    if (cut !== undefined)
      throw cutOff(definition, id, cut, "an update of it did not end; the next `up` ends it");
    // The engine forgets at a refresh what was half-made unless it is told again.
    const isHalfMade = !isImport && !definition.outputs.safeParse(stored.outputs).success;
    const reason = isHalfMade ? "it was not finished" : found.unapplied;
    if (reason !== undefined) {
      throw unfinished(definition, id, found.inputs, `${reason}; the next \`up\` finishes it`);
    }
    const secrets = secretsOf(definition, found.inputs);
    return response
      .setId(id)
      .setInputs(toStruct(found.inputs, secrets))
      .setProperties(toStruct({ ...found.inputs, ...found.outputs }, secrets));
  }

  async #update(request: Message<"UpdateRequest">) {
    const urn = request.getUrn();
    const definition = this.#definition(urn);
    const news = fromStruct(request.getNews());
    const properties = fromStruct(request.getOlds());
    const { inputs: before, outputs } = splitState(definition, properties);
    const secrets = secretsOf(definition, news);
    const answer = (properties: Properties) =>
      new provider.UpdateResponse().setProperties(toStruct({ ...news, ...properties }, secrets));
    if (request.getPreview()) {
      const previewed = previewUpdate(definition, news, outputs);
      return new provider.UpdateResponse().setProperties(toStruct(previewed, secrets));
    }
    this.#run.behind.write(renamingOf(definition, { id: request.getId(), urn, last: news }, outputs));
    const isFinished = definition.outputs.safeParse(outputs).success;
    if (!isFinished || definition.update === undefined) {
      const halfMade = { urn, timeoutSeconds: request.getTimeout(), halfMadeId: request.getId() };
      return answer((await this.#run.finish(definition, halfMade, news)).outputs);
    }
    const { update } = definition;
    this.#run.ready().hasBuilt = true;
    const olds = fromStruct(request.getOldInputs());
    const meet = (has: Properties) =>
      this.#run.ready().meet(urn, request.getId(), true, { inputs: news, outputs: has });
    meet(properties);
    const cut = cutOffOf(definition, olds, properties);
    const begin = {
      urn,
      timeoutSeconds: request.getTimeout(),
      halfMadeId: cut === undefined ? undefined : request.getId(),
    };
    const operation = this.#run.begin(definition, begin, olds, before, news);
    try {
      const updated = await operation.run((context) =>
        cut === undefined
          ? update(context, request.getId(), { olds, news, outputs })
          : endUpdate(definition, context, request.getId(), cut, news),
      );
      meet(updated);
      return answer(updated);
    } catch (error) {
      if (operation.noted === undefined && !operation.hasChanged) throw error;
      const left = { last: news, before, outputs: { ...outputs, ...operation.noted }, urn };
      throw cutOff(definition, request.getId(), left, messageOf(error));
    }
  }

  async #delete(request: Message<"DeleteRequest">) {
    const urn = request.getUrn();
    const id = request.getId();
    const definition = this.#definition(urn);
    const run = this.#run.ready();
    const wantedBy = run.wantedBy(urn, id);
    if (wantedBy !== undefined) {
      this.#run.engine?.log("warning", urn, keptMessage(definition, id, urn, wantedBy));
      return new Empty.Empty();
    }
    const properties = fromStruct(request.getProperties());
    const state = splitState(definition, properties);
    const oldInputs = fromStruct(request.getOldInputs());
    const inputs = Object.keys(oldInputs).length > 0 ? oldInputs : state.inputs;
    const operation = this.#run.begin(definition, { urn, timeoutSeconds: request.getTimeout() }, inputs);
    const mark = definition === stackMark ? state.outputs.value : inputs.mark;
    const definitions = [...this.#definitions.values()];
    const cut = cutOffOf(definition, inputs, properties);
    const isWanted = (other: string) => run.wantedBy(urn, other) !== undefined;
    this.#run.behind.write();
    await operation.run((context) => {
      const among = this.#run.withStrays(context, definitions, mark);
      return deleteWhole(definition, among, id, { ...state, inputs }, { cut, isWanted });
    });
    return new Empty.Empty();
  }

  /** What names no zone goes where the configuration says. */
  #withZone(shape: object, values: Properties): { values: Properties; problems: Problem[] } {
    if (!("zone" in shape) || (values.zone ?? undefined) !== undefined) return { values, problems: [] };
    const zone = this.#run.session?.zone;
    if (zone !== undefined) return { values: { ...values, zone }, problems: [] };
    const reason = "zone: give it, e.g. `pek3a`, or set qingcloud:zone (given: nothing)";
    return { values, problems: [{ property: "zone", reason }] };
  }

  #definition(urn: string): AnyResource {
    const type = typeOf(urn);
    const definition = this.#definitions.get(type);
    if (definition === undefined) {
      throw new Error(
        `"${type}" is no resource of this provider; there are: ${[...this.#definitions.keys()].join(", ")}.`,
      );
    }
    return definition;
  }
}

/** Without what a preview does not know yet. */
function known(inputs: Properties): Properties {
  return Object.fromEntries(Object.entries(inputs).filter(([, value]) => !hasUnknown(value)));
}

/** `zone/id`, or an id alone. A zone has no hyphen, and every id has one. */
function splitImportId(text: string): readonly [string | undefined, string] {
  const [, zone, id] = /^([^/-]+)\/(.+)$/.exec(text) ?? [];
  return id === undefined ? [undefined, text] : [zone, id];
}
