/** The cloud makes a resource and answers an error, or does not make it and answers nothing. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Account, changesOf, failureOf, own } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import { Gateway } from "./gateway.ts";
import { kinds } from "./kinds.ts";
import { countOf, Grounds } from "./surroundings.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let account: Account;
let gateway: Gateway;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  gateway = await Gateway.start(account.client.keys.port);
  const config = account.write("gateway.yaml", gateway.through(readFileSync(account.configFile, "utf8")));
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin(config)]);
});
afterAll(async () => {
  await gateway?.stop();
  await account?.stop();
});

const answers = [
  ["5000", { status: 200, body: { ret_code: 5000, message: "InternalError" } }],
  ["HTTP 502", { status: 502, body: { message: "bad gateway" } }],
] as const;
const table = kinds.flatMap((kind) =>
  answers.map(([what, answer]) => [kind.type, what, kind, answer] as const),
);

test.each(table)(
  "%s: made and answered with %s, it is found and is there once",
  async (_, _what, kind, answer) => {
    const around = await grounds.around(kind);
    const urn = urnOf(`cloud:${kind.type}`, `unknown-${around.number}`);
    const [action = "", ...rest] = kind.created;
    gateway.answerNext(action, answer);
    const { result: resource, calls } = await account.watch(() => plugin.create(urn, kind.inputs(around)));
    const isSentAgain = !/^(Add|Allocate|Create|Run)/.test(action);
    const second = isSentAgain ? [action === "AttachVolumes" ? "AttachVolumes 1400" : action] : [];
    expect(changesOf(calls)).toEqual([action, ...second, ...rest]);
    expect(await plugin.read(resource)).toEqual(resource);
    if (kind.listed !== undefined)
      expect(await countOf(account.client, kind, String(resource.properties.name))).toBe(1);
    await plugin.delete(resource);
  },
);

test("a request that is lost makes nothing; the error says what was looked for and what to do", async () => {
  await account.cloud.fault({ action: "AllocateEips", kind: "lose-request" });
  const urn = urnOf("cloud:Eip", "lost-request");
  const inputs = { ...own, bandwidth: 1 };
  const calls = await account.callsBy(async () => {
    const { message } = await failureOf(plugin.create(urn, inputs, { timeout: 1 }));
    expect(message).toMatch(
      /^AllocateEips: the answer of .* was lost \(socket hang up\)\. EIP "lost-request-0badcafe-[0-9a-f]{8}" was looked for and is not there after \d+ s\. The cloud may still make it\. Run the same command again: it makes nothing twice\.$/,
    );
  });
  expect(changesOf(calls)).toEqual([]);
  const made = await account.callsBy(() => plugin.create(urn, inputs));
  expect(changesOf(made)).toEqual(["AllocateEips"]);
});
