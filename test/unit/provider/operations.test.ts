import { setImmediate } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { checkConfiguration } from "../../../provider/configuration.ts";
import { Operations } from "../../../provider/operations.ts";
import type { Context } from "../../../provider/resource.ts";
import type { Session } from "../../../provider/session.ts";

const begin = (zone: string | undefined) => ({
  urn: "urn",
  session: { zone } as unknown as Session,
  engine: undefined,
});
const failureOf = (work: Promise<unknown>) => work.catch((error: unknown) => error);
const never = () => new Promise<never>(() => {});

describe("cancel", () => {
  test("ends every running operation at once, also one that does not listen", async () => {
    const operations = new Operations();
    const running = ["a", "b"].map((urn) => operations.begin({ ...begin("z"), urn }).run(never));
    operations.cancel();
    const outcomes = await Promise.allSettled(running);
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { message: "cancelled; the next run finishes what was begun" },
      });
    }
  });

  test("keeps the id of what was made", async () => {
    const operations = new Operations();
    const operation = operations.begin(begin("z"));
    const running = operation.run((context) => {
      context.made("rtr-1");
      return never();
    });
    expect(operation.madeId).toBe("rtr-1");
    operations.cancel();
    await expect(running).rejects.toThrow("cancelled");
    expect(operation.madeId).toBe("rtr-1");
  });

  test("waits for what is being made, and keeps its id", async () => {
    const operations = new Operations();
    const answer = Promise.withResolvers<string>();
    const operation = operations.begin(begin("z"));
    const outcome = failureOf(
      operation.run(async (context) => {
        context.made(await context.making("EIP", () => answer.promise));
        return await never();
      }),
    );
    operations.cancel();
    expect(await Promise.race([outcome, setImmediate("waiting")])).toBe("waiting");
    answer.resolve("eip-1");
    expect(await outcome).toMatchObject({ message: "cancelled; the next run finishes what was begun" });
    expect(operation.madeId).toBe("eip-1");
  });

  test("ends once nothing was made, and nothing more is begun", async () => {
    const operations = new Operations();
    const answer = Promise.withResolvers<never>();
    const more = vi.fn(never);
    const operation = operations.begin(begin("z"));
    const outcome = failureOf(
      operation.run(async (context) => {
        await context.making("EIP", () => answer.promise).catch(() => {});
        return await context.making("EIP", more);
      }),
    );
    operations.cancel();
    answer.reject(new Error("no quota"));
    expect(await outcome).toMatchObject({ message: "cancelled; the next run finishes what was begun" });
    expect([operation.madeId, more.mock.calls]).toEqual([undefined, []]);
  });

  test("tells the function by its signal, and lets nothing new succeed", async () => {
    const operations = new Operations();
    let signal: AbortSignal | undefined;
    const running = operations.begin(begin("z")).run((context) => {
      signal = context.signal;
      return never();
    });
    operations.cancel();
    await expect(running).rejects.toThrow("cancelled");
    expect(signal?.aborted).toBe(true);
    const next = operations.begin(begin("z"));
    await expect(next.run(async () => "done")).rejects.toThrow("cancelled");
  });
});

describe("secrets", () => {
  test("are in no error and in no message, whole, in part or in base64", async () => {
    const told: string[] = [];
    const engine = { log: (_: string, __: string, message: string) => void told.push(message) };
    const secrets = ["user:correct-horse", "psk-0123456789"];
    const operation = new Operations().begin({ ...begin("z"), engine, secrets });
    const base64 = Buffer.from("psk-0123456789").toString("base64");
    const running = operation.run(async (context) => {
      context.progress("waiting with psk-0123456789");
      context.warn(`sent ${base64}`);
      throw new Error("1.2.3.4|aes|psk-0123456789|id and correct-horse are wrong");
    });
    await expect(running).rejects.toThrow(/^1\.2\.3\.4\|aes\|\[secret\]\|id and \[secret\] are wrong$/);
    expect(told).toEqual(["waiting with [secret]", "sent [secret]"]);
  });
});

const contextOf = async (...more: [timeout: number, zone: string | undefined, importZone?: string]) => {
  const [timeout, zone, importZone] = more;
  const operation = new Operations().begin({ ...begin(zone), timeoutSeconds: timeout, importZone });
  return await operation.run(async (context: Context) => context);
};

test("the deadline is that of customTimeouts, else ten minutes", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    expect((await contextOf(5, "z")).deadline).toBe(Date.now() + 5_000);
    expect((await contextOf(0, "z")).deadline).toBe(Date.now() + 600_000);
  } finally {
    vi.useRealTimers();
  }
});

test("the zone of an import is that of its id, else the profile's, else it is asked for", async () => {
  expect((await contextOf(0, "pek3a", "sh1a")).importZone()).toBe("sh1a");
  expect((await contextOf(0, "pek3a")).importZone()).toBe("pek3a");
  const context = await contextOf(0, undefined);
  expect(() => context.importZone()).toThrow(
    "The zone is not known. Import with the id `zone/id`, e.g. `pek3a/eip-1234abcd`, or set qingcloud:zone.",
  );
});

describe("the provider's configuration", () => {
  test("takes names only: a key in it is refused, with where keys belong, and its value is not shown", () => {
    const problems = checkConfiguration({ accessKeyId: "AK", secretAccessKey: "hush", configFile: "x" });
    expect(problems.map(({ property }) => property)).toEqual(["accessKeyId", "secretAccessKey"]);
    expect(problems[0]?.reason).toContain("Credentials are never configuration");
    expect(problems[0]?.reason).toContain("allowed: configFile, profile, zone, endpoint");
    expect(JSON.stringify(problems)).not.toContain("hush");
  });

  test("ignores what the engine adds", () => {
    expect(
      checkConfiguration({ version: "0.1.0", pluginDownloadURL: "x", __internal: {}, profile: "p" }),
    ).toEqual([]);
  });
});
