/** The provider's RPCs, on the engine's own protocol. */
import { randomBytes } from "node:crypto";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import rpc from "@pulumi/pulumi/proto/provider_pb.js";
import empty from "google-protobuf/google/protobuf/empty_pb.js";
import { unary } from "../../provider/rpc/server.ts";
import {
  fromStruct,
  type Properties,
  type Struct,
  toStruct,
  unknownValue,
} from "../../provider/rpc/values.ts";
import { copyToRemote } from "./copy-to-remote.ts";
import { type Change, changedInputs } from "./diff.ts";
import type { OpenLog } from "./engine.ts";
import { localCommand } from "./local-command.ts";
import { remoteCommand } from "./remote-command.ts";
import { type Context, type Resource, redactor } from "./resource.ts";

export const version = "1.2.1";

const resources: Readonly<Record<string, Resource>> = {
  "command:local:Command": localCommand,
  "command:remote:Command": remoteCommand,
  "command:remote:CopyToRemote": copyToRemote,
};

/** The one input whose change replaces a resource, as in the official provider and its SDKs. */
const replacing = "triggers";

const { Kind } = rpc.PropertyDiff;
const kinds: Record<
  Change,
  { readonly update: rpc.PropertyDiff.Kind; readonly replace: rpc.PropertyDiff.Kind }
> = {
  add: { update: Kind.ADD, replace: Kind.ADD_REPLACE },
  update: { update: Kind.UPDATE, replace: Kind.UPDATE_REPLACE },
  delete: { update: Kind.DELETE, replace: Kind.DELETE_REPLACE },
};

/** The handlers of the provider service. */
export function commandProvider(openLog: OpenLog): UntypedServiceImplementation {
  const cancelled = new AbortController();

  /** Runs an operation with its log and secrets; no line shows after it, and cancelling is told as such. */
  async function operate<Result>(
    urn: string,
    properties: readonly (Struct | undefined)[],
    run: (context: Context) => Promise<Result>,
  ): Promise<Result> {
    const log = openLog(urn);
    const redact = redactor(properties.map(wire));
    try {
      return await run({ log, redact, signal: cancelled.signal });
    } catch (error) {
      if (cancelled.signal.aborted) throw new Error("cancelled by the engine");
      throw error;
    } finally {
      await log.flush();
    }
  }

  return {
    handshake: unary(() => new rpc.ProviderHandshakeResponse().setAcceptSecrets(true)),
    attach: unary(() => new empty.Empty()),
    getPluginInfo: unary(() => new plugin.PluginInfo().setVersion(version)),
    getSchema: unary(() =>
      new rpc.GetSchemaResponse().setSchema(JSON.stringify({ name: "command", version, resources: {} })),
    ),
    checkConfig: unary((request: rpc.CheckRequest) => new rpc.CheckResponse().setInputs(request.getNews())),
    diffConfig: unary(() => new rpc.DiffResponse().setChanges(rpc.DiffResponse.DiffChanges.DIFF_NONE)),
    configure: unary(() => new rpc.ConfigureResponse().setAcceptsecrets(true).setSupportspreview(true)),
    invoke: unary((request: rpc.InvokeRequest) => {
      throw new Error(`${request.getTok()} is not supported by this stand-in for the command provider`);
    }),

    check: unary((request: rpc.CheckRequest) => {
      const failures = resourceOf(request.getUrn()).check(fromStruct(request.getNews()));
      return new rpc.CheckResponse()
        .setInputs(request.getNews())
        .setFailuresList(
          failures.map(({ property, reason }) =>
            new rpc.CheckFailure().setProperty(property).setReason(reason),
          ),
        );
    }),

    diff: unary((request: rpc.DiffRequest) => {
      resourceOf(request.getUrn());
      const changes = changedInputs(
        fromStruct(request.getOldInputs() ?? request.getOlds()),
        fromStruct(request.getNews()),
        new Set(request.getIgnorechangesList()),
      );
      const { DIFF_NONE, DIFF_SOME } = rpc.DiffResponse.DiffChanges;
      const response = new rpc.DiffResponse()
        .setChanges(changes.size === 0 ? DIFF_NONE : DIFF_SOME)
        .setDiffsList([...changes.keys()])
        .setReplacesList(changes.has(replacing) ? [replacing] : [])
        .setHasdetaileddiff(true);
      for (const [name, change] of changes) {
        const kind = kinds[change][name === replacing ? "replace" : "update"];
        response.getDetaileddiffMap().set(name, new rpc.PropertyDiff().setKind(kind).setInputdiff(true));
      }
      return response;
    }),

    create: unary(async (request: rpc.CreateRequest) => {
      const [urn, inputs] = [request.getUrn(), request.getProperties()];
      const resource = resourceOf(urn);
      if (request.getPreview()) return new rpc.CreateResponse().setProperties(withUnknown(resource, inputs));
      return operate(urn, [inputs], async (context) => {
        const outputs = await resource.create(fromStruct(inputs), context);
        return new rpc.CreateResponse()
          .setId(`${nameIn(urn)}${randomBytes(4).toString("hex")}`)
          .setProperties(toStruct({ ...wire(inputs), ...outputs }));
      });
    }),

    read: unary((request: rpc.ReadRequest) => {
      if (request.getProperties()?.getFieldsMap().getLength() === 0) {
        throw new Error(`${request.getUrn()} cannot be imported: a command that ran cannot be looked up`);
      }
      return new rpc.ReadResponse()
        .setId(request.getId())
        .setProperties(request.getProperties())
        .setInputs(request.getInputs());
    }),

    update: unary(async (request: rpc.UpdateRequest) => {
      const [urn, inputs, state] = [request.getUrn(), request.getNews(), request.getOlds()];
      const resource = resourceOf(urn);
      if (request.getPreview()) return new rpc.UpdateResponse().setProperties(withUnknown(resource, inputs));
      return operate(urn, [state, inputs], async (context) => {
        const outputs = await resource.update(fromStruct(inputs), fromStruct(state), context);
        return new rpc.UpdateResponse().setProperties(toStruct({ ...wire(inputs), ...outputs }));
      });
    }),

    delete: unary(async (request: rpc.DeleteRequest) => {
      const [urn, state] = [request.getUrn(), request.getProperties()];
      await operate(urn, [state], (context) => resourceOf(urn).delete(fromStruct(state), context));
      return new empty.Empty();
    }),

    cancel: unary(() => {
      cancelled.abort();
      return new empty.Empty();
    }),
  };
}

/** `urn:pulumi:STACK::PROJECT::PARENT$TYPE::NAME` */
function resourceOf(urn: string): Resource {
  const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
  const resource = resources[type];
  if (resource === undefined) {
    throw new Error(
      `${type} is not supported by this stand-in for the command provider; supported are ${Object.keys(resources).join(", ")}`,
    );
  }
  return resource;
}

function nameIn(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** The properties as they came, secrets still marked, so that they go back as they came. */
function wire(struct: Struct | undefined): Properties {
  return (struct?.toJavaScript() ?? {}) as Properties;
}

function withUnknown(resource: Resource, inputs: Struct | undefined): Struct {
  const outputs = Object.fromEntries(resource.outputs.map((name) => [name, unknownValue]));
  return toStruct({ ...wire(inputs), ...outputs });
}
