/** What changed between two sets of inputs. */
import { isDeepStrictEqual } from "node:util";
import { type Properties, signatureKey } from "../../provider/rpc/values.ts";

export type Change = "add" | "update" | "delete";

/** The top-level properties that differ; those in `ignored` never do. */
export function changedInputs(
  before: Properties,
  after: Properties,
  ignored: ReadonlySet<string> = new Set(),
): Map<string, Change> {
  const changes = new Map<string, Change>();
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[name] ?? undefined, after[name] ?? undefined];
    if (ignored.has(name) || isDeepStrictEqual(comparable(old), comparable(now))) continue;
    changes.set(name, old === undefined ? "add" : now === undefined ? "delete" : "update");
  }
  return changes;
}

/** Assets and archives are the same if their content is, wherever it lies. */
function comparable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== "object" || value === null) return value;
  const record = value as Properties;
  if (typeof record[signatureKey] === "string" && typeof record.hash === "string" && record.hash !== "") {
    return { kind: record[signatureKey], hash: record.hash };
  }
  return Object.fromEntries(Object.entries(record).map(([name, item]) => [name, comparable(item)]));
}
