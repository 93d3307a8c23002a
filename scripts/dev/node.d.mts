export interface Machine {
  readonly platform: string;
  readonly arch: string;
  readonly version: string;
  readonly execPath: string;
}
export const leastMajor: number;
export function findNode(root: string, machine?: Machine): string | undefined;
export function noNode(machine?: Machine): string;
export function unsupported(machine?: Machine): string | undefined;
