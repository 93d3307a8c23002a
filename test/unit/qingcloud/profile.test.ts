import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readProfile } from "../../../qingcloud/profile.ts";

let directory: string;
let file: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "profile-"));
  file = join(directory, "config.yaml");
  writeFileSync(
    file,
    `qy_access_key_id: TOP
qy_secret_access_key: topSecret
zone: pek3a
work:
  qy_access_key_id: WORK
  qy_secret_access_key: workSecret
  host: 127.0.0.1
  port: 7080
  protocol: http
slashless:
  qy_access_key_id: K
  qy_secret_access_key: s
  uri: /iaas
half: {qy_access_key_id: ONLY}
bad: {qy_access_key_id: K, qy_secret_access_key: hidden-one, port: 70000, protocol: ftp}
`,
  );
});
afterAll(() => rmSync(directory, { recursive: true }));

const read = (profile?: string, environment: Record<string, string> = {}, endpoint?: string) =>
  readProfile({ configFile: file, profile, endpoint }, environment);

describe("a file", () => {
  test("is read at its top level as the official clients do, with their defaults", () => {
    const { endpoint, ...rest } = read();
    expect(endpoint.href).toBe("https://api.qingcloud.com/iaas/");
    expect(rest).toEqual({ accessKeyId: "TOP", secretAccessKey: "topSecret", zone: "pek3a", source: file });
  });

  test("is read in the section that is named, which inherits nothing", () => {
    const { endpoint, ...rest } = read("work");
    expect(endpoint.href).toBe("http://127.0.0.1:7080/iaas/");
    expect(rest).toEqual({
      accessKeyId: "WORK",
      secretAccessKey: "workSecret",
      zone: undefined,
      source: file,
    });
  });

  test("may give another path to sign", () => {
    expect(read("slashless").endpoint.pathname).toBe("/iaas");
  });

  test("may be relative to a directory", () => {
    expect(readProfile({ configFile: "config.yaml", directory }, {}).accessKeyId).toBe("TOP");
  });
});

describe("the environment", () => {
  const keys = { QINGCLOUD_ACCESS_KEY_ID: "ENV", QINGCLOUD_SECRET_ACCESS_KEY: "envSecret" };

  test("overrides keys, zone and endpoint of the file, and says that the keys are its own", () => {
    const environment = { ...keys, QINGCLOUD_ZONE: "sh1a", QINGCLOUD_ENDPOINT: "http://127.0.0.1:1/iaas" };
    const { endpoint, ...rest } = read("work", environment, "http://127.0.0.2:2/");
    expect(endpoint.href).toBe("http://127.0.0.1:1/iaas");
    expect(rest).toEqual({
      accessKeyId: "ENV",
      secretAccessKey: "envSecret",
      zone: "sh1a",
      source: "QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY",
    });
  });

  test("that overrides one half of the keys is told beside the file", () => {
    const { source } = read("work", { QINGCLOUD_SECRET_ACCESS_KEY: "envSecret" });
    expect(source).toBe(`${file} and QINGCLOUD_SECRET_ACCESS_KEY`);
  });

  test("needs no file when it holds both keys", () => {
    const options = { directory: "/nowhere/at/all", endpoint: "http://127.0.0.1:9/iaas/" };
    expect(readProfile(options, keys)).toMatchObject({ accessKeyId: "ENV", secretAccessKey: "envSecret" });
  });

  test("does not make up for a file that is named and is not there", () => {
    expect(() => readProfile({ configFile: join(directory, "none.yaml") }, keys)).toThrow("cannot be read");
  });
});

test("the endpoint of the provider's configuration overrides the file's", () => {
  expect(read("work", {}, "http://127.0.0.9:99/iaas/").endpoint.host).toBe("127.0.0.9:99");
});

describe("an error says what is wrong, where, and what to do", () => {
  test("no file", () => {
    const path = join(directory, "none.yaml");
    expect(() => readProfile({ configFile: path }, {})).toThrow(
      `The QingCloud configuration ${path} cannot be read (ENOENT: no such file or directory, open '${path}'). Make it as the official client does, name another by qingcloud:configFile, or set QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY.`,
    );
  });

  test("no such section: those that there are", () => {
    expect(() => read("home")).toThrow(
      `The QingCloud configuration ${file} has no section "home"; it has work, slashless, half, bad.`,
    );
  });

  test("a key is missing", () => {
    expect(() => read("half")).toThrow(
      /is not usable: qy_secret_access_key: .+\. It needs qy_access_key_id and/,
    );
  });

  test("all bad values at once, without the secret", () => {
    const failed = (): unknown => {
      try {
        return read("bad");
      } catch (error) {
        return error;
      }
    };
    const { message } = failed() as Error;
    expect(message).toMatch(/port: .*; protocol: /);
    expect(message).not.toContain("hidden-one");
  });

  test.each(["127.0.0.1:7080", "ftp://127.0.0.1/", "nonsense"])(
    "an endpoint that is no URL: %s",
    (endpoint) => {
      expect(() => read("work", {}, endpoint)).toThrow(
        `The endpoint "${endpoint}" is not a URL. Give one such as https://api.qingcloud.com:443/iaas/.`,
      );
    },
  );
});
