/** A configuration that is wrong: each fault has its own clear message, and nothing is made. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { Account, changesOf, failureOf } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";

let account: Account;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  plugin = await account.process();
});
afterEach(async () => {
  expect(changesOf(account.calls().filter(({ ret_code }) => ret_code === 0))).toEqual([]);
});
afterAll(async () => await account?.stop());

const urn = urnOf("cloud:Eip", "configured");
const inputs = { zone: "gpu1a", bandwidth: 1 };
const config = (): string => readFileSync(account.configFile, "utf8");
const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The message of a create with this configuration. */
async function told(args: Readonly<Record<string, string>>, by = plugin, more: object = {}): Promise<string> {
  await by.configure(args);
  return (await failureOf(by.create(urn, { ...inputs, ...more }))).message;
}

describe("the first call tells", () => {
  const refused =
    "DescribeZones was refused with 1200 (authentication failed: unknown access key or wrong signature): ";
  test("a wrong key, and where it came from", async () => {
    const file = account.write(
      "key.yaml",
      config().replace(/qy_access_key_id: .*/, "qy_access_key_id: NOSUCHKEY"),
    );
    const message = await told({ configFile: file });
    expect(message.startsWith(refused)).toBe(true);
    expect(message).toContain("NOSUCHKEY");
    expect(message.endsWith(` Check the access key and secret of ${file}.`)).toBe(true);
  });

  test("a wrong secret, without it", async () => {
    const wrong = "notTheSecretOfThisAccount0123456789abcdef";
    const text = config().replace(/qy_secret_access_key: .*/, `qy_secret_access_key: ${wrong}`);
    const file = account.write("secret.yaml", text);
    const message = await told({ configFile: file });
    expect(message.startsWith(refused)).toBe(true);
    expect(message.endsWith(` Check the access key and secret of ${file}.`)).toBe(true);
    expect(message).not.toContain(wrong);
    expect(message).not.toContain(account.client.keys.qy_secret_access_key);
  });

  test("an endpoint at which nobody listens", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    const endpoint = `http://127.0.0.1:${port}/iaas/`;
    expect(await told({ configFile: account.configFile, endpoint })).toBe(
      `DescribeZones: http://127.0.0.1:${port} cannot be reached (ECONNREFUSED). Is the endpoint right and, for the local cloud, is it running (npm run cloud -- start)?`,
    );
  });

  test("an endpoint that answers 404", async () => {
    const { port } = account.client.keys;
    const endpoint = `http://127.0.0.1:${port}/nowhere/`;
    expect(await told({ configFile: account.configFile, endpoint })).toBe(
      `DescribeZones: http://127.0.0.1:${port} answered HTTP 404. Is ${endpoint} the API's endpoint?`,
    );
  });

  test.each([
    [300, "ahead of"],
    [-300, "behind"],
  ])("a clock that is %i s off", async (seconds, where) => {
    // Only what asks for the present time is off.
    const clock = account.write(
      `clock${seconds}.mjs`,
      `const Real = Date;
globalThis.Date = class extends Real {
  constructor(...given) {
    if (given.length === 0) super(Real.now() + ${seconds * 1000});
    else super(...given);
  }
  static now() { return Real.now() + ${seconds * 1000}; }
};
`,
    );
    const off = await account.process(account.configFile, { NODE_OPTIONS: `--import ${clock}` });
    const message = await told({ configFile: account.configFile }, off);
    expect(message).toMatch(
      new RegExp(
        `^DescribeZones was refused with 1300 \\(the request's time stamp is more than 60 s off\\): .* Set this machine's clock: it is (299|300|301) s ${where} the cloud's\\.$`,
      ),
    );
  });

  test("a zone that the account does not have", async () => {
    expect(await told({ configFile: account.configFile }, plugin, { zone: "pek3a" })).toBe(
      `Zone "pek3a" is none of this account (${account.configFile}); it has gpu1a, gpu2a. Correct the resource's zone, or qingcloud:zone.`,
    );
  });
});

describe("before any call", () => {
  let before: number;
  beforeAll(() => {
    before = account.calls().length;
  });
  afterAll(() => expect(account.calls()).toHaveLength(before));

  test("an unknown key of the configuration, and what is allowed", async () => {
    expect(await plugin.checkConfig({ configFile: account.configFile, region: "pek3" })).toEqual([
      "region: qingcloud:region is not known; allowed: configFile, profile, zone, endpoint. Credentials are never configuration: they are read from configFile or QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY.",
    ]);
  });

  test("a value of another type", async () => {
    const [problem] = await plugin.checkConfig({ zone: 3 });
    expect(problem).toMatch(
      /^zone: qingcloud: .*expected string.*; allowed: configFile, profile, zone, endpoint\./,
    );
  });

  const tell = async (args: Readonly<Record<string, string>>) =>
    (await failureOf(plugin.configure(args))).message;
  test("a missing file, and what to do", async () => {
    const missing = `${account.configFile}.missing`;
    expect(await tell({ configFile: missing })).toMatch(
      new RegExp(
        `^The QingCloud configuration ${escaped(missing)} cannot be read \\(ENOENT: .*\\)\\. Make it as the official client does, name another by qingcloud:configFile, or set QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY\\.$`,
      ),
    );
  });

  test.each([
    [
      "a quote that does not end",
      "'never-ends\nqy_secret_access_key: hidden-secret\n",
      "MISSING_CHAR at line 3, column 1",
    ],
    ["a secret like an alias", "key\nqy_secret_access_key: *hidden-secret\n", undefined],
    [
      "a secret like an anchor",
      "key\nqy_secret_access_key: &hidden-secret x: y\n",
      "BLOCK_AS_IMPLICIT_KEY at line 2, column 23",
    ],
  ])("a file that is no YAML, by %s, without its values", async (name, text, where) => {
    const file = account.write(`${name}.yaml`, `qy_access_key_id: ${text}`);
    const at = where === undefined ? "" : `: ${where}`;
    const message = await tell({ configFile: file });
    expect(message).not.toContain("hidden-secret");
    expect(
      message.startsWith(`The QingCloud configuration ${file} cannot be read (it is no YAML${at}). Make it `),
    ).toBe(true);
    expect(plugin.stderr).not.toContain("hidden-secret");
  });

  test("a file without a secret", async () => {
    const file = account.write("half.yaml", stringify({ qy_access_key_id: "SOMEKEY" }));
    expect(await tell({ configFile: file })).toMatch(
      new RegExp(
        `^The QingCloud configuration ${escaped(file)} is not usable: qy_secret_access_key: .*\\. It needs qy_access_key_id and qy_secret_access_key; host, port, protocol and zone are optional\\.$`,
      ),
    );
  });

  test("a section that the file does not have", async () => {
    expect(await tell({ configFile: account.configFile, profile: "other" })).toBe(
      `The QingCloud configuration ${account.configFile} has no section "other"; it has none.`,
    );
  });

  test("an endpoint that is no URL", async () => {
    expect(await tell({ configFile: account.configFile, endpoint: "api.qingcloud.com" })).toBe(
      'The endpoint "api.qingcloud.com" is not a URL. Give one such as https://api.qingcloud.com:443/iaas/.',
    );
  });

  test("no zone anywhere", async () => {
    await plugin.configure({
      configFile: account.write("nowhere.yaml", config().replace(/^zone: .*$/m, "")),
    });
    await expect(plugin.create(urn, { bandwidth: 1 })).rejects.toThrow(
      /^zone: zone: give it, e\.g\. `pek3a`, or set qingcloud:zone \(given: nothing\)$/,
    );
    await expect(plugin.import(urn, "eip-1234abcd")).rejects.toThrow(
      "The zone is not known. Import with the id `zone/id`, e.g. `pek3a/eip-1234abcd`, or set qingcloud:zone.",
    );
  });
});
