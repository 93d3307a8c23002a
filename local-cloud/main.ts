/** `npm run cloud`: the command line, loaded with Node's cache of compiled modules, which halves the time to start. */
import { enableCompileCache } from "node:module";
import { compileCache } from "./compile-cache.mjs";

enableCompileCache(compileCache);
await import("./cli.ts");
