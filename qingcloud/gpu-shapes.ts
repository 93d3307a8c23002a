/** Shapes of GPU instances. Source: documentation, "professional instances"; the DeepLearning app's cluster shapes. */

export interface GpuShape {
  /** Absent where the shape is known by its sizes only. */
  readonly instanceType?: string;
  readonly cpu: number;
  readonly memoryGiB: number;
  readonly gpus: number;
  /** Absent where the documentation names none. */
  readonly gpuClass?: number;
}

/** What `gpu_class` means. */
export const gpuClasses: ReadonlyMap<number, string> = new Map([
  [0, "NVIDIA Tesla P100"],
  [1, "AMD S7150"],
  [2, "AMD Radeon Pro WX9100"],
]);

export const gpuShapes: readonly GpuShape[] = [
  { instanceType: "g2ntp100.4xlarge.r4", cpu: 16, memoryGiB: 64, gpus: 1, gpuClass: 0 },
  { instanceType: "g2ntp100.8xlarge.r4", cpu: 32, memoryGiB: 128, gpus: 2, gpuClass: 0 },
  { instanceType: "g3na100.2xlarge.g1", cpu: 8, memoryGiB: 60, gpus: 1 },
  { instanceType: "g3na100.4xlarge.g2", cpu: 16, memoryGiB: 120, gpus: 2 },
  { instanceType: "g3na100.8xlarge.g4", cpu: 32, memoryGiB: 240, gpus: 4 },
  { instanceType: "g3na100.16xlarge.g8", cpu: 62, memoryGiB: 480, gpus: 8 },
  { cpu: 8, memoryGiB: 40, gpus: 1, gpuClass: 2 },
  { cpu: 16, memoryGiB: 80, gpus: 2, gpuClass: 2 },
  { cpu: 32, memoryGiB: 160, gpus: 4, gpuClass: 2 },
  { cpu: 64, memoryGiB: 320, gpus: 8, gpuClass: 2 },
];

export function describeShape({ instanceType, cpu, memoryGiB, gpus }: Partial<GpuShape>): string {
  return instanceType ?? `${cpu} CPUs, ${memoryGiB} GiB, ${gpus ?? 0} GPUs`;
}

/** GPUs of an instance type or of sizes; 0 for a type that is not a documented GPU type. */
export function gpusOf(shape: { readonly instanceType: string } | { readonly gpus: number }): number {
  if ("gpus" in shape) return shape.gpus;
  return gpuShapes.find(({ instanceType }) => instanceType === shape.instanceType)?.gpus ?? 0;
}
