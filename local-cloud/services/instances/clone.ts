/** CloneInstances: new instances, with new volumes, made as others are. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance, Volume } from "../../store/resources.ts";
import { needQuota } from "../account/quotas.ts";
import { type Context, distinct, type Handler, type Handlers, need, needIdle, newId } from "../context.ts";
import { badValue, denied } from "../errors.ts";
import { needImage } from "../images/images.ts";
import { newNic } from "../vxnets/addresses.ts";
import { checkVxnets } from "./run.ts";
import { needCapacity } from "./shapes.ts";

interface Clone {
  readonly source: Instance;
  readonly instance: Instance;
  /** By the id of the volume that each is made of. */
  readonly volumes: ReadonlyMap<string, Volume>;
}

const cloneInstances: Handler<typeof actions.CloneInstances> = (request, context) => {
  const sources = distinct(request.instances).map((id) => need(context, "instance", id));
  for (const source of sources) {
    needIdle(source, "cloned");
    if (source.status !== "running" && source.status !== "stopped") {
      throw denied(`instance [${source.id}] is not running or stopped, can not be cloned`);
    }
    needImage(source.imageId);
  }
  const places = readPlaces(request.vxnets ?? [], sources);
  const reserved = new Set<string>();
  const clones = sources.map((source) => clone(context, source, places.get(source.id) ?? [], reserved));
  needSpace(context, clones);
  for (const { instance, volumes } of clones) {
    context.store.put(instance);
    for (const volume of volumes.values()) context.store.put(volume);
  }
  const ids = clones.map(({ instance }) => instance.id);
  const volumes = clones.map((made) => ({
    instance: made.instance.id,
    volumes: [...made.volumes.values()].map(({ id }) => id),
  }));
  const resourceIds = [...ids, ...volumes.flatMap((made) => made.volumes)];
  return {
    job_id: context.startJob({ action: "CloneInstances", instances: ids, volumes }, resourceIds),
    instances: ids,
    instance_set: Object.fromEntries(clones.map(describe)),
  };
};

/** A reference to a vxnet as RunInstances has it, and the parameter that it came by. */
interface Place {
  readonly reference: string;
  readonly parameter: string;
}

/** Where each instance's clone is, by the id of the instance. */
function readPlaces(texts: readonly string[], sources: readonly Instance[]): Map<string, Place[]> {
  const places = new Map<string, Place[]>();
  texts.forEach((text, index) => {
    const parameter = `vxnets.${index + 1}`;
    // The documentation's example has quotes around it.
    const [id = "", ...rest] = text.replace(/^'(.*)'$/, "$1").split("|");
    if (rest.length < 1 || rest.length > 2 || !sources.some((source) => source.id === id)) {
      const among = sources.map((source) => source.id).join(", ");
      const allowed = `instance-id|vxnet-id or instance-id|vxnet-id|address with an instance of [${among}]`;
      throw badValue(parameter, text, allowed);
    }
    places.set(id, [...(places.get(id) ?? []), { reference: rest.join("|"), parameter }]);
  });
  return places;
}

function clone(context: Context, source: Instance, places: readonly Place[], reserved: Set<string>): Clone {
  const references = places.map(({ reference }) => reference);
  checkVxnets(context, references, 1);
  const { eipId: _eip, disk: _disk, ...rest } = source;
  const id = newId("i");
  const made = { description: "", tagIds: [], createTime: context.now, statusTime: context.now } as const;
  const creating = { status: "pending", transition: "creating" } as const;
  const instance: Instance = {
    ...rest,
    ...made,
    ...creating,
    id,
    hostname: source.hostname === source.id ? id : source.hostname,
    nics: places.map(({ reference, parameter }) => newNic(context, reference, parameter, reserved)),
    boot: 1,
    clonedFrom: source.id,
  };
  const attached = context.store
    .list("volume", context.zone)
    .filter(({ attachment }) => attachment?.instanceId === source.id);
  const volumes = attached.map(({ attachment: _, ...volume }) => {
    return [volume.id, { ...volume, ...made, ...creating, id: newId("vol"), clonedFrom: volume.id }] as const;
  });
  return { source, instance, volumes: new Map(volumes) };
}

function needSpace(context: Context, clones: readonly Clone[]): void {
  const sum = (of: (made: Clone) => number): number => clones.reduce((total, made) => total + of(made), 0);
  const wanted = {
    instance: clones.length,
    cpu: sum(({ instance }) => instance.cpu),
    memory: sum(({ instance }) => instance.memory),
    volume: sum(({ volumes }) => volumes.size),
    volume_size: sum(({ volumes }) => [...volumes.values()].reduce((total, { size }) => total + size, 0)),
  } as const;
  for (const quota of ["instance", "cpu", "memory", "volume", "volume_size"] as const) {
    needQuota(context, quota, wanted[quota]);
  }
  const withGpus = clones.find(({ instance }) => instance.gpu > 0)?.instance;
  if (withGpus !== undefined) {
    needCapacity(context, { ...withGpus, gpu: sum(({ instance }) => instance.gpu) }, 1);
  }
}

function describe({ source, instance, volumes }: Clone) {
  const ofVolumes = Object.fromEntries([...volumes].map(([id, volume]) => [id, volume.id]));
  const made = {
    instance_map: { [source.id]: instance.id },
    ...(volumes.size === 0 ? {} : { volumes_map: ofVolumes }),
  };
  return [source.id, made] as const;
}

export const cloneInstancesHandlers = { CloneInstances: cloneInstances } satisfies Partial<Handlers>;
