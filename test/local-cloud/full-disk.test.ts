/** A state whose disk is full while it is used. */
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { refusal } from "../../local-cloud/failure.ts";
import { inTransaction } from "../../local-cloud/store/transaction.ts";

test("what a full disk refuses is told as that, not done at all, and does not stand in the way of what comes", () => {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE texts (text TEXT) STRICT; PRAGMA max_page_count = 10");
  const insert = database.prepare("INSERT INTO texts VALUES (?)");
  const write = (...lengths: number[]): void =>
    inTransaction(database, () => {
      for (const length of lengths) insert.run("x".repeat(length));
    });
  let refused: unknown;
  try {
    write(10, 1_000_000);
  } catch (error) {
    refused = error;
  }
  expect(refusal(refused)).toBe(
    "the disk is full or fails (database or disk is full): make room and try again",
  );
  write(20);
  expect(database.prepare("SELECT length(text) AS length FROM texts").all()).toEqual([{ length: 20 }]);
  database.close();
});
