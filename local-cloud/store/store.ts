/**
 * The durable state: documents in memory, every change written to SQLite in the transaction of the request that made it.
 * A killed process loses nothing that was answered: the write-ahead log is in the operating system's hands by then.
 */
import { statSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { Failure, refusal } from "../failure.ts";
import { migrateFile, schemaVersion } from "./migrations.ts";
import type { Kind, Resource, ResourceOfKind } from "./resources.ts";
import { Table } from "./table.ts";
import { inTransaction } from "./transaction.ts";

/** Marks a file as ours: "czlc" in ASCII. */
const applicationId = 0x637a6c63;

type Tables = { readonly [K in Kind]: Table<ResourceOfKind[K]> };
/** Values before a transaction by zone and id. */
type Undo = Map<string, { readonly resource: Resource; readonly before: Resource | undefined }>;

/** A state file that this version can not use; the message says why and what to do. */
export class StateFileError extends Failure {}

export class Store {
  private readonly database: DatabaseSync;
  private readonly write: StatementSync;
  private readonly erase: StatementSync;
  private tables = emptyTables();
  /** What the running transaction has changed. */
  private undo: Undo | undefined;

  /** @param file path of the database, or `:memory:` */
  constructor(file: string) {
    this.database = openDatabase(file);
    this.write = this.database.prepare(
      "INSERT INTO resources (zone, id, kind, document) VALUES (?, ?, ?, ?) ON CONFLICT (zone, id) DO UPDATE SET document = excluded.document",
    );
    this.erase = this.database.prepare("DELETE FROM resources WHERE zone = ? AND id = ?");
    for (const row of this.database.prepare("SELECT document FROM resources ORDER BY rowid").iterate()) {
      const resource = JSON.parse(String(row.document)) as Resource;
      this.tableOf(resource).set(resource);
    }
  }

  get<K extends Kind>(kind: K, zone: string, id: string): ResourceOfKind[K] | undefined {
    return this.tableOfKind(kind).get(zone, id);
  }

  /** All of a kind, oldest first; of one zone or of all. */
  list<K extends Kind>(kind: K, zone?: string): ResourceOfKind[K][] {
    return this.tableOfKind(kind).list(zone);
  }

  put(resource: Resource): void {
    this.remember(resource);
    this.tableOf(resource).set(resource);
  }

  remove(resource: Resource): void {
    this.remember(resource);
    this.tableOf(resource).delete(resource);
  }

  /** Does `work` wholly and durably, or, if it throws, not at all. */
  transaction<T>(work: () => T): T {
    if (this.undo !== undefined) return work();
    const undo: Undo = new Map();
    this.undo = undo;
    try {
      const result = work();
      if (undo.size > 0) this.save([...undo.values()]);
      return result;
    } catch (error) {
      this.restore(undo);
      throw error;
    } finally {
      this.undo = undefined;
    }
  }

  /** Does `work`, answers its result and takes every change back. */
  rehearse<T>(work: () => T): T {
    const undo: Undo = new Map();
    this.undo = undo;
    try {
      return work();
    } finally {
      this.restore(undo);
      this.undo = undefined;
    }
  }

  /** Removes everything but links, which are no resources: the internet stays as it was set. */
  clear(): void {
    this.database.exec("DELETE FROM resources WHERE kind <> 'link'");
    this.tables = { ...emptyTables(), link: this.tables.link };
  }

  close(): void {
    this.database.close();
  }

  private remember(resource: Resource): void {
    if (this.undo === undefined) throw new Error("a change outside of a transaction");
    const key = `${resource.zone}/${resource.id}`;
    if (this.undo.has(key)) return;
    const before = this.tableOf(resource).get(resource.zone, resource.id);
    this.undo.set(key, { resource, before });
  }

  private save(
    changes: readonly { readonly resource: Resource; readonly before: Resource | undefined }[],
  ): void {
    inTransaction(this.database, () => {
      for (const { resource, before } of changes) {
        const after = this.tableOf(resource).get(resource.zone, resource.id);
        if (after !== undefined) this.write.run(after.zone, after.id, after.kind, JSON.stringify(after));
        else if (before !== undefined) this.erase.run(before.zone, before.id);
      }
    });
  }

  private restore(undo: Undo): void {
    for (const { resource, before } of undo.values()) {
      if (before === undefined) this.tableOf(resource).delete(resource);
      else this.tableOf(before).set(before);
    }
  }

  private tableOf(resource: Resource): Table<Resource> {
    return this.tables[resource.kind] as Table<Resource>;
  }

  private tableOfKind<K extends Kind>(kind: K): Table<ResourceOfKind[K]> {
    return this.tables[kind] as Table<ResourceOfKind[K]>;
  }
}

function emptyTables(): Tables {
  return {
    eip: new Table(),
    security_group: new Table(),
    keypair: new Table(),
    vxnet: new Table(),
    router: new Table(),
    router_static: new Table(),
    instance: new Table(),
    userdata_attachment: new Table(),
    volume: new Table(),
    tag: new Table(),
    job: new Table(),
    fault: new Table(),
    link: new Table(),
  };
}

/** @throws StateFileError where the file can not be used */
function openDatabase(file: string): DatabaseSync {
  // An empty file is one that a kill left before its first transaction.
  const isNew = file === ":memory:" || (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
  const unreadable = (error: unknown): Error => {
    const refused = refusal(error);
    if (refused !== undefined) return new Failure(`${file}: ${refused}`, { cause: error });
    return new StateFileError(
      `${file} can not be read as a state file (${(error as Error).message}): move it away and start again`,
      { cause: error },
    );
  };
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file);
  } catch (error) {
    throw unreadable(error);
  }
  try {
    if (isNew) {
      // Nothing is in it yet that a power cut could take: making it does not wait for the disk.
      database.exec(`
        PRAGMA synchronous = OFF;
        BEGIN IMMEDIATE;
        PRAGMA application_id = ${applicationId};
        PRAGMA user_version = ${schemaVersion};
        CREATE TABLE resources (
          zone TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, document TEXT NOT NULL, UNIQUE (zone, id)
        ) STRICT;
        COMMIT;
      `);
    }
    const version = checkVersion(database, file);
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");
    if (version < schemaVersion) migrateFile(database, file, version);
    return database;
  } catch (error) {
    database.close();
    throw error instanceof Failure ? error : unreadable(error);
  }
}

/** The version of a file that this program can use. */
function checkVersion(database: DatabaseSync, file: string): number {
  const found = Number(database.prepare("PRAGMA application_id").get()?.application_id);
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (found !== applicationId) {
    throw new StateFileError(`${file} is not a state file of the local cloud: move it away and start again`);
  }
  if (version < 1 || version > schemaVersion) {
    throw new StateFileError(
      `${file} has schema version ${version}, this program reads versions 1 to ${schemaVersion}: ` +
        "use the program that wrote it, or move the file away to start empty",
    );
  }
  return version;
}
