import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");
const preload = join(root, "toolchain", "language-host", "on-first-use.mjs");

/** Runs a program as the language host does; the JSON that it prints. */
function run(program: string): unknown {
  const args = ["--import", preload, "--input-type=module", "--eval", program];
  return JSON.parse(execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" }));
}

test("the SDK starts without TypeScript, arborist and the tracing exporters", () => {
  const loaded = run(`
    import Module from "node:module";
    await import("@pulumi/pulumi");
    Module.createRequire(import.meta.url)("@pulumi/pulumi/cmd/run/tracing.js");
    const names = Object.keys(Module._cache).map((file) => /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(file)?.[1]);
    console.log(JSON.stringify([...new Set(names)].sort()));
  `) as string[];
  expect(loaded).toContain("@pulumi/pulumi");
  expect(
    loaded.filter((name) => /^typescript$|^@npmcli|^pacote$|^@opentelemetry\/(?!api)/.test(name)),
  ).toEqual(["@opentelemetry/core", "@opentelemetry/resources", "@opentelemetry/semantic-conventions"]);
});

test("what serialises a closure, and what traces, is the package itself once it is used", () => {
  const used = run(`
    import { createRequire } from "node:module";
    const pulumi = await import("@pulumi/pulumi");
    const { text } = await pulumi.runtime.serializeFunction((x) => x + 41);
    const sdk = createRequire(import.meta.url).resolve("@pulumi/pulumi/cmd/run/tracing.js");
    createRequire(sdk)(sdk).start("http://127.0.0.1:9/api/v2/spans");
    const { trace } = createRequire(sdk)("@opentelemetry/api");
    const span = trace.getTracer("test").startSpan("one");
    console.log(JSON.stringify({ text, span: span.constructor.name, isRecording: span.isRecording() }));
    process.exit();
  `) as { text: string; span: string; isRecording: boolean };
  expect(used.text).toContain("x + 41");
  expect([used.span, used.isRecording]).toEqual(["SpanImpl", true]);
});
