/** Sizes of instances: types by name, or CPUs, memory and GPUs. Source: documentation, "instance types", "professional". */
import type * as actions from "../../../qingcloud/actions.ts";
import { type Handler, type Handlers, isGone, type ZoneState } from "../context.ts";
import { badValue, insufficientResources, missing } from "../errors.ts";
import { page } from "../listing.ts";
import { zoneOf } from "../zones/zones.ts";

export interface Shape {
  readonly instanceType: string;
  readonly cpu: number;
  /** MB. */
  readonly memory: number;
  readonly gpu: number;
  /** 0 NVIDIA P100, 1 AMD S7150, 2 AMD WX9100; -1 for a GPU whose number is not documented. */
  readonly gpuClass: number;
}

const gib = 1024;
const cpuTypes = [1, 2, 4, 8, 16].flatMap((cpu) =>
  [1, 2, 4, 8, 16, 32]
    .filter((memory) => memory >= cpu / 2 && memory <= cpu * 8)
    .map(
      (memory): Shape => ({
        instanceType: `c${cpu}m${memory}`,
        cpu,
        memory: memory * gib,
        gpu: 0,
        gpuClass: 0,
      }),
    ),
);
const gpuTypes: readonly Shape[] = [
  { instanceType: "g2ntp100.4xlarge.r4", cpu: 16, memory: 64 * gib, gpu: 1, gpuClass: 0 },
  { instanceType: "g2ntp100.8xlarge.r4", cpu: 32, memory: 128 * gib, gpu: 2, gpuClass: 0 },
  { instanceType: "g3na100.2xlarge.g1", cpu: 8, memory: 60 * gib, gpu: 1, gpuClass: -1 },
  { instanceType: "g3na100.4xlarge.g2", cpu: 16, memory: 120 * gib, gpu: 2, gpuClass: -1 },
  { instanceType: "g3na100.8xlarge.g4", cpu: 32, memory: 240 * gib, gpu: 4, gpuClass: -1 },
  { instanceType: "g3na100.16xlarge.g8", cpu: 62, memory: 480 * gib, gpu: 8, gpuClass: -1 },
];
const types: readonly Shape[] = [...cpuTypes, ...gpuTypes];

/** What `cpu` can be. */
export const cpus: readonly number[] = [1, 2, 4, 8, 16, 32, 64];
/** What `memory` can be, in MB; above 32768 the sizes of the documented GPU shapes. */
export const memories: readonly number[] = [1, 2, 4, 6, 8, 12, 16, 24, 32, 40, 64, 80, 128, 160, 320].map(
  (size) => size * gib,
);
const gpuCounts: readonly number[] = [1, 2, 4, 8];

interface Wanted {
  readonly instance_type?: string | undefined;
  readonly cpu?: number | undefined;
  readonly memory?: number | undefined;
  readonly gpu?: number | undefined;
  readonly gpu_class?: number | undefined;
}

/** The shape that a request asks for: where type and cpu with memory are given, cpu and memory win. */
export function readShape(request: Wanted): Shape {
  const { instance_type: instanceType, cpu = 0, memory = 0 } = request;
  if (cpu !== 0 && memory !== 0) return readSizes(request, cpu, memory);
  if (instanceType === undefined)
    throw missing(cpu === 0 ? (memory === 0 ? "instance_type" : "cpu") : "memory");
  const shape = types.find((type) => type.instanceType === instanceType);
  if (shape === undefined) {
    throw badValue("instance_type", instanceType, types.map((type) => type.instanceType).join(", "));
  }
  return shape;
}

function readSizes(request: Wanted, cpu: number, memory: number): Shape {
  const { gpu = 0, gpu_class: gpuClass = 0 } = request;
  if (!cpus.includes(cpu)) throw badValue("cpu", cpu, cpus.join(", "));
  if (!memories.includes(memory)) throw badValue("memory", memory, memories.join(", "));
  if (gpu !== 0 && !gpuCounts.includes(gpu)) throw badValue("gpu", gpu, gpuCounts.join(", "));
  if (gpuClass < 0 || gpuClass > 2) throw badValue("gpu_class", gpuClass, "0, 1, 2");
  const named = types.find((type) => type.cpu === cpu && type.memory === memory && type.gpu === gpu);
  return { instanceType: named?.instanceType ?? `c${cpu}m${memory / gib}`, cpu, memory, gpu, gpuClass };
}

/** Refuses a topology that is not of these CPUs. */
export function checkTopology(topology: string | undefined, cpus: number): void {
  if (topology === undefined) return;
  const parts = /^([1-9]\d?),([1-9]\d?),([1-9]\d?)$/.exec(topology)?.slice(1).map(Number) ?? [0];
  if (parts.reduce((product, part) => product * part, 1) !== cpus) {
    throw badValue("cpu_topology", topology, `sockets,cores,threads with the product ${cpus}, the CPUs`);
  }
}

/** Refuses what the zone's hosts can not give. */
export function needCapacity(state: ZoneState, shape: Shape, count: number): void {
  if (shape.gpu === 0) return;
  const { gpus } = zoneOf(state.zone);
  if (shape.gpuClass !== 0) {
    throw insufficientResources(
      `zone [${state.zone}] has no GPU host for [${shape.instanceType}], it has NVIDIA P100 (gpu_class 0)`,
    );
  }
  const used = state.store
    .list("instance", state.zone)
    .reduce((sum, instance) => sum + (isGone(instance) ? 0 : instance.gpu), 0);
  if (used + shape.gpu * count > gpus) {
    throw insufficientResources(
      `zone [${state.zone}] has ${gpus - used} of ${gpus} GPUs left, ${shape.gpu * count} wanted`,
    );
  }
}

const describeInstanceTypes: Handler<typeof actions.DescribeInstanceTypes> = (request, context) => {
  const matches = types.filter(
    ({ instanceType, gpuClass }) =>
      gpuClass === 0 &&
      (request.instance_types === undefined || request.instance_types.includes(instanceType)),
  );
  const { items, total_count } = page(matches, request);
  return {
    instance_type_set: items.map((type) => ({
      instance_type_id: type.instanceType,
      instance_type_name: type.instanceType,
      description: "",
      vcpus_current: type.cpu,
      memory_current: type.memory,
      status: "available",
      zone_id: context.zone,
    })),
    total_count,
  };
};

export const instanceShapeHandlers = {
  DescribeInstanceTypes: describeInstanceTypes,
} satisfies Partial<Handlers>;
