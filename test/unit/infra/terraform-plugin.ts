/** Pulumi's plugin `terraform` as its npm package declares it, and an answer like its own to a local state. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { runtime } from "@pulumi/pulumi";

const typings = dirname(createRequire(import.meta.url).resolve("@pulumi/terraform"));

interface Declared {
  readonly arguments: readonly string[];
  readonly required: readonly string[];
  readonly result: readonly string[];
}

/** Names of what a function of module `state` takes and answers, as the package's generated types declare it. */
export function declared(name: string): Declared {
  const source = readFileSync(join(typings, "state", `${name}.d.ts`), "utf8");
  const title = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const members = (of: string) => {
    const body = new RegExp(`^export interface ${of} \\{$(.*?)^\\}$`, "ms").exec(source)?.[1];
    if (body === undefined) throw new Error(`the package declares no ${of}`);
    return [...body.matchAll(/^ {4}(?:readonly )?(\w+)(\??): /gm)].map(([, member = "", mark]) => ({
      name: member,
      isOptional: mark === "?",
    }));
  };
  const taken = members(`${title}Args`);
  return {
    arguments: taken.map((each) => each.name),
    required: taken.filter(({ isOptional }) => !isOptional).map((each) => each.name),
    result: members(`${title}Result`).map((each) => each.name),
  };
}

/** A state file of Terraform with these outputs. */
export function stateWith(outputs: Readonly<Record<string, unknown>>): string {
  const written = Object.entries(outputs).map(([name, value]) => [name, { value, type: typeof value }]);
  return JSON.stringify({
    version: 4,
    terraform_version: "1.9.8",
    serial: 1,
    lineage: "6d0d4f3c-7c3b-2a58-9c5e-000000000000",
    outputs: Object.fromEntries(written),
    resources: [],
  });
}

/**
 * Answers a call as the plugin does: the outputs' values, nothing of their types.
 * Source: pulumi/pulumi-terraform, provider/state_reference.
 * @throws Error for a function, or arguments, that the package does not declare
 */
export function answer({ token, inputs }: runtime.MockCallArgs): Record<string, unknown> {
  const name = /^terraform:state:(get(?:Local|S3|Remote)Reference)$/.exec(token)?.[1];
  if (name === undefined) throw new Error(`the plugin has no function ${token}`);
  const { arguments: allowed, required } = declared(name);
  const given = Object.keys(inputs as object);
  const wrong = [
    ...given.filter((each) => !allowed.includes(each)),
    ...required.filter((each) => !given.includes(each)),
  ];
  if (wrong.length > 0) throw new Error(`${token}: wrong or missing: ${wrong.join(", ")}`);
  const { path } = inputs as { path?: string };
  if (name !== "getLocalReference" || path === undefined) return { outputs: {} };
  const { outputs } = JSON.parse(readFileSync(path, "utf8")) as {
    outputs: Record<string, { value: unknown }>;
  };
  return { outputs: Object.fromEntries(Object.entries(outputs).map(([key, { value }]) => [key, value])) };
}
