import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");
const preload = join(root, "toolchain", "language-host", "on-first-use.cjs");
let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-first-use-"));
  symlinkSync(join(root, "node_modules"), join(directory, "node_modules"));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a program as the language host does; the JSON that it prints. */
function run(text: string): unknown {
  const program = join(directory, "program.mjs");
  writeFileSync(program, text);
  return JSON.parse(execFileSync(process.execPath, ["--require", preload, program], { encoding: "utf8" }));
}

test("the SDK starts without TypeScript, arborist, the tracing exporters, the Automation API and source maps", () => {
  const loaded = run(`
    import Module, { createRequire } from "node:module";
    const require = createRequire(import.meta.url);
    await import("@pulumi/pulumi");
    require("@pulumi/pulumi/cmd/run/tracing.js");
    require("source-map-support/register");
    const stoodIn = [
      "@pulumi/pulumi/vendor/typescript@3.8.3/typescript.js", "@npmcli/arborist", "normalize-package-data", "@opentelemetry/resources",
      "@opentelemetry/sdk-trace-node", "source-map-support/register",
    ];
    const files = Object.keys(Module._cache).filter((file) => !stoodIn.map(require.resolve).includes(file));
    const names = files.flatMap((file) => /.*\\/(?:node_modules|vendor)\\/((?:@[^/]+\\/)?[^/@]+)/.exec(file)?.[1] ?? []);
    console.log(JSON.stringify([...new Set(names)].sort()));
  `) as string[];
  expect(loaded).toContain("@pulumi/pulumi");
  const heavy = [
    "typescript",
    "pacote",
    "source-map",
    "source-map-support",
    "@opentelemetry/otlp-exporter-base",
    "@opentelemetry/resources",
    "execa",
    "normalize-package-data",
  ];
  expect(loaded.filter((name) => heavy.includes(name) || name.startsWith("@npmcli/"))).toEqual([]);
});

test("what serialises a closure, traces or automates is the package itself once it is used", () => {
  const used = run(`
    import { createRequire } from "node:module";
    const pulumi = await import("@pulumi/pulumi");
    const { text } = await pulumi.runtime.serializeFunction((x) => x + 41);
    const sdk = createRequire(import.meta.url).resolve("@pulumi/pulumi/cmd/run/tracing.js");
    createRequire(sdk)(sdk).start("http://127.0.0.1:9/api/v2/spans");
    const { trace } = createRequire(sdk)("@opentelemetry/api");
    const span = trace.getTracer("test").startSpan("one");
    const stack = pulumi.automation.fullyQualifiedStackName("org", "project", "stack");
    console.log(JSON.stringify({ text, stack, span: span.constructor.name, isRecording: span.isRecording() }));
    process.exit();
  `) as { text: string; stack: string; span: string; isRecording: boolean };
  expect(used.text).toContain("x + 41");
  expect(used.stack).toBe("org/project/stack");
  expect([used.span, used.isRecording]).toEqual(["SpanImpl", true]);
});
