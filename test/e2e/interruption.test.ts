/** `npm start` is stopped in the middle, gently and not; the next one finishes what was begun, and nothing is there twice. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostNetwork, namespacesOf, processesOf } from "../harness/machine.ts";
import { Place } from "../harness/place.ts";
import { waitFor, waitForText, within } from "../harness/process.ts";

/** Runs a program on a terminal of its own, so that Ctrl-C is what it is for a user: SIGINT to the whole group, once. */
const onTerminal = [
  "/usr/bin/python3",
  "-c",
  // An end by signal 2 is 130 to a shell.
  "import os, pty, sys; code = os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])); sys.exit(code if code >= 0 else 128 - code)",
];
/** Two ranks that meet over the tunnel: what runs in the end need not learn. The other one starts once rank 0 listens. */
const meeting = `import os, socket

address = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
if os.environ["RANK"] == "0":
    with socket.create_server(address) as server:
        server.settimeout(120)
        server.accept()[0].sendall(b"!")
else:
    with socket.create_connection(address, 120) as connection:
        assert connection.recv(1) == b"!"
`;
const hostBefore = hostNetwork();
let place: Place;

beforeAll(() => {
  place = new Place();
  const script = join(place.directory, "meeting.py");
  writeFileSync(script, meeting);
  place.configure({ "training.script.path": script });
});

afterAll(() => place.remove());

test("Ctrl-C ends it soon, with exit code 130 and what to do next", async () => {
  const running = place.run("start", [], { wrapper: onTerminal });
  await waitForText(running, /qingcloud:cloud:Vpc \S+ creating/);
  running.child.stdin?.write("\x03");
  const { code, text } = await within("the end after Ctrl-C", running.ended, 60);
  expect(code, text).toBe(130);
  expect(text).toContain(
    "Stopped in the middle: what was made is kept, and the next `npm start` goes on from there.",
  );
  expect(text).not.toMatch(/qingcloud:cloud:Instance \S+ created/);
  expect(programsOf("pulumi")).toEqual([]);
});

test("a kill -9 of everything leaves a lock and operations that were not finished", async () => {
  const running = place.run("start");
  await waitForText(running, /qingcloud:cloud:Instance \S+ creating/);
  process.kill(-(running.child.pid ?? 0), "SIGKILL");
  await within("the end after SIGKILL", running.ended, 30);
  const state = join(place.pulumiHome, "state", ".pulumi");
  const locks = join(state, "locks", "organization", "crosszone", "dev");
  expect(readdirSync(locks).filter((file) => file.endsWith(".json"))).toHaveLength(1);
  const { checkpoint } = JSON.parse(readFileSync(join(state, "stacks", "crosszone", "dev.json"), "utf8")) as {
    checkpoint: { latest: { pending_operations?: unknown[] } };
  };
  expect(checkpoint.latest.pending_operations?.length ?? 0).toBeGreaterThan(0);
});

test("the next start finishes, and no resource is there twice", async () => {
  const ended = await place.start();
  expect(ended.code, ended.text).toBe(0);
  const each = {
    eip: 1,
    security_group: 1,
    keypair: 1,
    vxnet: 1,
    router: 1,
    router_static: 2,
    instance: 1,
    volume: 0,
    tag: 0,
    userdata_attachment: 0,
  };
  const { zones, routers, nodes } = await place.status();
  expect(zones).toEqual([
    { id: "gpu1a", resources: each, jobs: 0 },
    { id: "gpu2a", resources: each, jobs: 0 },
  ]);
  expect(routers.map(({ tunnels }) => tunnels.map(({ established }) => established))).toEqual([
    [true],
    [true],
  ]);
  expect(nodes.length).toBe(2);
  expect(place.checkpoint().pending).toEqual([]);
  expect(place.outputs()).toMatchObject({
    training: {
      state: "succeeded",
      ranks: [
        { rank: 0, exitCode: 0 },
        { rank: 1, exitCode: 0 },
      ],
    },
  });
});

test("destroy and stop leave nothing, of any of the three runs", async () => {
  const prefix = (await place.status()).routers[0]?.namespace.split("-")[0] ?? "";
  await place.pulumiOk("destroy", "--yes", "--non-interactive");
  const { zones, routers, nodes } = await place.status();
  expect(zones.flatMap(({ resources }) => Object.values(resources)).every((count) => count === 0)).toBe(true);
  expect([routers, nodes, namespacesOf(`${prefix}-`)]).toEqual([[], [], []]);
  await place.cloudOk("stop");
  await waitFor("the end of every process", () => processesOf([], place.directory).length === 0, 10);
  expect(hostNetwork()).toEqual(hostBefore);
});

function programsOf(name: string): string[] {
  return processesOf([], place.directory)
    .map(({ commandLine }) => commandLine)
    .filter((line) => (line.split(" ")[0] ?? "").endsWith(`/${name}`));
}
