import { homedir } from "node:os";
import { join } from "node:path";

/** Where Node keeps compiled modules. A process that starts from it needs no TypeScript stripper, which is 30 MB. */
export const compileCache = join(
  process.env.XDG_CACHE_HOME || join(homedir(), ".cache"),
  "crosszone",
  "node-compile",
);
