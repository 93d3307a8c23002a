/** Results of cells, a line each, so that a run can go on elsewhere; and which code they are for. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, globSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { z } from "zod";
import { markdownTable } from "../../../scripts/dev/markdown.ts";
import { readLines, root } from "../../harness/process.ts";
import { writeBetween } from "../document.ts";
import { type Kind, kinds } from "./findings.ts";
import { type Operation, operations } from "./matrix.ts";

export const resultsFile = join(import.meta.dirname, "results.jsonl");

const script = (name: string) => `scripts/dev/${name}.ts`;
/** What decides how a cell ends. */
const sources = [
  ...["infra/**/*.ts", "provider/**/*", "qingcloud/**/*.ts", "toolchain/language-host/**/*", "Pulumi.yaml"],
  ...["moved-networks", "pulumi", "renamed-zones", "repair-state", "single-rules", "stack", "state-file"].map(
    script,
  ),
  ...["strays", "unfinished-up", "whole-state", "zones-in-state"].map(script),
];

/** The code version: a digest of the sources, without comments, types and line breaks. */
export function versionOf(folder = root): string {
  const digest = createHash("sha256");
  const files = globSync(sources, { cwd: folder, withFileTypes: true }).filter((file) => file.isFile());
  for (const path of files.map((file) => join(file.parentPath, file.name)).toSorted())
    digest
      .update(`${path.slice(folder.length)}\0`)
      .update(codeOf(path))
      .update("\0");
  return digest.digest("hex").slice(0, 12);
}

function codeOf(path: string): string {
  const text = readFileSync(path, "utf8");
  return path.endsWith(".ts") ? stripTypeScriptTypes(text, { mode: "transform" }) : text;
}

const line = z.object({
  /** Code version. */
  v: z.string(),
  cell: z.string(),
  /** Seconds. */
  s: z.number(),
  /** No call met the fault. */
  unmet: z.literal(true).optional(),
  findings: z.array(z.tuple([z.enum(kinds), z.string()])).optional(),
});
export type Line = z.output<typeof line>;

/** The newest line of each cell of a version. */
export function readResults(file: string, version: string): Map<string, Line> {
  return new Map(readVersion(file, line, version).map((each) => [each.cell, each]));
}

/** The lines of a version, the oldest first; none where there is no file. */
export function readVersion<Result extends { readonly v: string }>(
  file: string,
  schema: z.ZodType<Result>,
  version: string,
): Result[] {
  const lines = existsSync(file) ? readLines(file) : [];
  return lines.map((each) => schema.parse(JSON.parse(each))).filter(({ v }) => v === version);
}

export function addResult(file: string, result: { readonly v: string }): void {
  appendFileSync(file, `${JSON.stringify(result)}\n`);
}

/** Others than the four that the issue of a cell is named by. */
const named: readonly Kind[] = ["orphan", "double", "stuck", "lost"];

const heads = [
  ...["operation", "cells", "run", "passed", "orphans", "doubles", "stuck", "lost", "other", "unmet"],
  "seconds each",
] as const;

/** @param total cells of each operation */
function rowsOf(lines: Iterable<Line>, total: ReadonlyMap<Operation, number>): string[][] {
  const all = [...lines];
  const rowOf = (name: string, of: readonly Line[], cells: number) => {
    const having = (isKind: (kind: Kind) => boolean) =>
      of.filter(({ findings = [] }) => findings.some(([kind]) => isKind(kind))).length;
    return [
      ...[name, cells, of.length, of.filter(({ findings = [] }) => findings.length === 0).length],
      ...named.map((kind) => having((each) => each === kind)),
      having((each) => !named.includes(each)),
      of.filter(({ unmet }) => unmet).length,
      of.length === 0 ? "-" : (of.reduce((sum, { s }) => sum + s, 0) / of.length).toFixed(1),
    ].map(String);
  };
  const ofOperation = (name: Operation) => all.filter(({ cell }) => cell.startsWith(`${name} `));
  const sum = [...total.values()].reduce((one, other) => one + other, 0);
  return [
    ...operations.map((name) => rowOf(name, ofOperation(name), total.get(name) ?? 0)),
    rowOf("all", all, sum),
  ];
}

/** @param total cells of each operation */
export function tableOf(lines: Iterable<Line>, total: ReadonlyMap<Operation, number>): string {
  const table = [heads, ...rowsOf(lines, total)];
  const widths = heads.map((_, index) => Math.max(...table.map((row) => row[index]?.length ?? 0)));
  const padded = (text: string, index: number) =>
    index === 0 ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0);
  return table.map((row) => row.map(padded).join("  ")).join("\n");
}

/** Puts the figures into a page. */
export function writeFigures(
  page: string,
  lines: Iterable<Line>,
  total: ReadonlyMap<Operation, number>,
  version: string,
): void {
  const rows = [[...heads], ...rowsOf(lines, total)];
  writeBetween(page, "interrupts", `Code version ${version}:\n\n${markdownTable(rows)}`);
}
