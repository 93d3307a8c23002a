/** A transaction of a SQLite file. */
import type { DatabaseSync } from "node:sqlite";

/** Does `work` wholly or, if it throws, not at all; what it threw is thrown on. */
export function inTransaction(database: DatabaseSync, work: () => void): void {
  database.exec("BEGIN IMMEDIATE");
  try {
    work();
    database.exec("COMMIT");
  } catch (error) {
    // On a full disk SQLite has taken it back already.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
