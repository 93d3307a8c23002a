/** What the engine starts ends with it. The engine is a server of this test; what it has started runs as it would. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Http2Server, type ServerHttp2Session } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");
const preload = join(root, "toolchain", "language-host", "end-with-engine.cjs");
let directory: string;
let engine: Http2Server;
let address: string;
let connections: ServerHttp2Session[];
const children: ChildProcess[] = [];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-engine-"));
  connections = [];
  engine = createServer().on("session", (session) => connections.push(session));
  engine.listen(0, "127.0.0.1");
  await once(engine, "listening");
  address = `127.0.0.1:${(engine.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.exitCode === null) child.kill("SIGKILL");
  await endEngine();
  rmSync(directory, { recursive: true });
});

/** As the system does for a process that is killed. */
async function endEngine(): Promise<void> {
  const closed = new Promise((resolve) => engine.close(resolve));
  for (const connection of connections) connection.destroy();
  await closed;
}

/** A program as the language host starts it. */
function program(text: string): ChildProcess {
  const file = join(directory, "program.mjs");
  writeFileSync(file, text);
  const child = spawn(process.execPath, ["--require", preload, file, "--engine", address, "--dry-run"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  return child;
}
const connected = (count: number) => vi.waitFor(() => expect(connections).toHaveLength(count), 15_000);

test("a program ends when its engine is gone, also one that goes round in its own errors", async () => {
  // As the SDK's runner: what it cannot print is an error, and each error is printed.
  const child = program(`
    process.on("uncaughtException", (error) => console.log(error.stack));
    process.stdout.on("close", () => console.log("closed"));
    setInterval(() => console.log("works"), 20);
  `);
  await connected(1);
  child.stdout?.destroy();
  const ended = once(child, "exit");
  await endEngine();
  expect(await ended).toEqual([null, "SIGKILL"]);
});

test("a program whose engine was gone before it started ends", async () => {
  await endEngine();
  expect(await once(program("setInterval(() => {}, 1000);"), "exit")).toEqual([null, "SIGKILL"]);
});

test("a connection that is closed by an engine that lives is made again", async () => {
  const child = program("setInterval(() => {}, 1000);");
  await connected(1);
  connections[0]?.destroy();
  await connected(2);
  expect([child.exitCode, child.signalCode]).toEqual([null, null]);
});

test("a program that has nothing left to do ends while its engine lives", async () => {
  expect(await once(program("await new Promise((done) => setTimeout(done, 100));"), "exit")).toEqual([
    0,
    null,
  ]);
});

test.each([
  ["the provider", "provider/pulumi-resource-qingcloud"],
  ["the stand-in for commands", "toolchain/command/pulumi-resource-command"],
  ["the language host", "toolchain/start", "toolchain/language-host/main.ts"],
])("%s ends when its engine is gone, also before it could look", async (_, file, ...more) => {
  const start = () => {
    const child = spawn(join(root, file), [...more, address], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    return child;
  };
  const child = start();
  await Promise.all([once(child.stdout, "data"), connected(1)]);
  const ended = once(child, "exit");
  await endEngine();
  expect(await ended).toEqual([0, null]);
  expect(await once(start(), "exit")).toEqual([0, null]);
});
