/** The cloud is busy or away for a while, or says that the quota of calls is exhausted: it is asked again, and the user hears why. */
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { Account, changesOf, failureOf, own } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import { Gateway } from "./gateway.ts";
import { type Kind, kindOf, kinds } from "./kinds.ts";
import { untilAllWait } from "./slow-jobs.ts";
import { Grounds } from "./surroundings.ts";

/** Kinds that are made at the same time must not meet each other's faults: none shares a call with another. */
const batches: readonly (readonly Kind[])[] = [
  kinds.filter(({ type }) => !/^(IpsecTunnel|GreTunnel|RouterStatic|SecurityGroupRules?|VpcEip)$/.test(type)),
  ["IpsecTunnel", "SecurityGroupRule", "VpcEip"].map(kindOf),
  ["GreTunnel", "SecurityGroupRules"].map(kindOf),
  [kindOf("RouterStatic")],
];

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

describe("a cloud that refuses a creating call", () => {
  let account: Account;
  let grounds: Grounds;
  let plugin: Plugin;
  beforeAll(async () => {
    account = await Account.start();
    [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
  });
  afterEach(async () => await account.clearFaults());
  afterAll(async () => await account?.stop());

  /** Without those of an UpdateRouters that others of the batch share: it waits as long as they are refused. */
  const toldOfRefusals = (urn: string) =>
    account.engine.toldOf(urn).filter((message) => message.includes(" was refused with "));

  /** Makes one of each kind while its creating call is refused with `codes`; answers the codes of that call. */
  async function makeRefused(batch: readonly Kind[], codes: readonly number[]) {
    const made = await Promise.all(
      batch.map(async (kind) => {
        const around = await grounds.around(kind);
        const urn = urnOf(`cloud:${kind.type}`, `busy-${around.number}`);
        return { kind, urn, inputs: kind.inputs(around) };
      }),
    );
    for (const { created } of batch) {
      for (const code of codes) {
        await account.cloud.fault({ action: created[0] ?? "", kind: "refuse", code, message: "not now" });
      }
    }
    const { result, calls } = await account.watch(() =>
      Promise.all(made.map(({ urn, inputs }) => plugin.create(urn, inputs))),
    );
    for (const resource of result) expect(await plugin.read(resource)).toEqual(resource);
    const answers = made.map(({ kind: { type, created }, urn }) => ({
      type,
      urn,
      codes: calls.filter(({ action }) => action === created[0]).map(({ ret_code }) => ret_code),
    }));
    await Promise.all(result.map((resource) => plugin.delete(resource)));
    return answers;
  }

  test.each(batches.map((batch) => [batch.map(({ type }) => type).join(", "), batch] as const))(
    "5100 and 5300 pass: %s are made by one more call each",
    async (_, batch) => {
      const answers = await makeRefused(batch, [5100, 5300]);
      for (const [index, kind] of batch.entries()) {
        const { type, codes, urn } = answers[index] ?? { type: "", codes: [], urn: "" };
        expect([type, codes]).toEqual([kind.type, [5100, 5300, 0]]);
        const action = kind.created[0];
        expect(toldOfRefusals(urn)).toEqual([
          expect.stringMatching(
            new RegExp(
              `^${action} was refused with 5100 \\(server busy\\): not now\\. Asked again in \\d\\.\\d s\\.$`,
            ),
          ),
          expect.stringMatching(
            new RegExp(
              `^${action} was refused with 5300 \\(service updating\\): not now\\. Asked again in \\d\\.\\d s\\.$`,
            ),
          ),
        ]);
      }
    },
  );

  test.each(batches.map((batch) => [batch.map(({ type }) => type).join(", "), batch] as const))(
    "2500 for calls passes while the resource's own quota is not exhausted: %s",
    async (_, batch) => {
      const answers = await makeRefused(batch, [2500]);
      for (const { type, codes, urn } of answers) {
        expect([type, codes]).toEqual([type, [2500, 0]]);
        // The sizes of an instance type are the cloud's knowledge.
        const verdict =
          type === "Instance"
            ? "Whether the resource's own quota is exhausted is not known"
            : "The resource's own quota is not exhausted";
        expect(toldOfRefusals(urn)).toEqual([
          expect.stringMatching(
            new RegExp(
              `was refused with 2500 \\(quota exceeded\\): not now\\. (${verdict}; waiting for that of calls|Asked again in \\d\\.\\d s)\\.$`,
            ),
          ),
        ]);
      }
    },
  );

  test.each([
    ["Eip", 2500],
    ["Eip", 5100],
    ["PortForward", 2500],
    ["PortForward", 5300],
  ] as const)(
    "%s: %i until its timeout ends it with the cloud's words, and nothing is made",
    async (type, code) => {
      const kind = kindOf(type);
      const [action = ""] = kind.created;
      await account.cloud.fault({ action, kind: "refuse", code, message: "come back tomorrow", times: 1000 });
      const around = await grounds.around(kind);
      const urn = urnOf(`cloud:${type}`, `never-${around.number}`);
      const calls = await account.callsBy(async () => {
        const { name, message } = await failureOf(plugin.create(urn, kind.inputs(around), { timeout: 1 }));
        expect([name, message]).toEqual([
          "Error",
          expect.stringMatching(
            new RegExp(`^${action} was refused with ${code} \\(.*\\): come back tomorrow\\.$`),
          ),
        ]);
      });
      expect(new Set(changesOf(calls))).toEqual(new Set([`${action} ${code}`]));
    },
  );

  test("a look at a job that is refused until the timeout ends it then, with the job and the cloud's words", async () => {
    await account.cloud.fault({
      action: "DescribeJobs",
      kind: "refuse",
      code: 2500,
      message: "come back tomorrow",
      times: 1000,
    });
    const urn = urnOf("cloud:Volume", "no-look");
    const inputs = { ...own, sizeGiB: 10 };
    const error = await failureOf(plugin.create(urn, inputs, { timeout: 2 }));
    expect(error.name).toBe("HalfMade");
    expect(error.message).toMatch(
      /^Job j-\w+ in zone gpu1a is still pending after 2 s\. DescribeJobs was refused with 2500 \(quota exceeded\): come back tomorrow\. Asked again in \d+\.\d s\. It may end later: run the same command again\.$/,
    );
    expect(account.engine.toldOf(urn)).toContainEqual(
      expect.stringMatching(/^DescribeJobs was refused with 2500 .* Asked again/),
    );
  });
});

test("a cloud that is away while jobs run is waited for: all who wait hear why, and everything is made once", async () => {
  const account = await Account.start();
  let gateway = await Gateway.start(account.client.keys.port);
  try {
    const { port } = gateway;
    const config = account.write("gateway.yaml", gateway.through(readFileSync(account.configFile, "utf8")));
    const plugin = await account.plugin(config);
    const urns = [1, 2, 3].map((index) => urnOf("cloud:Volume", `away-${index}`));
    await account.hold("CreateVolumes");
    const making = account.watch(() =>
      Promise.all(urns.map((urn) => plugin.create(urn, { ...own, sizeGiB: 10 }))),
    );
    await untilAllWait(account, 3);
    await gateway.stop();
    const heard = new RegExp(
      `^DescribeJobs: http://127\\.0\\.0\\.1:${port} cannot be reached \\(ECONNREFUSED\\)\\. Is the endpoint right .*\\? Asked again soon\\.$`,
    );
    await vi.waitFor(
      () => {
        for (const urn of urns) {
          expect(account.engine.toldOf(urn)).toContainEqual(expect.stringMatching(heard));
        }
      },
      { timeout: 20_000 },
    );
    gateway = await Gateway.start(account.client.keys.port, port);
    await account.clearFaults();
    const { result, calls } = await making;
    expect(changesOf(calls)).toEqual(["CreateVolumes", "CreateVolumes", "CreateVolumes"]);
    for (const volume of result) expect(await plugin.read(volume)).toEqual(volume);
  } finally {
    await gateway.stop();
    await account.stop();
  }
});
