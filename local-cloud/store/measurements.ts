/**
 * What was measured, in a file of its own beside the state: for each resource and meter the sums of an interval of five
 * minutes, after fifteen days of two hours. Bounded in size: what is oldest goes first.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { inTransaction } from "./transaction.ts";

/** Seconds of an interval. */
export const fine = 300;
const coarse = 7200;
/** Seconds that intervals are kept fine, and kept at all. */
export const fineFor = 15 * 86_400;
const keptFor = 180 * 86_400;
/** About 60 MB. */
const maximumRows = 2_000_000;

/** Of all resources: when anything was measured at all. */
const any = { resource: "", meter: "" };

/** What was measured in a part of an interval. */
export interface Measurement {
  readonly resource: string;
  readonly meter: string;
  /** Amounts, or a level times the seconds. */
  readonly first: number;
  readonly second: number;
}

/** The sums of one interval. */
export interface Interval {
  /** Seconds since the epoch. */
  readonly time: number;
  /** How much of the interval was measured. */
  readonly seconds: number;
  readonly first: number;
  readonly second: number;
}

export class Measurements {
  private readonly database: DatabaseSync;
  private readonly insert: StatementSync;
  private readonly select: StatementSync;
  private readonly series: StatementSync;

  /** @param file path of the database, or `:memory:` */
  constructor(file: string) {
    this.database = new DatabaseSync(file);
    // Making it does not wait for the disk, so that a start does not.
    this.database.exec(`
      PRAGMA synchronous = OFF;
      PRAGMA journal_mode = WAL;
      CREATE TABLE IF NOT EXISTS series (
        id INTEGER PRIMARY KEY, resource TEXT NOT NULL, meter TEXT NOT NULL, UNIQUE (resource, meter)
      ) STRICT;
      CREATE TABLE IF NOT EXISTS intervals (
        series INTEGER NOT NULL, time INTEGER NOT NULL, seconds REAL NOT NULL, first REAL NOT NULL, second REAL NOT NULL,
        PRIMARY KEY (series, time)
      ) STRICT, WITHOUT ROWID;
      PRAGMA synchronous = NORMAL;
    `);
    this.series = this.database.prepare(
      "INSERT INTO series (resource, meter) VALUES (?, ?) ON CONFLICT DO UPDATE SET meter = excluded.meter RETURNING id",
    );
    this.insert = this.database.prepare(
      `INSERT INTO intervals (series, time, seconds, first, second) VALUES (?, ?, ?, ?, ?) ${adding}`,
    );
    this.select = this.database.prepare(`
      SELECT time - time % ? AS start, SUM(seconds) AS seconds, SUM(first) AS first, SUM(second) AS second
      FROM intervals JOIN series ON series.id = intervals.series
      WHERE resource = ? AND meter = ? AND time >= ? AND time < ? GROUP BY start ORDER BY start
    `);
  }

  /** Adds what was measured in some seconds around a time, in seconds since the epoch. */
  add(time: number, seconds: number, measured: readonly Measurement[]): void {
    const start = time - (time % fine);
    inTransaction(this.database, () => {
      for (const { resource, meter, first, second } of [{ ...any, first: 0, second: 0 }, ...measured]) {
        const id = Number(this.series.get(resource, meter)?.id);
        this.insert.run(id, start, seconds, first, second);
      }
    });
  }

  /** The intervals of `step` seconds from a time to another, oldest first. */
  read(resource: string, meter: string, step: number, from: number, to: number): Interval[] {
    return this.select.all(step, resource, meter, from - (from % step), to).map((row) => ({
      time: Number(row.start),
      seconds: Number(row.seconds),
      first: Number(row.first),
      second: Number(row.second),
    }));
  }

  /** The intervals in which anything was measured. */
  observed(step: number, from: number, to: number): number[] {
    return this.read(any.resource, any.meter, step, from, to).map(({ time }) => time);
  }

  /** Makes old intervals coarse and drops those that are too old or too many; `now` in seconds since the epoch. */
  thin(now: number): void {
    const oldest = now - fineFor;
    const boundary = oldest - (oldest % coarse);
    inTransaction(this.database, () => {
      this.database.exec(`
        INSERT INTO intervals (series, time, seconds, first, second)
          SELECT series, time - time % ${coarse}, SUM(seconds), SUM(first), SUM(second) FROM intervals
          WHERE time < ${boundary} AND time % ${coarse} > 0 GROUP BY series, time - time % ${coarse} ${adding};
        DELETE FROM intervals WHERE time < ${boundary} AND time % ${coarse} > 0 OR time < ${now - keptFor};
      `);
      const rows = Number(this.database.prepare("SELECT COUNT(*) AS rows FROM intervals").get()?.rows);
      if (rows > maximumRows) {
        const cut = "SELECT time FROM intervals ORDER BY time DESC LIMIT 1 OFFSET";
        this.database.exec(`DELETE FROM intervals WHERE time <= (${cut} ${maximumRows})`);
      }
      this.database.exec("DELETE FROM series WHERE id NOT IN (SELECT DISTINCT series FROM intervals)");
    });
  }

  clear(): void {
    this.database.exec("DELETE FROM intervals; DELETE FROM series;");
  }

  close(): void {
    this.database.close();
  }
}

const adding =
  "ON CONFLICT (series, time) DO UPDATE SET seconds = seconds + excluded.seconds, " +
  "first = first + excluded.first, second = second + excluded.second";
