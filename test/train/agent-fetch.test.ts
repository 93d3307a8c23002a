/** Files come to a node whole and verified, once. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { ask as askIn, begin as beginIn, lastLine } from "./agent.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "fetch-"));
});

afterEach(() => rm(home, { recursive: true, force: true }));

const begin = (subcommand: string, given: unknown) => beginIn(home, subcommand, given);
const ask = (subcommand: string, given: unknown) => askIn(home, subcommand, given);

const content = "print('hello')\n";
const sha256 = createHash("sha256").update(content).digest("hex");
let server: Server;
let address: string;
let requests: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    requests.push(request.url ?? "");
    if (request.url?.startsWith("/moved")) response.writeHead(302, { location: "/file" }).end();
    else if (request.url === "/astray") response.writeHead(302, { location: "ftp://127.0.0.1/file" }).end();
    else if (request.url?.startsWith("/file")) response.end(content);
    else response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

const fetchOne = (directory: string, file: object) =>
  begin("fetch", { directory, files: [{ name: "train.py", sha256, ...file }] }).ended;

test("downloads through a redirect, verifies, and does not download again", async () => {
  const directory = join(home, "fetched/new");
  requests = [];
  const first = await fetchOne(directory, { url: `${address}/moved` });
  expect(lastLine(first)).toEqual({ files: [{ name: "train.py", sha256, bytes: 15, fetched: true }] });
  const again = await fetchOne(directory, { url: `${address}/moved` });
  expect(lastLine(again)).toEqual({ files: [{ name: "train.py", sha256, bytes: 15, fetched: false }] });
  expect(requests).toEqual(["/moved", "/file"]);
  expect(await readFile(join(directory, "train.py"), "utf8")).toBe(content);
});

test("takes an uploaded file, from elsewhere or in place", async () => {
  const directory = join(home, "uploaded");
  await writeFile(join(home, "upload"), content);
  expect(lastLine(await fetchOne(directory, { path: join(home, "upload") }))).toMatchObject({
    files: [{ fetched: true }],
  });
  expect(lastLine(await fetchOne(directory, {}))).toMatchObject({ files: [{ fetched: false }] });
});

test("looks at a file of the image where it is, and verifies it where its hash is given", async () => {
  const image = join(home, "of-the-image.py");
  await writeFile(image, "print(1)\n");
  const hash = createHash("sha256").update("print(1)\n").digest("hex");
  const known = { name: "of-the-image.py", sha256: hash, bytes: 9, fetched: false };
  for (const sha256 of [undefined, hash]) {
    const answer = await ask("fetch", { directory: home, files: [{ name: "x", image, sha256 }] });
    expect(answer).toEqual({ files: [known] });
  }
  const refused = async (file: object) =>
    (await begin("fetch", { directory: home, files: [file] }).ended).stderr;
  expect(await refused({ name: "x", image, sha256: "0".repeat(64) })).toContain(
    `${image} of this node's image has SHA-256 ${hash}, expected is ${"0".repeat(64)}; nothing was started.`,
  );
  expect(await refused({ name: "x", image: "/no/such.py" })).toContain("/no/such.py is not on this node");
});

test("installs nothing of another content, and leaves what was there", async () => {
  const directory = join(home, "kept");
  await mkdir(directory);
  await writeFile(join(directory, "train.py"), "old");
  const wrong = "0".repeat(64);
  const ended = await fetchOne(directory, { url: `${address}/file?token=hunter2`, sha256: wrong });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain(
    `${address}/file has SHA-256 ${sha256}, expected is ${wrong}; nothing was installed as ${directory}/train.py`,
  );
  expect(ended.stderr).not.toContain("hunter2");
  expect(await readdir(directory)).toEqual(["train.py"]);
  expect(await readFile(join(directory, "train.py"), "utf8")).toBe("old");
});

test.each([
  ["/missing", "HTTP Error 404"],
  ["/astray", "ftp://127.0.0.1/file is not an http or https address"],
])("says what is wrong with %s", async (path, message) => {
  const ended = await fetchOne(join(home, "wrong"), { url: address + path });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain(message);
});

test("refuses other addresses and names outside the folder", async () => {
  const file = await fetchOne(join(home, "wrong"), { url: "file:///etc/passwd" });
  expect(file.stderr).toContain("file:///etc/passwd is not an http or https address");
  const outside = await fetchOne(join(home, "wrong"), { name: "../train.py", url: `${address}/file` });
  expect(outside.stderr).toContain("'../train.py' is not a file name");
  const nothing = await fetchOne(join(home, "wrong"), {});
  expect(nothing.stderr).toContain(
    `is missing or has not the SHA-256 ${sha256}, and neither a url nor the path of an uploaded file is given`,
  );
});

test("another run takes what is kept, without a second copy; what was changed since is fetched again", async () => {
  const [one, other] = [join(home, "run-1"), join(home, "run-2")];
  requests = [];
  await fetchOne(one, { url: `${address}/file` });
  const second = await fetchOne(other, { url: `${address}/file` });
  expect(lastLine(second)).toEqual({ files: [{ name: "train.py", sha256, bytes: 15, fetched: false }] });
  expect(requests).toEqual(["/file"]);
  const [first, linked] = await Promise.all([one, other].map((run) => stat(join(run, "train.py"))));
  expect(linked?.ino).toBe(first?.ino);
  await writeFile(join(other, "train.py"), "changed");
  const third = await fetchOne(other, { url: `${address}/file` });
  expect(lastLine(third)).toMatchObject({ files: [{ fetched: true }] });
  expect(await readFile(join(other, "train.py"), "utf8")).toBe(content);
});

test("data that the node has is used as it is; where it is not, nothing starts", async () => {
  await mkdir(join(home, "mnist"));
  const there = { name: "mnist", there: join(home, "mnist") };
  expect(await ask("fetch", { directory: home, files: [there] })).toEqual({
    files: [{ name: "mnist", sha256: null, bytes: null, fetched: false }],
  });
  const { code, stderr } = await begin("fetch", { directory: home, files: [{ name: "x", there: "/no/x" }] })
    .ended;
  expect([code, stderr.startsWith("agent fetch: /no/x is not on this node")]).toEqual([1, true]);
});
