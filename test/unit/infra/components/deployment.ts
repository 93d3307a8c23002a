/** The components run against a monitor that keeps what they register, as the engine would get it. */
import { runtime, secret } from "@pulumi/pulumi";
import type { RegisterResourceRequest } from "@pulumi/pulumi/proto/resource_pb.js";
import { Network } from "../../../../infra/components/network.ts";
import { Training } from "../../../../infra/components/training.ts";
import { parseConfig } from "../../../../infra/config.ts";
import type { Existing } from "../../../../infra/existing/join.ts";
import { planNeeds } from "../../../../infra/plan/needs.ts";
import { makePlan } from "../../../../infra/plan/plan.ts";
import { runFiles } from "../../../../infra/training/files.ts";
import { secretSignature, signatureKey } from "../../../../provider/rpc/values.ts";

/** A resource as it was registered; others are named `Type name`, and their ids are `id of Type name`. */
export interface Registered {
  readonly parent: string | undefined;
  /** Secrets are `{ secret: value }`. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** From `dependsOn` and from the inputs. */
  readonly dependencies: readonly string[];
  readonly deletedWith: string | undefined;
  /** Outputs that are secret whatever the inputs are. */
  readonly secretOutputs: readonly string[];
  /** Other options of its life that are set. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** By `Type name`. */
export type Deployment = Readonly<Record<string, Registered>>;

/** A resource with what is usual left out. */
export function registered(resource: Pick<Registered, "parent"> & Partial<Registered>): Registered {
  return {
    ...{ inputs: {}, dependencies: [], deletedWith: undefined, secretOutputs: [], options: {} },
    ...resource,
    // Their order means nothing.
    dependencies: [...(resource.dependencies ?? [])].sort(),
  };
}

/** Those of some types, in the order of their names. */
export function ofTypes(deployment: Deployment, ...types: readonly string[]): Deployment {
  const found = Object.entries(deployment).filter(([name]) => types.includes(name.split(" ")[0] ?? ""));
  return Object.fromEntries(found.sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** `qingcloud:cloud:Eip` as `Eip`. */
const kindOf = (type: string) => type.split(":").at(-1) ?? type;

/** `urn:pulumi:stack::project::parent$type::name` as `Type name`. */
function named(urn: string): string {
  const [, , types = "", name = ""] = urn.split("::");
  return `${kindOf(types.split("$").at(-1) ?? "")} ${name}`;
}

/** The provider's answer in addition to the inputs. */
function outputsOf(kind: string, name: string): Record<string, unknown> {
  switch (kind) {
    case "StackMark":
      return { value: "mark" };
    case "SshKey":
      return { privateKey: `private key ${name}`, publicKey: `public key ${name}` };
    case "PresharedKey":
      return { value: `pre-shared key ${name}` };
    case "Eip":
      return { address: `address of ${name}` };
    case "NodeReady":
      return { gpus: 0, installation: `installation of ${name}`, boot: `boot of ${name}` };
    case "PathCheck":
      return { up: true, rttMs: 20, lossPercent: 0, goodputMbps: 18, mtu: 1400 };
    case "Command":
      return { stdout: '{"files":[{"sha256":"of the image"},{}]}' };
    default:
      return {};
  }
}

function registeredBy(request: RegisterResourceRequest): Registered {
  const options = {
    deleteBeforeReplace: request.getDeletebeforereplacedefined() || undefined,
    ignoreChanges: request.getIgnorechangesList(),
    replaceOnChanges: request.getReplaceonchangesList(),
    protect: request.getProtect() || undefined,
    retainOnDelete: request.getRetainondelete() || undefined,
  };
  const isSet = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);
  return {
    parent: request.getParent() === "" ? undefined : named(request.getParent()),
    inputs: withMarks(request.getObject()?.toJavaScript()) as Record<string, unknown>,
    dependencies: request.getDependenciesList().map(named).sort(),
    deletedWith: request.getDeletedwith() === "" ? undefined : named(request.getDeletedwith()),
    secretOutputs: request.getAdditionalsecretoutputsList(),
    options: Object.fromEntries(Object.entries(options).filter(([, value]) => isSet(value))),
  };
}

/** Options of what has to go before another takes its place. */
export const deletedFirst = { deleteBeforeReplace: true } as const;

/** The part of a monitor that registers resources. */
interface Registrar {
  registerResource(request: RegisterResourceRequest, callback: unknown): Promise<void>;
}

/** Puts mocks in the engine's place; what is registered is kept in the answer. */
async function mockEngine(): Promise<Map<string, Registered>> {
  const found = new Map<string, Registered>();
  await runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const resource = `${kindOf(type)} ${name}`;
        const state: Record<string, unknown> = { ...inputs, ...outputsOf(kindOf(type), name) };
        // As the engine does.
        for (const output of found.get(resource)?.secretOutputs ?? []) state[output] = secret(state[output]);
        return { id: `id of ${resource}`, state };
      },
      call: ({ token, inputs }) => {
        if (token !== "qingcloud:cloud:getIntranetAddress") throw new Error(`a call of ${token}`);
        return { address: `intranet address of ${inputs.vpcId}` };
      },
    },
    "crosszone",
    "dev",
  );
  const monitor = runtime.getMonitor() as unknown as Registrar;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, callback) => {
    found.set(`${kindOf(request.getType())} ${request.getName()}`, registeredBy(request));
    return register(request, callback);
  };
  return found;
}

function withMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMarks);
  if (typeof value !== "object" || value === null) return value;
  const { [signatureKey]: signature, value: hidden, ...rest } = value as Record<string, unknown>;
  if (signature === secretSignature) return { secret: withMarks(hidden) };
  return Object.fromEntries(
    Object.entries(signature === undefined ? value : { signature, ...rest }).map(([name, item]) => [
      name,
      withMarks(item),
    ]),
  );
}

/**
 * The resources of a configuration, made as infra/index.ts makes them.
 * @param settings as of `parseConfig`
 * @param existing what zones have already, by their names
 */
export async function deploy(
  settings: object,
  existing: Readonly<Record<string, Existing>> = {},
): Promise<Deployment> {
  const found = await mockEngine();
  const config = parseConfig(settings);
  const plan = makePlan(config);
  const network = new Network("network", {
    plan,
    existing: new Map(Object.entries(existing)),
    check: config.tunnel.check,
    ssh: config.ssh,
    needs: planNeeds(config, plan.tunnels.length > 0),
  });
  if (plan.training !== undefined) {
    new Training(
      "training",
      {
        plan: plan.training,
        settings: config.training,
        files: runFiles(config.training),
        nodes: new Map(network.nodes.map((node) => [node.plan.name, node])),
        zones: plan.zones,
        paths: network.paths,
        chosen: plan.chosen,
      },
      { dependsOn: [...network.checks] },
    );
  }
  await runtime.disconnect();
  return Object.fromEntries(found);
}
