import { expect, test } from "vitest";
import { RefusedKeyError, retry } from "../../../toolchain/command/retry.ts";

const hop = {
  ...{ host: "192.0.2.1", port: 22, user: "ubuntu", password: undefined, privateKey: "key" },
  ...{ privateKeyPassword: undefined, agentSocketPath: undefined, hostKey: undefined },
  ...{ dialErrorLimit: -1, perDialTimeoutSeconds: 15 },
};
const context = {
  log: { line: () => {}, flush: async () => {} },
  redact: (text: string) => text,
  signal: new AbortController().signal,
};

/** Dials that fail so, one after the other; how many there were, and how it ended. */
async function dials(errors: readonly Error[], refusedMs: number) {
  let count = 0;
  const ended = await retry(
    hop,
    context,
    async () => {
      const error = errors[count++];
      if (error !== undefined) throw error;
      return "connected";
    },
    refusedMs,
  ).catch((error: Error) => error.message);
  return { count, ended };
}

const refused = new RefusedKeyError("refused");
const closed = new Error("connection refused");

test("without a limit a key that is refused is offered for a while only", async () => {
  expect(await dials([refused, refused, refused, refused], 0)).toEqual({
    count: 1,
    ended:
      "cannot connect to 192.0.2.1:22 as ubuntu after 1 attempts: refused. The server has refused the key: does this user exist there, and does its authorized_keys hold the key?",
  });
});

test("a server that is not there is tried until it is, and gets its time for the key then", async () => {
  expect(await dials([closed, closed], 0)).toEqual({ count: 3, ended: "connected" });
  expect(await dials([refused, closed], 60_000)).toEqual({ count: 3, ended: "connected" });
});
