/** Where this checkout keeps what is its own: the CLI's home, the stacks' state, the local cloud. */
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { quoted } from "../../local-cloud/words.ts";

export interface Workspace {
  /** The checkout. */
  readonly root: string;
  /** Everything of the Pulumi CLI: its home, the state of the stacks, their working configuration. Git-ignored. */
  readonly pulumi: string;
  /** Home of the local cloud. Git-ignored. */
  readonly cloud: string;
  readonly stack: string;
}

/** CROSSZONE_DIRECTORY puts both folders elsewhere, so that several runs of one checkout do not meet. */
export function findWorkspace(environment: NodeJS.ProcessEnv = process.env): Workspace {
  const root = join(import.meta.dirname, "..", "..");
  const directory =
    environment.CROSSZONE_DIRECTORY === undefined ? root : resolve(environment.CROSSZONE_DIRECTORY);
  const workspace = {
    root,
    pulumi: join(directory, ".pulumi"),
    cloud: join(directory, ".local-cloud"),
    stack: environment.PULUMI_STACK ?? "dev",
  };
  mkdirSync(workspace.pulumi, { recursive: true, mode: 0o700 });
  requireOwn(workspace);
  return workspace;
}

/** @throws Error where an earlier command ran as another user, e.g. as root, and left files of that user's */
function requireOwn({ pulumi, root, cloud }: Workspace): void {
  const all = [pulumi, join(pulumi, "passphrase"), join(pulumi, "state"), join(pulumi, "home")];
  const closed = all.find((path) => existsSync(path) && !isOpen(path));
  if (closed === undefined) return;
  const user = `${process.getuid?.()}:${process.getgid?.()}`;
  const paths = [pulumi, cloud, join(root, "node_modules")].filter((path) => existsSync(path));
  throw new Error(
    `${closed} belongs to the user with the id ${statSync(closed).uid}, as which an earlier command ran. Give it back, as root: chown -R ${user} ${paths.map(quoted).join(" ")}`,
  );
}

function isOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Where the reports of runs are written, a folder each. */
export function reportsFolder({ pulumi }: Workspace): string {
  return join(pulumi, "reports");
}

/** The user's cache: what takes long to make and is the same for every checkout. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return join(environment.XDG_CACHE_HOME ?? join(environment.HOME ?? "/root", ".cache"), "crosszone");
}
