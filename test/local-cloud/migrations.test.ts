/**
 * State files of older versions. `states/version-N.db` was written by the program of that version and is never changed:
 * two zones with a network each; in gpu1a a running instance with a volume, a tag on the EIP, and an instance whose job
 * was under way when the cloud stopped.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keptFile, schemaVersion } from "../../local-cloud/store/migrations.ts";
import { StateFileError, Store } from "../../local-cloud/store/store.ts";
import { startTestCloud } from "./support.ts";

let home: string;
let state: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "local-cloud-"));
  state = join(home, "state.db");
});
afterEach(() => rmSync(home, { recursive: true }));

type Document = Readonly<Record<string, unknown>>;

function read(file: string): { readonly version: number; readonly documents: Document[] } {
  const database = new DatabaseSync(file, { readOnly: true });
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  const rows = database.prepare("SELECT document FROM resources ORDER BY rowid").all();
  database.close();
  return { version, documents: rows.map(({ document }) => JSON.parse(String(document)) as Document) };
}

function take(version: number): void {
  copyFileSync(join(import.meta.dirname, "states", `version-${version}.db`), state);
}

test("version 1: what can have tags gets a list of them; order, everything else and a copy of the file stay", () => {
  take(1);
  const before = read(state);
  expect(before.version).toBe(1);
  new Store(state).close();
  const after = read(state);
  expect(after.version).toBe(schemaVersion);
  const taggable = ["eip", "security_group", "keypair", "vxnet", "router", "instance", "volume"];
  expect(after.documents).toEqual(
    before.documents.map((document) =>
      taggable.includes(String(document.kind)) ? { tagIds: [], ...document } : document,
    ),
  );
  expect(
    after.documents.filter(({ tagIds }) => (tagIds as unknown[] | undefined)?.length === 1),
  ).toHaveLength(1);
  expect(read(keptFile(state, 1))).toEqual(before);
});

test("version 1: a cloud that starts from it answers with all of it and ends the job that was under way", async () => {
  take(1);
  const cloud = await startTestCloud({ home });
  const { client } = cloud;
  const counts = async (zone: string) => {
    const kinds = ["Eips", "Routers", "Vxnets", "Instances", "Volumes", "KeyPairs", "SecurityGroups", "Tags"];
    return await Promise.all(
      kinds.map(async (kind) => (await client.ok(`Describe${kind}`, { zone })).total_count),
    );
  };
  expect(await counts("gpu1a")).toEqual([1, 1, 2, 2, 1, 1, 2, 1]);
  expect(await counts("gpu2a")).toEqual([1, 1, 2, 0, 0, 0, 1, 0]);
  const [tag] = (await client.ok("DescribeTags")).tag_set as { tag_id: string }[];
  expect(await client.one("DescribeEips", "eip_set", { "tags.1": tag?.tag_id ?? "" })).toMatchObject({
    status: "associated",
    tags: [{ tag_name: "kept" }],
  });
  expect(await client.ended("j-n3wrb6v4")).toMatchObject({ status: "successful" });
  const [node, underWay] = (await client.ok("DescribeInstances")).instance_set as Document[];
  expect([node, underWay]).toMatchObject([
    { instance_name: "node", status: "running" },
    { instance_name: "under way", status: "running", transition_status: "" },
  ]);
  await cloud.stop();
});

test("a migration that can not end leaves the file as it was", () => {
  take(1);
  const database = new DatabaseSync(state);
  database.exec("UPDATE resources SET document = 'no JSON' WHERE rowid = 20");
  database.close();
  const rows = (): unknown[] => {
    const found = new DatabaseSync(state, { readOnly: true });
    const all = [
      found.prepare("PRAGMA user_version").get(),
      ...found.prepare("SELECT * FROM resources").all(),
    ];
    found.close();
    return all;
  };
  const before = rows();
  expect(() => new Store(state)).toThrow(StateFileError);
  expect(rows()).toEqual(before);
});

test("an empty file, as a kill at the first start leaves it, is a new state", () => {
  writeFileSync(state, "");
  new Store(state).close();
  expect(read(state)).toEqual({ version: schemaVersion, documents: [] });
});

test("a state of a later version and a database of another program are refused and not touched", () => {
  const database = new DatabaseSync(state);
  database.exec("CREATE TABLE mine (a)");
  database.close();
  expect(() => new Store(state)).toThrow(`${state} is not a state file of the local cloud: move it away`);
  take(1);
  const later = new DatabaseSync(state);
  later.exec("PRAGMA user_version = 99");
  later.close();
  expect(() => new Store(state)).toThrow(
    `${state} has schema version 99, this program reads versions 1 to ${schemaVersion}: use the program that wrote it`,
  );
  expect(read(state).version).toBe(99);
  expect(existsSync(keptFile(state, 99))).toBe(false);
});
