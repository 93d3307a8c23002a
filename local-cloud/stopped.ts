/** The home of a cloud that does not run. */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Home } from "./home.ts";
import type { CloudStatus } from "./status.ts";

/** Served inside the internet where nothing else is given, and on the deep learning image. */
export const trainingScripts = join(import.meta.dirname, "..", "scripts", "train");

/** The status of a stopped cloud. */
export async function readStopped(home: Home): Promise<CloudStatus> {
  const { Store } = await import("./store/store.ts");
  const { zoneStatuses } = await import("./status.ts");
  const store = new Store(existsSync(home.state) ? home.state : ":memory:");
  const zones = zoneStatuses(store);
  const { Faults } = await import("./services/faults/faults.ts");
  const faults = new Faults(store, () => undefined).list();
  store.close();
  const dataPlane = home.readSettings()?.dataPlane ?? "none";
  return {
    running: false,
    home: home.path,
    config: home.config,
    dataPlane,
    zones,
    routers: [],
    nodes: [],
    faults,
  };
}

/** Removes all resources of a stopped cloud, with their disks. */
export async function resetStopped(home: Home): Promise<void> {
  const { Store } = await import("./store/store.ts");
  const store = new Store(home.state);
  const kept = [...store.list("instance"), ...store.list("volume")].map(({ id }) => id);
  const settings = home.readSettings();
  if (settings?.dataPlane === "linux") {
    const { loadLinuxDataPlane } = await import("./linux-data-plane.ts");
    const log = (line: string): void => {
      process.stderr.write(`${line}\n`);
    };
    const dataPlane = await loadLinuxDataPlane(home, settings, {
      webRoot: trainingScripts,
      guide: trainingScripts,
      log,
    });
    await dataPlane.stop();
    await dataPlane.forget(kept);
  }
  store.clear();
  store.close();
  home.handOver();
  home.clearMachineFolder();
  for (const suffix of ["", "-wal", "-shm"]) rmSync(`${home.measurements}${suffix}`, { force: true });
}
