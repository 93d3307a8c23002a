/** A key that a server refuses: tried for a while, at one of two hops only, and named as the cause. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { untilReady } from "../../provider/link/node-ready.ts";
import { connectionInput } from "../../provider/link/ssh.ts";
import { keyPair } from "../ssh-keys.ts";
import { Plugin, secret, urn } from "./plugin.ts";
import { Sshd } from "./sshd.ts";

let bastion: Sshd;
let node: Sshd;
let plugin: Plugin;

beforeAll(async () => {
  [bastion, node, plugin] = await Promise.all([Sshd.start(), Sshd.start(), Plugin.start()]);
});

afterAll(async () => {
  await plugin?.stop();
  await node?.stop();
  await bastion?.stop();
});

const stranger = keyPair().private;

test("a bastion that refuses the key is asked as often as its limit says, not again for each attempt at the node", async () => {
  const proxy = { ...bastion.connection, privateKey: stranger, dialErrorLimit: 2 };
  const connection = secret({ ...node.connection, dialErrorLimit: 2, proxy });
  const resource = urn("remote:Command", "refused");
  const failure = await plugin.create(resource, { connection, create: "true" }).then(
    () => "it succeeded",
    (error: Error) => error.message,
  );
  expect(failure).toBe(
    `cannot connect to 127.0.0.1:${bastion.connection.port} as ${bastion.connection.user} after 3 attempts: All configured authentication methods failed. The server has refused the key: does this user exist there, and does its authorized_keys hold the key?`,
  );
  const refusals = () =>
    bastion.log.filter((line) => /^Connection (closed|reset) by authenticating user/.test(line)).length;
  // The server's log comes a moment later.
  await expect.poll(refusals, { timeout: 10_000, message: "refusals in the bastion's log" }).toBe(3);
});

test("a node that is waited for and refuses the key is not waited for until the deadline", async () => {
  const connection = connectionInput.parse({ ...node.connection, privateKey: stranger });
  const { signal } = new AbortController();
  const context = { signal, deadline: Date.now() + 600_000, progress: () => {} };
  const wanted = { connection, needs: [], directory: "ready" };
  await expect(untilReady(context, wanted, 500)).rejects.toThrow(
    new RegExp(
      `^127\\.0\\.0\\.1:${node.connection.port} refuses the key of user \\S+, for \\d+ s: it is the right server, .*authorized_keys there hold the stack's key`,
    ),
  );
});
