/** A node behind a bastion stops answering: its machine hung, crashed or was deleted, and says nothing of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Properties } from "../../provider/rpc/values.ts";
import { Plugin, secret, urn } from "./plugin.ts";
import { Sshd } from "./sshd.ts";

let bastion: Sshd;
let node: Sshd;
let plugin: Plugin;
/** Processes of the node that are stopped, and have to go on before it can end. */
const frozen: number[] = [];

beforeAll(async () => {
  [bastion, node, plugin] = await Promise.all([Sshd.start(), Sshd.start(), Plugin.start()]);
});

afterAll(async () => {
  for (const pid of frozen) process.kill(pid, "SIGKILL");
  await plugin?.stop();
  await node?.stop();
  await bastion?.stop();
});

const resource = (name: string) => urn("remote:Command", name);

/** Begins a command on the node that lasts, and stops or kills the node's end of its connection. */
async function beginOnLostNode(name: string, signal: "SIGSTOP" | "SIGKILL") {
  const once = { dialErrorLimit: 0 };
  const connection: Properties = { ...node.connection, ...once, proxy: { ...bastion.connection, ...once } };
  const running = plugin
    .create(resource(name), { connection: secret(connection), create: "echo $PPID; exec sleep 300" })
    .then(
      () => "it succeeded",
      (error: Error) => error.message,
    );
  await expect.poll(() => plugin.messages(resource(name)), { timeout: 15_000 }).toHaveLength(1);
  const pid = Number(plugin.messages(resource(name))[0]);
  process.kill(pid, signal);
  if (signal === "SIGSTOP") frozen.push(pid);
  return { running };
}

const nameOfNode = () => `${node.connection.host}:${node.connection.port}`;
const which = (name: string) =>
  `running "echo $PPID; exec sleep 300":\n${plugin.messages(resource(name)).join("\n")}\n`;

test("a command ends once its node has been silent for 20 s, and says so; the bastion serves on", async () => {
  const { running } = await beginOnLostNode("silent", "SIGSTOP");
  expect(await running).toBe(
    `${nameOfNode()} has not answered for 20 s (is the node running, and can it be reached?): ${which("silent")}`,
  );
  const { state } = await plugin.create(resource("bastion"), {
    connection: secret(bastion.connection),
    create: "echo alive",
  });
  expect(state.stdout).toBe("alive");
}, 60_000);

test("a command ends with its node's end of the connection, though the bastion keeps the channel", async () => {
  const { running } = await beginOnLostNode("killed", "SIGKILL");
  expect(await running).toBe(`the connection to ${nameOfNode()} was lost: ${which("killed")}`);
}, 30_000);

test("cancel ends a command of a silent node at once", async () => {
  const { running } = await beginOnLostNode("cancelled", "SIGSTOP");
  let message = "";
  void running.then((text) => {
    message = text;
  });
  await plugin.cancel();
  // Sooner than the silence would have ended it.
  await expect.poll(() => message, { timeout: 10_000, message: "end of the command" }).not.toBe("");
  expect(message).toBe("cancelled by the engine");
}, 30_000);
