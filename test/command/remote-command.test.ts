import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Properties } from "../../provider/rpc/values.ts";
import { unknownValue } from "../../provider/rpc/values.ts";
import { keyPair } from "../ssh-keys.ts";
import { Plugin, secret, urn } from "./plugin.ts";
import { freePort, Sshd } from "./sshd.ts";

let sshd: Sshd;
let plugin: Plugin;
let folder: string;

beforeAll(async () => {
  [sshd, plugin, folder] = await Promise.all([
    Sshd.start(),
    Plugin.start(),
    mkdtemp(join(tmpdir(), "command-")),
  ]);
});

afterAll(async () => {
  await plugin?.stop();
  await sshd?.stop();
  await rm(folder, { recursive: true, force: true });
});

const resource = (name: string) => urn("remote:Command", name);
const inputs = (more: Properties): Properties => ({ connection: secret(sshd.connection), ...more });
const once = { dialErrorLimit: 0 };

async function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "it succeeded",
    (error: Error) => error.message,
  );
}

describe("create", () => {
  test("gives stdin to the command, returns its output, shows its lines in order, keeps the connection secret", async () => {
    const given = inputs({ create: "cat; echo two; echo three >&2; echo", stdin: "one\n" });
    const { id, state } = await plugin.create(resource("simple"), given);
    expect(id).toMatch(/^simple[0-9a-f]{8}$/);
    expect(state).toEqual({ ...given, stdout: "one\ntwo\n", stderr: "three" });
    expect(plugin.messages(resource("simple")).filter((line) => line !== "three")).toEqual([
      "one",
      "two",
      "",
    ]);
  });

  test("keeps hundreds of lines in order, and letters that are cut between chunks whole", async () => {
    const { state } = await plugin.create(
      resource("many"),
      inputs({ create: "seq 500; printf '隧'; sleep 0.05; printf '道\\n'" }),
    );
    const expected = [...Array.from({ length: 500 }, (_, index) => String(index + 1)), "隧道"];
    expect(state.stdout).toBe(expected.join("\n"));
    expect(plugin.messages(resource("many"))).toEqual(expected);
  });

  test("without a command only connects on paper", async () => {
    const { state } = await plugin.create(resource("none"), { connection: secret({ host: "192.0.2.1" }) });
    expect(state).toMatchObject({ stdout: "", stderr: "" });
  });

  test.each([
    ["stdout", ["out"]],
    ["stderr", ["err"]],
    ["none", []],
  ])("logging: %s shows only that, and keeps all output in state", async (logging, shown) => {
    const { state } = await plugin.create(
      resource(logging),
      inputs({ create: "echo out; echo err >&2", logging }),
    );
    expect(plugin.messages(resource(logging))).toEqual(shown);
    expect(state).toMatchObject({ stdout: "out", stderr: "err" });
  });

  test("passes environment variables that the server accepts", async () => {
    const { state } = await plugin.create(
      resource("environment"),
      inputs({ create: "echo $COLOUR", environment: { COLOUR: "蓝" } }),
    );
    expect(state.stdout).toBe("蓝");
  });

  test("in a preview runs nothing: outputs are unknown", async () => {
    const given = inputs({ create: `touch ${folder}/preview` });
    const { state } = await plugin.create(resource("preview"), given, true);
    expect(state).toEqual({ ...given, stdout: unknownValue, stderr: unknownValue });
    await expect(readFile(`${folder}/preview`)).rejects.toThrow("ENOENT");
  });

  test("runs 20 commands at once over few connections", async () => {
    const before = sshd.logins;
    const { state: warm } = await plugin.create(resource("warm"), inputs({ create: "echo warm" }));
    expect(warm.stdout).toBe("warm");
    const all = Array.from({ length: 20 }, (_, index) =>
      plugin.create(resource(`parallel${index}`), inputs({ create: `sleep 0.1; echo ${index}` })),
    );
    const outputs = (await Promise.all(all)).map(({ state }) => state.stdout);
    expect(outputs).toEqual(Array.from({ length: 20 }, (_, index) => String(index)));
    expect(sshd.logins - before).toBeLessThanOrEqual(3);
  });
});

describe("a failure", () => {
  test("names the exit status, the command and its output, and no secret", async () => {
    const given = inputs({
      create: secret("echo hunter22 from stdin; echo broken >&2; exit 3"),
      stdin: secret("hunter22"),
    });
    const message = await failure(plugin.create(resource("failing"), given));
    expect(message).toBe('Process exited with status 3: running "[secret]":\n[secret] from stdin\nbroken\n');
    expect(plugin.messages(resource("failing"))).toContain("[secret] from stdin");
  });

  test("of a command that a signal ended says so", async () => {
    const message = await failure(plugin.create(resource("signal"), inputs({ create: "kill -9 $$" })));
    expect(message).toBe('Process exited with status 137 from signal KILL: running "kill -9 $$":\n');
  });

  test("to reach the host names it and the number of attempts", async () => {
    const port = await freePort();
    const connection = secret({ ...sshd.connection, port, dialErrorLimit: 1 });
    const message = await failure(plugin.create(resource("closed"), { connection, create: "true" }));
    expect(message).toBe(
      `cannot connect to 127.0.0.1:${port} as ${sshd.connection.user} after 2 attempts: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
    expect(plugin.messages(resource("closed"))).toEqual(["Dial 1/1 failed: retrying"]);
  });

  test("to log in leaks no private key, and neither does a broken key", async () => {
    const stranger = keyPair().private;
    const broken = stranger.slice(0, 120);
    for (const privateKey of [stranger, broken]) {
      const connection = secret({ ...sshd.connection, ...once, privateKey });
      const message = await failure(plugin.create(resource("stranger"), { connection, create: "true" }));
      expect(message).toContain("after 1 attempts");
      expect(message).not.toContain(privateKey.split("\n")[1]);
    }
  });

  test("of the host key shows both fingerprints", async () => {
    const other = keyPair().public;
    const connection = secret({ ...sshd.connection, ...once, hostKey: other });
    const message = await failure(plugin.create(resource("impostor"), { connection, create: "true" }));
    expect(message).toMatch(/the host key of 127\.0\.0\.1:\d+ is SHA256:\S{43}, expected is SHA256:\S{43}$/);
  });
});

describe("the connection", () => {
  test("is retried until the server is there", async () => {
    const gone = await Sshd.start();
    await gone.stop();
    const connection = secret({ ...gone.connection, dialErrorLimit: -1 });
    const waiting = plugin.create(resource("early"), { connection, create: "echo there" });
    await expect.poll(() => plugin.messages(resource("early"))).toContain("Dial 1/inf failed: retrying");
    const late = await Sshd.start(gone);
    try {
      expect((await waiting).state.stdout).toBe("there");
    } finally {
      await late.stop();
    }
  });

  test("goes through a proxy, with the host keys of both checked", async () => {
    const inner = await Sshd.start();
    try {
      const through = (proxy: Properties) => ({
        connection: secret({
          ...inner.connection,
          ...once,
          proxy: { ...sshd.connection, ...once, ...proxy },
        }),
        create: "echo inside",
      });
      const { state } = await plugin.create(resource("proxied"), through({}));
      expect(state.stdout).toBe("inside");
      // They are over before anyone waits for them: beginning and end come in one piece.
      for (const code of Array.from({ length: 20 }, (_, index) => index + 1)) {
        const ended = await failure(
          plugin.create(resource("quick"), { ...through({}), create: `exit ${code}` }),
        );
        expect(ended).toContain(`Process exited with status ${code}:`);
      }
      const message = await failure(
        plugin.create(resource("badproxy"), through({ hostKey: inner.connection.hostKey })),
      );
      expect(message).toMatch(/the host key of 127\.0\.0\.1:\d+ is SHA256:\S+, expected is SHA256:\S+$/);
    } finally {
      await inner.stop();
    }
  });

  test("to a proxy survives a target that is not there", async () => {
    const inner = await Sshd.start();
    const proxy = { ...sshd.connection, ...once };
    try {
      const connection = secret({ ...inner.connection, ...once, proxy });
      const gate = join(folder, "proxy-gate");
      const running = plugin.create(resource("inside"), {
        connection,
        create: `echo started; until [ -e ${gate} ]; do sleep 0.05; done; echo done`,
      });
      await expect.poll(() => plugin.messages(resource("inside"))).toEqual(["started"]);
      const absent = secret({ ...inner.connection, port: await freePort(), dialErrorLimit: 2, proxy });
      const message = await failure(
        plugin.create(resource("absent"), { connection: absent, create: "true" }),
      );
      expect(message).toContain(
        `after 3 attempts: the proxy 127.0.0.1:${sshd.connection.port} cannot reach it: `,
      );
      await writeFile(gate, "");
      expect((await running).state.stdout).toBe("started\ndone");
    } finally {
      await inner.stop();
    }
  });

  test("makes way for more where the server allows one session on each", async () => {
    const strict = await Sshd.start(undefined, { MaxSessions: "1" });
    try {
      const given = { connection: secret({ ...strict.connection, ...once }), create: "sleep 0.3; echo ok" };
      const both = await Promise.all(["one", "two"].map((name) => plugin.create(resource(name), given)));
      expect(both.map(({ state }) => state.stdout)).toEqual(["ok", "ok"]);
    } finally {
      await strict.stop();
    }
  });

  test("is replaced when the server closed it", async () => {
    const second = await Sshd.start();
    const given = { connection: secret({ ...second.connection, ...once }), create: "echo $PPID" };
    try {
      const { state } = await plugin.create(resource("first"), given);
      process.kill(Number(state.stdout), "SIGKILL");
      const { state: again } = await plugin.create(resource("second"), given);
      expect(again.stdout).not.toBe(state.stdout);
    } finally {
      await second.stop();
    }
  });
});

describe("update and delete", () => {
  test("run their own command with the previous output in its environment", async () => {
    const given = inputs({
      create: "echo created",
      update: 'echo "was $PULUMI_COMMAND_STDOUT"',
      delete: `cat > ${folder}/deleted`,
      stdin: "gone",
    });
    const { state } = await plugin.create(resource("life"), given);
    const updated = await plugin.update(resource("life"), state, given);
    expect(updated.stdout).toBe("was created");
    await plugin.delete(resource("life"), updated);
    expect(await readFile(`${folder}/deleted`, "utf8")).toBe("gone");
  });

  test("update falls back to create, and addPreviousOutputInEnv: false hides the output", async () => {
    const given = inputs({ create: 'echo "[$PULUMI_COMMAND_STDOUT]"', addPreviousOutputInEnv: false });
    expect((await plugin.update(resource("fallback"), { ...given, stdout: "old" }, given)).stdout).toBe("[]");
  });
});

describe("check and diff", () => {
  test("check says what is missing and what is allowed", async () => {
    expect(await plugin.check(resource("bad"), { connection: {}, logging: "all", create: 5 })).toEqual([
      "connection.host: connection.host is missing; it must be an address or a name",
      "create: create is a number; it must be a string",
      "logging: logging is all; allowed are stdout, stderr, stdoutAndStderr, none",
    ]);
    expect(
      await plugin.check(resource("unknown"), { connection: unknownValue, create: unknownValue }),
    ).toEqual([]);
  });

  test("a changed trigger replaces, any other input updates, marking as secret changes nothing", async () => {
    const before = { connection: { host: "a" }, create: "x", triggers: [1] };
    const diff = (after: Properties) => plugin.diff(resource("diff"), before, { ...before, ...after });
    expect(await diff({})).toEqual({ diffs: [], replaces: [] });
    expect(await diff({ connection: secret({ host: "a" }) })).toEqual({ diffs: [], replaces: [] });
    expect(await diff({ create: "y", stdin: "z" })).toEqual({ diffs: ["create", "stdin"], replaces: [] });
    expect(await diff({ connection: { host: "b" } })).toEqual({ diffs: ["connection"], replaces: [] });
    expect(await diff({ triggers: [2] })).toEqual({ diffs: ["triggers"], replaces: ["triggers"] });
  });
});

test("cancel ends a running command at once", async () => {
  const running = plugin.create(resource("long"), inputs({ create: "echo started; exec sleep 60" }));
  running.catch(() => {});
  await expect.poll(() => plugin.messages(resource("long"))).toEqual(["started"]);
  const started = performance.now();
  await plugin.cancel();
  expect(await failure(running)).toBe("cancelled by the engine");
  expect(performance.now() - started).toBeLessThan(1_000);
  await plugin.stop();
  plugin = await Plugin.start();
});

test("SIGINT ends the plugin at once, also with open connections", async () => {
  await plugin.create(resource("open"), inputs({ create: "true" }));
  const started = performance.now();
  await plugin.stop();
  expect(plugin.process.exitCode).toBe(0);
  expect(performance.now() - started).toBeLessThan(1_000);
  plugin = await Plugin.start();
});
