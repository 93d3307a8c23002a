/**
 * The provider's pauses at a twentieth of their length, for providers of this process. A test asks for it by
 * `vi.mock(".../qingcloud/delay.ts", () => import(".../brisk-delay.ts"))`. What the provider says of a pause, and every
 * deadline, stay as they are.
 */
import { vi } from "vitest";

const real = await vi.importActual<typeof import("../../qingcloud/delay.ts")>("../../qingcloud/delay.ts");

export function abortableDelay(ms: number, signal?: AbortSignal): Promise<void> {
  return real.abortableDelay(ms / 20, signal);
}
