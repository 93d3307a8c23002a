/** The data plane of a local cloud, where it is wanted. */
import { isRoot } from "./elevation.ts";
import { Failure } from "./failure.ts";
import type { Home, Settings } from "./home.ts";
import type { DataPlane } from "./network/data-plane.ts";
import { clearLeftovers, hasLeftovers } from "./network/leftovers.ts";
import { noDataPlane } from "./network/none.ts";

interface Options {
  /** Folder that the web server inside the internet serves. */
  readonly webRoot: string;
  /** The guide's scripts, which the deep learning image has. @default webRoot */
  readonly guide?: string;
  readonly log: (line: string) => void;
}

/** The data plane of a start. @throws Failure with what this machine lacks */
export async function createDataPlane(
  options: Options & { readonly dataPlane: "linux" | "none" },
  home: Home,
  settings: Settings,
): Promise<DataPlane> {
  if (options.dataPlane === "none") {
    // A killed cloud with another data plane may have run here before.
    if (home.readSettings()?.dataPlane === "linux") await requireNoLeftovers(home);
    return noDataPlane;
  }
  return await loadLinuxDataPlane(home, settings, options);
}

async function requireNoLeftovers(home: Home): Promise<void> {
  if (isRoot) await clearLeftovers(home.prefix, home.machineFolder);
  else if (await hasLeftovers(home.prefix, home.machineFolder)) {
    throw new Failure(
      "a killed cloud of this home has left namespaces, which only root removes: npm run cloud -- stop",
    );
  }
}

/** The module of the Linux data plane. @throws Failure with what this machine lacks for it */
export async function requireLinux() {
  const linux = await import("./network/linux.ts");
  const lacking = linux.checkPrerequisites();
  if (lacking.length === 0) return linux;
  throw new Failure(
    `--data-plane linux cannot run here: ${lacking.join("; ")}. ` +
      "Provide it (npm start installs the packages), or use --data-plane none for the API alone",
  );
}

/** Loaded only where it is wanted. */
export async function loadLinuxDataPlane(
  home: Home,
  settings: Settings,
  options: Options,
): Promise<DataPlane> {
  const linux = await requireLinux();
  try {
    return await linux.createLinuxDataPlane({
      home: home.machineFolder,
      // Nodes see neither.
      rootfsHide: home.machineFolder === home.path ? [] : [home.path],
      prefix: settings.prefix,
      bastionPort: settings.bastionPort,
      webRoot: options.webRoot,
      ...(options.guide === undefined ? {} : { guide: options.guide }),
      clampMss: settings.mssClamp !== "off",
      log: options.log,
    });
  } catch (error) {
    throw new Failure(`--data-plane linux cannot start: ${(error as Error).message}`, { cause: error });
  }
}
