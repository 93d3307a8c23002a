/** What the client makes of connections that fail, and which calls a Ctrl-C ends. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import dns from "node:dns";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { AllocateEips, DescribeEips, ReleaseEips } from "../../../qingcloud/actions.ts";
import { QingCloudClient } from "../../../qingcloud/client.ts";
import { QingCloudError } from "../../../qingcloud/errors.ts";
import { type Answer, type ApiServer, json, lost, profileAt, startApi } from "./api-server.ts";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const each of open.splice(0)) await each.close();
});

async function clientOf(...answers: Answer[]): Promise<[QingCloudClient, ApiServer]> {
  const api = await startApi(...answers);
  open.push(api);
  return [clientAt(api.profile.endpoint.href), api];
}

function clientAt(endpoint: string): QingCloudClient {
  const client = new QingCloudClient(profileAt(endpoint));
  open.push(client);
  return client;
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return await call.then(
    (value) => {
      throw new Error(`it ended well: ${JSON.stringify(value)}`);
    },
    (error: unknown) => error,
  );
}

async function errorOf(call: Promise<unknown>): Promise<QingCloudError> {
  const error = await failureOf(call);
  if (!(error instanceof QingCloudError)) throw error;
  return error;
}

/** The sockets by which this process connects, until the test's end. */
function connections(): Socket[] {
  const made: Socket[] = [];
  const keep = (message: unknown) => made.push((message as { socket: Socket }).socket);
  subscribe("net.client.socket", keep);
  open.push({ close: () => unsubscribe("net.client.socket", keep) });
  return made;
}

/** A promise, and what resolves it. */
function gate(): { reached: Promise<void>; reach: () => void } {
  let reach = () => {};
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  return { reached, reach };
}

const noEips = json({ ret_code: 0, eip_set: [], total_count: 0 });
const allocated = json({ ret_code: 0, eips: ["eip-1"] });
const busy = json({ ret_code: 5100, message: "ServerBusy" });
const create = (client: QingCloudClient, signal?: AbortSignal) =>
  client.call(AllocateEips, "pek3a", { bandwidth: 1 }, { signal });

describe("a connection that fails", () => {
  test.each(["ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "ECONNREFUSED"])(
    "once it was up leaves unknown what was asked, also with %s",
    async (code) => {
      const made = connections();
      const [client, api] = await clientOf(() =>
        made[0]?.destroy(Object.assign(new Error(`read ${code}`), { code })),
      );
      const error = await errorOf(create(client));
      expect(error.outcome).toBe("unknown");
      expect(error.message).toBe(
        `AllocateEips: the answer of ${api.profile.endpoint.origin} was lost (read ${code})`,
      );
      expect(api.asked).toHaveLength(1);
    },
  );

  test("before TLS was agreed on has sent nothing", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.destroy()));
    await once(server.listen(0, "127.0.0.1"), "listening");
    open.push(server);
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const error = await errorOf(create(clientAt(`${origin}/iaas`)));
    expect(error.message).toBe(
      `AllocateEips: ${origin} cannot be reached (ECONNRESET). Is the endpoint right and, for the local cloud, is it running (npm run cloud -- start)?`,
    );
    expect(error).toMatchObject({ outcome: "refused", sentAt: undefined });
  });

  test("because it was kept alive too long does not concern what creates: that has a connection of its own", async () => {
    const ports: (number | undefined)[] = [];
    const kept =
      (answer: Answer): Answer =>
      (response, request) => {
        const isStale = ports.includes(request.socket.remotePort);
        ports.push(request.socket.remotePort);
        (isStale ? lost : answer)(response, request);
      };
    const [client] = await clientOf(kept(noEips), kept(allocated), kept(allocated), kept(noEips));
    await client.call(DescribeEips, "pek3a", {});
    expect((await create(client)).eips).toEqual(["eip-1"]);
    expect((await create(client)).eips).toEqual(["eip-1"]);
    expect(new Set(ports).size).toBe(3);
    // What may be done twice uses the first one again, and asks again.
    await client.call(DescribeEips, "pek3a", {});
    expect(ports.indexOf(ports[3])).toBe(0);
  });
});

test("a name server that asks to try again is asked again; an unknown name is told at once", async () => {
  const [, api] = await clientOf(allocated);
  const { port } = api.profile.endpoint;
  const codes = ["EAI_AGAIN", "EAI_AGAIN", "ENOTFOUND"];
  const lookup = vi.spyOn(dns, "lookup").mockImplementation(((_name: string, _options: object, tell) => {
    const code = codes.shift() ?? "none";
    process.nextTick(() => tell(Object.assign(new Error(code), { code })));
  }) as (name: string, options: object, tell: (error: Error) => void) => void as typeof dns.lookup);
  const error = await errorOf(create(clientAt(`http://cloud.example:${port}/iaas/`)));
  expect(error).toMatchObject({ outcome: "refused", cause: { code: "ENOTFOUND" } });
  expect(lookup).toHaveBeenCalledTimes(3);
});

test("an unknown outcome says when the last request was sent, not when the call began", async () => {
  let lastAt = 0;
  const [client] = await clientOf(busy, busy, (response, request) => {
    lastAt = Date.now();
    lost(response, request);
  });
  const began = Date.now();
  const { sentAt = 0 } = await errorOf(create(client));
  // Two pauses of at least 100 and 200 ms.
  expect(sentAt - began).toBeGreaterThanOrEqual(298);
  expect(sentAt).toBeLessThanOrEqual(lastAt);
});

test.each([
  ["5000", json({ ret_code: 5000 })],
  ["an unexpected form", json({ ret_code: 0, eips: "eip-1" })],
  ["HTTP 502", (response: Parameters<Answer>[0]) => response.writeHead(502).end()],
])("an answer of %s says so too; a refusal says none", async (_, answer) => {
  const [client] = await clientOf(answer, json({ ret_code: 1400 }));
  const began = Date.now();
  const { sentAt = 0 } = await errorOf(create(client));
  expect(sentAt).toBeGreaterThanOrEqual(began);
  expect((await errorOf(create(client))).sentAt).toBeUndefined();
});

describe("Ctrl-C", () => {
  const reason = new Error("Ctrl-C");

  test("does not end a creating call that is sent: its answer has the id", async () => {
    const [asked, answer] = [gate(), gate()];
    const [client] = await clientOf(async (...given) => {
      asked.reach();
      await answer.reached;
      allocated(...given);
    });
    const abort = new AbortController();
    const call = create(client, abort.signal);
    await asked.reached;
    abort.abort(reason);
    answer.reach();
    expect((await call).eips).toEqual(["eip-1"]);
  });

  test("does not hide that such a call's answer was lost", async () => {
    const [asked, answer] = [gate(), gate()];
    const [client] = await clientOf(async (...given) => {
      asked.reach();
      await answer.reached;
      lost(...given);
    });
    const abort = new AbortController();
    const call = errorOf(create(client, abort.signal));
    await asked.reached;
    abort.abort(reason);
    answer.reach();
    expect((await call).outcome).toBe("unknown");
  });

  test("keeps a creating call from being sent again", async () => {
    const abort = new AbortController();
    const [client, api] = await clientOf((...given) => {
      abort.abort(reason);
      busy(...given);
    }, allocated);
    expect(await failureOf(create(client, abort.signal))).toBe(reason);
    expect(api.asked).toHaveLength(1);
  });

  test("ends a creating call that has no connection yet, and one that was not begun", async () => {
    const [client, api] = await clientOf(allocated);
    const abort = new AbortController();
    const call = failureOf(create(client, abort.signal));
    abort.abort(reason);
    expect(await call).toBe(reason);
    expect(await failureOf(create(client, abort.signal))).toBe(reason);
    expect(api.asked).toEqual([]);
  });

  test("ends every other call at once, before its answer", async () => {
    const asked = gate();
    const [client] = await clientOf(() => asked.reach());
    const abort = new AbortController();
    const call = failureOf(client.call(ReleaseEips, "pek3a", { eips: ["eip-1"] }, { signal: abort.signal }));
    await asked.reached;
    abort.abort(reason);
    expect(await call).toBe(reason);
  });
});
