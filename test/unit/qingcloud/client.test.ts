import { createServer, type Server } from "node:net";
import { inspect } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { AllocateEips, DescribeEips, ReleaseEips } from "../../../qingcloud/actions.ts";
import { QingCloudClient } from "../../../qingcloud/client.ts";
import { abortableDelay } from "../../../qingcloud/delay.ts";
import { QingCloudError } from "../../../qingcloud/errors.ts";
import { sign } from "../../../qingcloud/signature.ts";
import {
  type Answer,
  type ApiServer,
  json,
  lost,
  profileAt,
  secretAccessKey,
  startApi,
} from "./api-server.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function clientOf(...answers: Answer[]): Promise<[QingCloudClient, ApiServer]> {
  const api = await startApi(...answers);
  const client = new QingCloudClient(api.profile);
  open.push(client, api);
  return [client, api];
}

async function errorOf(call: Promise<unknown>): Promise<QingCloudError> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof QingCloudError)) throw new Error(`no QingCloudError but ${inspect(error)}`);
  expect(inspect(error, { depth: null })).not.toContain(secretAccessKey);
  return error;
}

const busy = json({ ret_code: 5100, message: "ServerBusy" });
const allocated = json({ ret_code: 0, eips: ["eip-1"] });
const noEips = json({ ret_code: 0, eip_set: [], total_count: 0 });
const refused = (ret_code: number, message = "said by the cloud") => json({ ret_code, message });

test("a request is signed over the path and parameters that arrive, and says its zone, action and time", async () => {
  const [client, api] = await clientOf(allocated);
  const before = Date.now();
  await client.call(AllocateEips, "pek3a", { bandwidth: 20, eip_name: "a b/ü" });
  const { path, parameters } = api.asked[0] ?? { path: "", parameters: {} };
  const { signature, time_stamp = "", ...rest } = parameters;
  expect(path).toBe("/iaas/");
  expect(rest).toEqual({
    action: "AllocateEips",
    zone: "pek3a",
    bandwidth: "20",
    eip_name: "a b/ü",
    access_key_id: "KEYOFTHETEST",
    signature_method: "HmacSHA256",
    signature_version: "1",
    version: "1",
  });
  expect(time_stamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(Math.abs(Date.parse(time_stamp) - before)).toBeLessThan(5_000);
  expect(signature).toBe(sign("GET", "/iaas/", { ...rest, time_stamp }, secretAccessKey));
});

test("a call without a zone sends none", async () => {
  const [client, api] = await clientOf(noEips);
  await client.call(DescribeEips, undefined, {});
  expect(Object.keys(api.asked[0]?.parameters ?? {})).not.toContain("zone");
});

describe("a busy cloud", () => {
  test.each([5100, 5300])(
    "is asked again after %i, also for a mutating call, and then succeeds",
    async (code) => {
      const [client, api] = await clientOf(refused(code), allocated);
      expect((await client.call(AllocateEips, "pek3a", { bandwidth: 1 })).eips).toEqual(["eip-1"]);
      expect(api.asked).toHaveLength(2);
    },
  );

  test("is asked with growing pauses", async () => {
    const times: number[] = [];
    const [client] = await clientOf(
      ...[busy, busy, allocated].map((answer): typeof busy => (...given) => {
        times.push(performance.now());
        answer(...given);
      }),
    );
    await client.call(AllocateEips, "pek3a", { bandwidth: 1 });
    const [first = 0, second = 0, third = 0] = times;
    // Jitter is 0.5 to 1.5 of 200 and 400 ms; timers may fire a millisecond early.
    expect(second - first).toBeGreaterThanOrEqual(98);
    expect(third - second).toBeGreaterThanOrEqual(198);
  });

  test("is given up at the deadline with the cloud's own words", async () => {
    const [client, api] = await clientOf(busy);
    const error = await errorOf(
      client.call(AllocateEips, "pek3a", { bandwidth: 1 }, { deadline: Date.now() }),
    );
    expect(error.message).toBe("AllocateEips was refused with 5100 (server busy): ServerBusy.");
    expect(error).toMatchObject({ action: "AllocateEips", retCode: 5100, outcome: "refused" });
    expect(api.asked).toHaveLength(1);
  });

  test("is not asked again once the call is aborted", async () => {
    const abort = new AbortController();
    const [client, api] = await clientOf((response, request) => {
      busy(response, request);
      setImmediate(() => abort.abort(new Error("Ctrl-C")));
    });
    await expect(
      client.call(AllocateEips, "pek3a", { bandwidth: 1 }, { signal: abort.signal }),
    ).rejects.toThrow();
    expect(api.asked).toHaveLength(1);
  });
});

describe("a lost answer", () => {
  test("of a mutating call is unknown, and it was sent exactly once", async () => {
    const [client, api] = await clientOf(lost, allocated);
    const error = await errorOf(client.call(AllocateEips, "pek3a", { bandwidth: 1 }));
    expect(error).toMatchObject({ action: "AllocateEips", retCode: undefined, outcome: "unknown" });
    expect(error.message).toMatch(/^AllocateEips: the answer of http:\/\/127\.0\.0\.1:\d+ was lost \(/);
    expect(api.asked).toHaveLength(1);
  });

  test("in the middle of its body is unknown too", async () => {
    const [client, api] = await clientOf((response, request) => {
      response.writeHead(200, { "Content-Length": "100" });
      response.write('{"ret_code":0,', () => request.socket.destroy());
    });
    const error = await errorOf(client.call(AllocateEips, "pek3a", { bandwidth: 1 }));
    expect(error.outcome).toBe("unknown");
    expect(api.asked).toHaveLength(1);
  });

  test("of a Describe is asked for again", async () => {
    const [client, api] = await clientOf(lost, noEips);
    expect((await client.call(DescribeEips, "pek3a", {})).total_count).toBe(0);
    expect(api.asked).toHaveLength(2);
  });

  test.each([
    ["HTTP 502", (response: Parameters<Answer>[0]) => response.writeHead(502).end("Bad gateway")],
    ["no JSON", (response: Parameters<Answer>[0]) => response.end("<html>")],
    ["an unexpected form", json({ ret_code: 0, eips: "eip-1" })],
    ["5000", refused(5000)],
  ])("and an answer of %s leave a mutating call unknown, sent once", async (_, answer) => {
    const [client, api] = await clientOf(answer);
    expect((await errorOf(client.call(AllocateEips, "pek3a", { bandwidth: 1 }))).outcome).toBe("unknown");
    expect(api.asked).toHaveLength(1);
  });

  test("5000 on a read is asked again", async () => {
    const [client, api] = await clientOf(refused(5000), noEips);
    await client.call(DescribeEips, "pek3a", {});
    expect(api.asked).toHaveLength(2);
  });

  test.each([
    ["a lost answer", lost],
    ["5000", refused(5000)],
    ["HTTP 502", (response: Parameters<Answer>[0]) => response.writeHead(502).end()],
  ])(
    "of a change that may be made twice (%s) is asked for again: each time with a signature of its own",
    async (_, answer) => {
      const [client, api] = await clientOf(answer, json({ ret_code: 0, job_id: "j-1" }));
      const told: string[] = [];
      const options = { progress: (message: string) => told.push(message) };
      expect((await client.call(ReleaseEips, "pek3a", { eips: ["eip-1"] }, options)).job_id).toBe("j-1");
      expect(api.asked).toHaveLength(2);
      expect(told).toHaveLength(1);
      expect(told[0]).toMatch(/^ReleaseEips.* Asked again in 0\.\d s\.$/);
    },
  );

  test("in an unexpected form is not asked for again: it would be so once more", async () => {
    const [client, api] = await clientOf(json({ ret_code: 0, eip_set: "none" }));
    expect((await errorOf(client.call(DescribeEips, "pek3a", {}))).outcome).toBe("unknown");
    expect(api.asked).toHaveLength(1);
  });
});

test("HTTP 404 is an endpoint that is not the API's: told so, and no call is repeated", async () => {
  const [client, api] = await clientOf((response) => response.writeHead(404).end());
  const error = await errorOf(client.call(DescribeEips, "pek3a", {}));
  expect(error.outcome).toBe("refused");
  expect(error.message).toMatch(
    /^DescribeEips: http:\/\/127\.0\.0\.1:\d+ answered HTTP 404\. Is http:\/\/127\.0\.0\.1:\d+\/iaas\/ the API's endpoint\?$/,
  );
  expect(api.asked).toHaveLength(1);
});

describe("2500", () => {
  test("is the quota of calls, which passes: it is waited for", async () => {
    const [client, api] = await clientOf(refused(2500), noEips);
    expect((await client.call(DescribeEips, "pek3a", {})).total_count).toBe(0);
    expect(api.asked).toHaveLength(2);
  });

  test("is final where the caller says that it may be a resource's", async () => {
    const [client, api] = await clientOf(refused(2500));
    const call = client.call(AllocateEips, "pek3a", { bandwidth: 1 }, { isQuotaFinal: true });
    const error = await errorOf(call);
    expect(error.message).toBe("AllocateEips was refused with 2500 (quota exceeded): said by the cloud.");
    expect(error).toMatchObject({ retCode: 2500, outcome: "refused" });
    expect(api.asked).toHaveLength(1);
  });
});

test.each([
  [-90, "behind"],
  [600, "ahead of"],
])("a clock that is %i s off is told with its error, by the date of the answer", async (seconds, side) => {
  const [client] = await clientOf((response, request) => {
    response.setHeader("Date", new Date(Date.now() - seconds * 1000).toUTCString());
    refused(1300)(response, request);
  });
  const { message } = await errorOf(client.call(DescribeEips, "pek3a", {}));
  const [, told = "0", where] =
    /Set this machine's clock: it is (\d+) s (behind|ahead of) the cloud's\.$/.exec(message) ?? [];
  expect(where).toBe(side);
  expect(Math.abs(Number(told) - Math.abs(seconds))).toBeLessThanOrEqual(2);
});

test("an endpoint that nobody listens at is refused, with advice, and no call is repeated", async () => {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  const client = new QingCloudClient(profileAt(`http://127.0.0.1:${port}/iaas`));
  open.push(client);
  const error = await errorOf(client.call(DescribeEips, "pek3a", {}));
  expect(error.outcome).toBe("refused");
  expect(error.message).toBe(
    `DescribeEips: http://127.0.0.1:${port} cannot be reached (ECONNREFUSED). Is the endpoint right and, for the local cloud, is it running (npm run cloud -- start)?`,
  );
});

describe("a refusal", () => {
  test.each([
    [
      1200,
      "ReleaseEips was refused with 1200 (authentication failed: unknown access key or wrong signature): said by the cloud. Check the access key and secret of /home/someone/config.yaml.",
    ],
    [
      1300,
      "ReleaseEips was refused with 1300 (the request's time stamp is more than 60 s off): said by the cloud. Set this machine's clock: it is more than 60 s off.",
    ],
    [
      1400,
      "ReleaseEips was refused with 1400 (permission denied, or the resource is in a state that forbids it): said by the cloud.",
    ],
    [4711, "ReleaseEips was refused with 4711 (undocumented): said by the cloud."],
  ])("with %i says what it means and what to do, and is final", async (code, message) => {
    const [client, api] = await clientOf(refused(code));
    const error = await errorOf(client.call(ReleaseEips, "pek3a", { eips: ["eip-1"] }));
    expect(error.message).toBe(message);
    expect(error).toMatchObject({ retCode: code, outcome: "refused" });
    expect(api.asked).toHaveLength(1);
  });

  test("without a message, or without a ret_code, is told all the same", async () => {
    const [client] = await clientOf(json({ ret_code: 2100 }), json({}));
    const told = "ReleaseEips was refused with 2100 (resource not found): no message.";
    expect((await errorOf(client.call(ReleaseEips, "pek3a", { eips: ["x"] }))).message).toBe(told);
    expect((await errorOf(client.call(ReleaseEips, "pek3a", { eips: ["x"] }))).retCode).toBe(-1);
  });
});

test("a delay ends at once when it is aborted, with the reason", async () => {
  const abort = new AbortController();
  const delay = abortableDelay(60_000, abort.signal);
  abort.abort(new Error("Ctrl-C"));
  await expect(delay).rejects.toThrow("Ctrl-C");
  await expect(abortableDelay(60_000, abort.signal)).rejects.toThrow("Ctrl-C");
});
