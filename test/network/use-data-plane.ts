import { rmSync } from "node:fs";
import { afterAll, beforeAll } from "vitest";
import type { DataPlane } from "../../local-cloud/network/data-plane.ts";
import { createLinuxDataPlane } from "../../local-cloud/network/linux.ts";
import { requireDataPlane } from "../machine-requirements.ts";

/** One data plane for all tests of a file or of a describe block, whose folders go with it. It is there for hooks and tests. */
export function useDataPlane(options: {
  readonly home: string;
  readonly prefix: string;
  readonly webRoot?: string;
}): Omit<DataPlane, "bastion" | "internetUrl"> {
  const { home, webRoot = home } = options;
  let started: DataPlane | undefined;
  const plane = (): DataPlane => {
    if (started === undefined) throw new Error("the data plane has not started: use it in a hook or a test");
    return started;
  };
  beforeAll(async () => {
    requireDataPlane();
    started = await createLinuxDataPlane({ ...options, webRoot, bastionPort: 0, log: () => {} });
  });
  afterAll(async () => {
    await started?.stop();
    for (const folder of new Set([home, webRoot])) rmSync(folder, { recursive: true, force: true });
  });
  return {
    converge: (picture) => plane().converge(picture),
    observe: () => plane().observe(),
    count: () => plane().count(),
    forget: (ids) => plane().forget(ids),
    stop: () => plane().stop(),
  };
}
