/**
 * The versions of the durable documents. A change that older documents do not agree with is a step here, and a test opens
 * a file of the version before it. Steps are never changed: they do not follow what the types became later.
 */
import { renameSync, rmSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { inTransaction } from "./transaction.ts";

/** A document of any version. */
export type StoredDocument = Readonly<Record<string, unknown>>;

/** What the documents of one version become in the next. */
type Step = (document: StoredDocument) => StoredDocument;

const taggable: ReadonlySet<unknown> = new Set([
  "eip",
  "security_group",
  "keypair",
  "vxnet",
  "router",
  "instance",
  "volume",
]);

/** The first leads from version 1 to version 2, and so on. */
const steps: readonly Step[] = [
  // 2: what can have tags says so even where it has none.
  (document) => (taggable.has(document.kind) ? { tagIds: [], ...document } : document),
];

/** The version that this program writes. */
export const schemaVersion = 1 + steps.length;

/** A document of an older version as it is today. */
export function migrate(document: StoredDocument, version: number): StoredDocument {
  return steps.slice(version - 1).reduce((changed, step) => step(changed), document);
}

/** Where the file as it was before its migration is kept. */
export function keptFile(file: string, version: number): string {
  return `${file}.version-${version}`;
}

/** Brings a file of an older version to today's, in one transaction; a copy of it is kept beside it. */
export function migrateFile(database: DatabaseSync, file: string, version: number): void {
  const copy = keptFile(file, version);
  rmSync(`${copy}.new`, { force: true });
  database.prepare("VACUUM INTO ?").run(`${copy}.new`);
  renameSync(`${copy}.new`, copy);
  inTransaction(database, () => {
    const rows = database.prepare("SELECT rowid, document FROM resources ORDER BY rowid").all();
    const update = database.prepare("UPDATE resources SET document = ? WHERE rowid = ?");
    for (const { rowid, document } of rows) {
      const migrated = migrate(JSON.parse(String(document)) as StoredDocument, version);
      update.run(JSON.stringify(migrated), Number(rowid));
    }
    database.exec(`PRAGMA user_version = ${schemaVersion}`);
  });
}
