/**
 * Preloaded into the program (`node --require`): what @pulumi/pulumi loads for serialising closures, for tracing and
 * for the Automation API, and this program never uses, is loaded when it is first used, and stack traces are not looked up in source maps: the SDK
 * takes one for every promise, and this program has no source maps. That is half of the time that a program takes.
 */
const { createRequire } = require("node:module");

/** As the SDK finds packages: the program that is run is a module of it. */
const ofSdk = createRequire(process.argv[1]);

/** What stand-ins are in place of. */
const files = new Set();

/** Packages that are asked for a property when they are used. */
for (const name of [
  // TypeScript, of the SDK where the project has none.
  "@pulumi/pulumi/vendor/typescript@3.8.3/typescript.js",
  "@npmcli/arborist",
  "@pulumi/pulumi/automation/index.js",
  "normalize-package-data",
]) {
  put(name, (load) => asModule((property) => load(property)));
}
/** Packages whose properties are read where they are imported, and used later. */
for (const name of [
  "@opentelemetry/exporter-zipkin",
  "@opentelemetry/instrumentation",
  "@opentelemetry/instrumentation-grpc",
  "@opentelemetry/resources",
  "@opentelemetry/sdk-trace-base",
  "@opentelemetry/sdk-trace-node",
]) {
  put(name, (load) => asModule((property) => later(() => load(property))));
}
put("source-map-support/register", () => ({}));

/**
 * Puts something into Node's cache of modules in place of a package.
 * @param {string} name
 * @param {(load: (property: string) => unknown) => object} standIn gets a property of the package itself, from `load`
 */
function put(name, standIn) {
  const file = ofSdk.resolve(name);
  files.add(file);
  let all;
  const load = (property) => {
    // The packages use each other, and get each other as they are.
    for (const each of files) delete require.cache[each];
    files.clear();
    all ??= ofSdk(name);
    return property === "default" && !all.__esModule ? all : all[property];
  };
  require.cache[file] = { id: file, filename: file, loaded: true, children: [], exports: standIn(load) };
}

/** A module of ECMAScript's kind to those that import it, so that they do not read all of its properties at once. */
function asModule(get) {
  const known = new Map();
  return new Proxy(
    {},
    {
      get(_, property) {
        if (property === "__esModule") return true;
        if (!known.has(property)) known.set(property, get(property));
        return known.get(property);
      },
    },
  );
}

/** A class or function that is loaded when it is called. */
function later(load) {
  return new Proxy(class {}, {
    apply: (_, self, args) => Reflect.apply(load(), self, args),
    construct: (_, args) => Reflect.construct(load(), args),
    get: (_, property) => load()[property],
  });
}
