import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { CallLog } from "../../local-cloud/api/call-log.ts";
import { answer } from "../../local-cloud/api/dispatch.ts";
import { RateLimit } from "../../local-cloud/api/rate-limit.ts";
import { noDataPlane } from "../../local-cloud/network/none.ts";
import { defaultQuotas } from "../../local-cloud/services/account/limits.ts";
import { Faults } from "../../local-cloud/services/faults/faults.ts";
import { readDurations } from "../../local-cloud/services/jobs/jobs.ts";
import { JobRunner } from "../../local-cloud/services/jobs/runner.ts";
import { Measurements } from "../../local-cloud/store/measurements.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { makeKeyPair, makeNetwork, startTestCloud, TestClient } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const cloud = useTestCloud();
const { client } = cloud;

const stamp = (milliseconds: number): string =>
  new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, "Z");

test("answers JSON with status 200, its envelope, and exactly application/json", async () => {
  for (const path of ["/iaas", "/iaas/"]) {
    const response = await client.send(client.signed("DescribeZones", {}, { path }), path);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      action: "DescribeZonesResponse",
      ret_code: 0,
      zone_set: [
        { zone_id: "gpu1a", status: "active" },
        { zone_id: "gpu2a", status: "active" },
      ],
      total_count: 2,
    });
  }
  const refused = await client.send({});
  expect(refused.status).toBe(200);
  expect(await refused.json()).toEqual({
    ret_code: 1100,
    message: "MissingParameter, parameter [action] is missing",
  });
});

test("reads a POST form as Python sends it: plus for space, signed as %20", async () => {
  const parameters = client.signed(
    "AllocateEips",
    { zone: "gpu1a", bandwidth: "1", eip_name: "a b+c" },
    { method: "POST" },
  );
  const response = await fetch(`http://127.0.0.1:${client.keys.port}/iaas/`, {
    method: "POST",
    body: new URLSearchParams(parameters).toString(),
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
  });
  expect(await response.json()).toMatchObject({
    ret_code: 0,
    eips: [expect.stringMatching(/^eip-[a-z0-9]{8}$/)],
  });
  const eip = await client.one("DescribeEips", "eip_set", { search_word: "a b+c" });
  expect(eip.eip_name).toBe("a b+c");
});

test("refuses bodies over 9 MiB, other methods and other paths, and goes on", async () => {
  const url = `http://127.0.0.1:${client.keys.port}`;
  const large = await fetch(`${url}/iaas/`, { method: "POST", body: "x".repeat(9 * 1024 * 1024 + 1) }).catch(
    () => undefined,
  );
  expect(large === undefined || large.status === 413).toBe(true);
  expect((await fetch(`${url}/iaas/`, { method: "PUT" })).status).toBe(405);
  expect((await fetch(`${url}/other`)).status).toBe(404);
  expect(await client.call("DescribeJobs")).toMatchObject({ ret_code: 0 });
});

test("the local cloud's own commands need the token", async () => {
  const response = await fetch(`http://127.0.0.1:${client.keys.port}/_cloud/reset`, { method: "POST" });
  expect(response.status).toBe(401);
  expect(await response.json()).toEqual({
    message: "the token in the home directory of the local cloud is needed",
  });
});

test("the file admin-header opens them to curl: status, faults, reset; what can not be is a 4xx", async () => {
  const file = join(cloud.home, "admin-header");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const [name = "", value = ""] = readFileSync(file, "utf8").trim().split(": ");
  const ask = async (method: string, command: string, body?: object) => {
    const response = await fetch(`http://127.0.0.1:${client.keys.port}/_cloud/${command}`, {
      ...{ method, headers: { [name]: value } },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return [response.status, await response.json()];
  };
  expect(await ask("GET", "status")).toMatchObject([200, { running: true, home: cloud.home }]);
  expect(await ask("POST", "faults", { kind: "exhaust", of: "air" })).toEqual([
    400,
    { message: "--of air: must be one of eip, instance, gpu, router, vxnet, volume" },
  ]);
  const added = await ask("POST", "faults", { kind: "exhaust", of: "gpu", zone: "gpu1a" });
  expect(added).toMatchObject([200, { fault: { kind: "exhaust", of: "gpu", zone: "gpu1a" } }]);
  expect(await ask("DELETE", "faults")).toEqual([200, { faults: [] }]);
  expect(await ask("DELETE", "faults/flt-nothing")).toEqual([
    400,
    { message: "there is no fault flt-nothing: there are none" },
  ]);
  const wanted = `a link must be a JSON object with zones and its settings, e.g. with curl: -d '{"NAME": VALUE}'`;
  expect(await ask("POST", "links")).toEqual([400, { message: wanted }]);
  expect(await ask("DELETE", "faults/%E0%A4%A")).toEqual([
    400,
    { message: "%E0%A4%A: is not encoded as addresses are, write % as %25" },
  ]);
  expect(await ask("PUT", "status")).toEqual([404, { message: "no such command: PUT status" }]);
});

test("1200 for an unknown key and for a wrong secret", async () => {
  const stranger = new TestClient({ ...client.keys, qy_access_key_id: "NOBODY" });
  expect(await stranger.call("DescribeEips")).toEqual({
    ret_code: 1200,
    message: "AuthFailure, access key [NOBODY] does not exist",
  });
  const wrong = new TestClient({ ...client.keys, qy_secret_access_key: "wrong" });
  expect(await wrong.call("DescribeEips")).toEqual({
    ret_code: 1200,
    message: `AuthFailure, the signature of access key [${client.keys.qy_access_key_id}] does not match the request [GET /iaas/]`,
  });
});

test("1300 for a time stamp more than 60 s off; expires takes its place", async () => {
  const old = stamp(Date.now() - 62_000);
  const reply = await client.call("DescribeEips", { time_stamp: old });
  expect(reply.ret_code).toBe(1300);
  expect(reply.message).toMatch(`RequestExpired, time stamp [${old}] is more than 60 s old`);
  expect((await client.call("DescribeEips", { time_stamp: stamp(Date.now() + 63_000) })).ret_code).toBe(1300);
  expect((await client.call("DescribeEips", { time_stamp: stamp(Date.now() - 55_000) })).ret_code).toBe(0);
  const later = stamp(Date.now() + 1_200_000);
  expect((await client.call("DescribeEips", { time_stamp: old, expires: later })).ret_code).toBe(0);
  expect((await client.call("DescribeEips", { expires: old })).ret_code).toBe(1300);
  expect(await client.call("DescribeEips", { time_stamp: "yesterday" })).toEqual({
    ret_code: 1100,
    message:
      "InvalidParameterFormat, parameter [time_stamp] is [yesterday], must be a UTC time such as 2013-08-27T14:30:10Z",
  });
});

test.each([
  ["AllocateEips", {}, 1100, "MissingParameter, parameter [bandwidth] is missing"],
  ["AllocateEips", { bandwidth: "" }, 1100, "MissingParameter, parameter [bandwidth] is missing"],
  [
    "AllocateEips",
    { bandwidth: "ten" },
    1100,
    "InvalidParameterFormat, parameter [bandwidth] is [ten], must be an integer",
  ],
  [
    "AllocateEips",
    { bandwidth: "0" },
    1101,
    "InvalidParameterValue, parameter [bandwidth] is [0], allowed: 1 or more",
  ],
  [
    "AllocateEips",
    { bandwidth: "1001" },
    1101,
    "InvalidParameterValue, parameter [bandwidth] is [1001], allowed: 1000 or less",
  ],
  [
    "AllocateEips",
    { bandwidth: "1", billing_mode: "free" },
    1101,
    "InvalidParameterValue, parameter [billing_mode] is [free], allowed: bandwidth, traffic",
  ],
  [
    "AllocateEips",
    { bandwidth: "1", need_icp: "2" },
    1101,
    "InvalidParameterValue, parameter [need_icp] is [2], allowed: 0, 1",
  ],
  [
    "AddSecurityGroupRules",
    { security_group: "sg-x", "rules.1.protocol": "tcp" },
    1100,
    "MissingParameter, parameter [rules.1.priority] is missing",
  ],
  ["ReleaseEips", {}, 1100, "MissingParameter, parameter [eips] is missing"],
  [
    "FlyInstances",
    {},
    1101,
    `InvalidParameterValue, parameter [action] is [FlyInstances], allowed: one of the ${actionsByName.size} actions of the local cloud`,
  ],
  [
    "DescribeEips",
    { zone: "pek3" },
    1101,
    "InvalidParameterValue, parameter [zone] is [pek3], allowed: gpu1a, gpu2a",
  ],
  ["DescribeEips", { zone: "" }, 1100, "MissingParameter, parameter [zone] is missing"],
])("%s %o: %i", async (action, parameters, ret_code, message) => {
  expect(await client.call(action, parameters)).toEqual({ ret_code, message });
});

test("takes lists from 0 and from 1, and what official clients send besides", async () => {
  const { eips } = await client.ok("AllocateEips", { bandwidth: "1", count: "2" });
  const [a = "", b = ""] = eips as string[];
  for (const from of [0, 1]) {
    const reply = await client.ok("DescribeEips", {
      [`eips.${from}`]: b,
      [`eips.${from + 1}`]: a,
      search_word: "",
      req_id: "0123456789abcdef0123456789abcdef",
    });
    expect((reply.eip_set as { eip_id: string }[]).map(({ eip_id }) => eip_id)).toEqual([a, b]);
  }
});

test("calls.jsonl has every call and no secret", async () => {
  const { router } = await makeNetwork(client);
  const keypair = await makeKeyPair(client);
  await client.ok("AddRouterStatics", {
    router,
    "statics.1.static_type": "7",
    "statics.1.val1": "203.0.113.9|aes|Pr3Shared|203.0.113.9",
    "statics.1.val2": "192.168.1.0/24",
    "statics.1.val3": "192.168.2.0/24",
  });
  await client.ok("RunInstances", {
    image_id: "img-bare",
    cpu: "1",
    memory: "1024",
    login_mode: "keypair",
    login_keypair: keypair,
    need_userdata: "1",
    userdata_type: "exec",
    userdata_value: "dXNlcmRhdGE=",
  });
  await client.call("Unheard", { password: "Hidden123" });
  const text = readFileSync(join(cloud.home, "calls.jsonl"), "utf8");
  for (const secret of [
    "Pr3Shared",
    "dXNlcmRhdGE",
    "Hidden123",
    client.keys.qy_secret_access_key,
    '"signature"',
  ]) {
    expect(text).not.toContain(secret);
  }
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.find(({ action }) => action === "AddRouterStatics")).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    zone: "gpu1a",
    action: "AddRouterStatics",
    parameters: {
      router,
      "statics.1.static_type": "[secret]",
      "statics.1.val1": "[secret]",
      "statics.1.val2": "[secret]",
      "statics.1.val3": "[secret]",
    },
    ret_code: 0,
    milliseconds: expect.any(Number),
  });
  expect(lines.find(({ action }) => action === "RunInstances")?.parameters).toMatchObject({
    image_id: "img-bare",
    userdata_value: "[secret]",
  });
});

test("an exception inside is 5000, logged, and undone", () => {
  const store = new Store(":memory:");
  const logged: string[] = [];
  const written: number[] = [];
  const runner = new JobRunner(store, noDataPlane, readDurations("instant"), () => undefined);
  vi.spyOn(store, "put").mockImplementation(() => {
    throw new Error("disk on fire");
  });
  const api = {
    store,
    runner,
    credentials: {
      accessKeyId: client.keys.qy_access_key_id,
      secretAccessKey: client.keys.qy_secret_access_key,
    },
    calls: { write: ({ retCode }: { retCode: number }) => written.push(retCode) } as unknown as CallLog,
    rateLimit: new RateLimit(undefined),
    faults: new Faults(store, () => undefined),
    leaseDelay: 0,
    measurements: new Measurements(":memory:"),
    quotas: defaultQuotas,
    log: (line: string) => logged.push(line),
  };
  const parameters = client.signed("AllocateEips", { zone: "gpu1a", bandwidth: "1" });
  expect(answer(api, { method: "GET", path: "/iaas/", parameters })).toEqual({
    ret_code: 5000,
    message: "InternalError, see the log of the local cloud",
  });
  expect(written).toEqual([5000]);
  expect(logged).toEqual([expect.stringMatching(/^AllocateEips: Error: disk on fire\n/)]);
  store.close();
});

test("too many calls are 2500 with a rate limit", async () => {
  const limited = await startTestCloud({ rateLimit: "2/60" });
  await limited.client.ok("DescribeZones");
  await limited.client.ok("DescribeZones");
  expect(await limited.client.call("DescribeZones")).toEqual({
    ret_code: 2500,
    message: "QuotasExceeded, more than 2 API calls in 60 s",
  });
  await limited.stop();
});
