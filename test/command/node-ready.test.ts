/** What a refresh makes of a node that was ready: the same, restarted, another system, or gone. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Facts } from "../../provider/link/node-facts.ts";
import { lookAgain, untilReady } from "../../provider/link/node-ready.ts";
import { connectionInput } from "../../provider/link/ssh.ts";
import { Sshd } from "./sshd.ts";

let node: Sshd;
let isStopped = false;
let ready: Facts;

const { signal } = new AbortController();
const wanted = () => ({
  ...{ connection: connectionInput.parse(node.connection), needs: [], directory: "~/.crosszone" },
});
const makeReady = () => untilReady({ signal, deadline: Date.now() + 30_000, progress: () => {} }, wanted());

beforeAll(async () => {
  node = await Sshd.start();
  ready = await makeReady();
});

afterAll(async () => {
  if (!isStopped) await node?.stop();
});

test("a node that is as it was stays so; one that was restarted has another start", async () => {
  expect(ready.installation).toMatch(/^[0-9a-f]{16}$/);
  expect(await lookAgain(signal, wanted(), ready)).toEqual(ready);
  expect(await lookAgain(signal, wanted(), { ...ready, boot: "earlier" })).toEqual(ready);
});

test("one of an earlier version is not asked", async () => {
  const before = { ...ready, installation: null, boot: null };
  expect(await lookAgain(signal, wanted(), before)).toBe(before);
});

test("one whose system was installed again is to be made ready again, and has another name then", async () => {
  await rm(join(node.folder, ".crosszone"), { recursive: true });
  expect(await lookAgain(signal, wanted(), ready)).toBeUndefined();
  expect((await makeReady()).installation).not.toBe(ready.installation);
});

test("one that does not answer is to be waited for", async () => {
  await node.stop();
  isStopped = true;
  expect(await lookAgain(signal, wanted(), ready)).toBeUndefined();
});
