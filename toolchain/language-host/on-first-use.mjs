/**
 * Preloaded into the program (`node --import`): what @pulumi/pulumi loads for serialising closures and for tracing, and
 * this program never uses, is loaded when it is first used. That is more than half of the time that the SDK takes to start.
 */
import { registerHooks } from "node:module";

/** Packages, and whether their properties are read where they are imported: then these too are loaded when first used. */
const packages = new Map([
  ["typescript", false],
  ["@npmcli/arborist", false],
  ["@opentelemetry/exporter-zipkin", true],
  ["@opentelemetry/instrumentation", true],
  ["@opentelemetry/instrumentation-grpc", true],
  ["@opentelemetry/sdk-trace-base", true],
  ["@opentelemetry/sdk-trace-node", true],
]);

/** By the URL of a stand-in, a module that has asked for it. */
const parents = new Map();
const folder = new URL("on-first-use/", import.meta.url).href;
/** Marks the request of a stand-in, which gets the package. */
const mark = "on-first-use:";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith(mark)) return next(specifier.slice(mark.length), context);
    if (!packages.has(specifier) || !/\/@pulumi\/pulumi\/[^?]*\.js$/.test(context.parentURL ?? "")) {
      return next(specifier, context);
    }
    const url = `${folder}${specifier.replace("/", "+")}.cjs`;
    parents.set(url, context.parentURL);
    return { url, format: "commonjs", shortCircuit: true };
  },
  load(url, context, next) {
    const parent = parents.get(url);
    if (parent === undefined) return next(url, context);
    const name = url.slice(folder.length, -".cjs".length).replace("+", "/");
    return { format: "commonjs", shortCircuit: true, source: standIn(name, parent) };
  },
});

/** A module whose properties are those of the package. */
function standIn(name, parent) {
  return `const load = require("node:module").createRequire(${JSON.stringify(parent)});
const loaded = () => load(${JSON.stringify(mark + name)});
const property = (name) => {
  const all = loaded();
  return name === "default" && !all.__esModule ? all : all[name];
};
const later = (name) => new Proxy(class {}, {
  apply: (_, self, args) => Reflect.apply(property(name), self, args),
  construct: (_, args) => Reflect.construct(property(name), args),
  get: (_, own) => property(name)[own],
});
module.exports = new Proxy({}, {
  get: (_, name) => (name === "__esModule" ? true : ${packages.get(name) ? "later" : "property"}(name)),
});`;
}
