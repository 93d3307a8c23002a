/** Sizes of an instance: a type by name, or CPUs, memory and GPUs; never both. */
import { z } from "zod";
import { hasRetCode, retCodes } from "../../qingcloud/errors.ts";
import { describeShape, gpuClasses, gpuShapes } from "../../qingcloud/gpu-shapes.ts";
import type { Context, Problem } from "../resource.ts";

const positive = z.number().int().min(1);

export const shapeInputs = {
  instanceType: z
    .string()
    .min(1)
    .optional()
    .describe("A type of the zone, e.g. `g2ntp100.4xlarge.r4`; or cpu and memoryGiB."),
  cpu: positive.optional().describe("Number of virtual CPUs; with `memoryGiB`, instead of `instanceType`."),
  memoryGiB: positive.optional().describe("GiB."),
  gpus: positive.optional().describe("Number of GPUs; with `cpu` and `memoryGiB`."),
  gpuClass: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe(`With \`gpus\`: ${[...gpuClasses].map(([number, name]) => `${number} ${name}`).join(", ")}.`),
};

export interface Shape {
  readonly instanceType?: string | undefined;
  readonly cpu?: number | undefined;
  readonly memoryGiB?: number | undefined;
  readonly gpus?: number | undefined;
  readonly gpuClass?: number | undefined;
}

export function shapeProblems({ instanceType, cpu, memoryGiB, gpus, gpuClass }: Shape): Problem[] {
  const bySize = Object.entries({ cpu, memoryGiB, gpus, gpuClass }).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  );
  if (instanceType !== undefined && bySize.length > 0) {
    const reason = `instanceType: give the type, or cpu and memoryGiB with gpus; of both the API ignores the type (given: "${instanceType}" and ${bySize.join(", ")})`;
    return [{ property: "instanceType", reason }];
  }
  if (instanceType === undefined && (cpu === undefined || memoryGiB === undefined)) {
    const known = gpuShapes.flatMap((shape) => shape.instanceType ?? []);
    const reason = `instanceType: give a type, e.g. ${known.join(", ")}, or cpu and memoryGiB (given: ${bySize.join(", ") || "nothing"})`;
    return [{ property: "instanceType", reason }];
  }
  if (gpuClass !== undefined && gpus === undefined) {
    return [{ property: "gpuClass", reason: "gpuClass: goes with gpus; give their number, or leave it out" }];
  }
  return [];
}

/** New shapes come before this list does, so what it does not know is let through. */
export function shapeWarnings({ instanceType, cpu, memoryGiB, gpus, gpuClass }: Partial<Shape>): string[] {
  const warnings: string[] = [];
  if (gpuClass !== undefined && !gpuClasses.has(gpuClass)) {
    const known = [...gpuClasses].map(([number, name]) => `${number} (${name})`).join(", ");
    warnings.push(`gpuClass ${gpuClass} is not documented; documented are ${known}. It is sent as it is.`);
  }
  const named = gpuShapes.flatMap((shape) => shape.instanceType ?? []);
  if (instanceType !== undefined && /^g\d/.test(instanceType) && !named.includes(instanceType)) {
    warnings.push(
      `instanceType "${instanceType}" is no documented GPU type; documented are ${named.join(", ")}. It is sent as it is.`,
    );
  }
  if (gpus !== undefined && cpu !== undefined && memoryGiB !== undefined) {
    const isKnown = gpuShapes.some(
      (shape) => shape.cpu === cpu && shape.memoryGiB === memoryGiB && shape.gpus === gpus,
    );
    if (!isKnown) {
      const known = gpuShapes.map((shape) => `${shape.cpu}/${shape.memoryGiB}/${shape.gpus}`).join(", ");
      warnings.push(
        `${describeShape({ cpu, memoryGiB, gpus })} is no documented GPU shape; documented are, as CPUs/GiB/GPUs, ${known}. It is sent as it is.`,
      );
    }
  }
  return warnings;
}

/** The parameters of RunInstances and ResizeInstances. */
export function shapeRequest({ instanceType, cpu, memoryGiB, gpus }: Shape) {
  return {
    instance_type: instanceType,
    cpu,
    memory: memoryGiB === undefined ? undefined : memoryGiB * 1024,
    gpu: gpus,
  };
}

/** What an instance of the shape takes from the quotas; undefined where only the cloud knows how much that is. */
export function quotaOf(shape: Shape): Record<string, number | undefined> {
  const known = gpuShapes.find(
    ({ instanceType }) => instanceType !== undefined && instanceType === shape.instanceType,
  );
  const { cpu, memoryGiB } = known ?? shape;
  return { cpu, memory: memoryGiB === undefined ? undefined : memoryGiB * 1024 };
}

/** Where the zone has no host for the shape (5200) the error says which zone, which shape, and where else to try. */
export async function withCapacity<Answer>(
  context: Context,
  zone: string,
  shape: Shape,
  work: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    if (!hasRetCode(error, retCodes.insufficientResources)) throw error;
    const zones = [...(await context.session.zones(context))];
    const others = zones.flatMap(([id, status]) => (status === "active" && id !== zone ? [id] : []));
    const elsewhere =
      others.length === 0
        ? "The account has no other zone."
        : `The account's other zones: ${others.join(", ")}.`;
    throw new Error(
      `Zone ${zone} cannot give an instance of ${describeShape(defined(shape))} now. ${error.message} ${elsewhere} Try one of them, another shape, or later.`,
      { cause: error },
    );
  }
}

function defined({ instanceType, cpu, memoryGiB, gpus }: Shape) {
  return {
    ...(instanceType === undefined ? {} : { instanceType }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(memoryGiB === undefined ? {} : { memoryGiB }),
    ...(gpus === undefined ? {} : { gpus }),
  };
}
