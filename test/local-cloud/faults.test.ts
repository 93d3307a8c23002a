import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { FaultRequest } from "../../local-cloud/services/faults/settings.ts";
import { AllocateEips, DescribeEips } from "../../qingcloud/actions.ts";
import { QingCloudClient } from "../../qingcloud/client.ts";
import { firstId, makeKeyPair, startTestCloud } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const cloud = useTestCloud();
const { client } = cloud;
beforeEach(() => cloud.clearFaults());

const main = join(import.meta.dirname, "..", "..", "local-cloud", "main.ts");
interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
async function run(command: string, ...options: string[]): Promise<Outcome> {
  const argv = ["--disable-warning=ExperimentalWarning", main, "fault", command, "--home", cloud.home];
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [...argv, ...options])) };
  } catch (error) {
    return error as Outcome;
  }
}
const faults = () => cloud.faults();
const calls = (action: string) =>
  readFileSync(join(cloud.home, "calls.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { action: string; ret_code: number; message?: string })
    .filter((call) => call.action === action);
const eips = async (zone = "gpu1a") => (await client.ok("DescribeEips", { zone })).total_count;
const allocate = (more: Readonly<Record<string, string>> = {}) =>
  client.call("AllocateEips", { bandwidth: "1", ...more });

test("refuse answers its ret_code and message, as often as asked, and nothing is done", async () => {
  const before = await eips();
  await cloud.fault({ action: "AllocateEips", kind: "refuse", code: 5200, message: "none left", times: 2 });
  for (let round = 0; round < 2; round += 1) {
    expect(await allocate()).toEqual({ ret_code: 5200, message: "none left" });
  }
  expect(await eips()).toBe(before);
  expect(calls("AllocateEips").slice(-2)).toMatchObject([
    { ret_code: 5200, message: "none left" },
    { ret_code: 5200, message: "none left" },
  ]);
  expect(await allocate()).toMatchObject({ ret_code: 0 });
});

test("a fault of one zone and of one action touches no other call, nor one that is refused anyway", async () => {
  await cloud.fault({ action: "AllocateEips", kind: "refuse", zone: "gpu2a" });
  expect(await allocate()).toMatchObject({ ret_code: 0 });
  expect(await client.call("CreateVxnets", { zone: "gpu2a", vxnet_type: "1" })).toMatchObject({
    ret_code: 0,
  });
  expect(await allocate({ zone: "gpu2a", bandwidth: "0" })).toMatchObject({ ret_code: 1101 });
  expect(await allocate({ zone: "gpu2a" })).toEqual({
    ret_code: 5000,
    message: "InjectedFault, a fault that was added to the local cloud",
  });
  expect(await allocate({ zone: "gpu2a" })).toMatchObject({ ret_code: 0 });
});

test("lose-request closes the connection before anything is done", async () => {
  const [before, logged] = [await eips(), calls("AllocateEips").length];
  await cloud.fault({ action: "AllocateEips", kind: "lose-request" });
  await expect(allocate()).rejects.toThrow("fetch failed");
  expect([await eips(), calls("AllocateEips").length]).toEqual([before, logged]);
  expect(await allocate()).toMatchObject({ ret_code: 0 });
});

test("lose-answer does the call, records it, and closes the connection; a refused call is answered", async () => {
  const before = Number(await eips());
  await cloud.fault({ action: "AllocateEips", kind: "lose-answer" });
  expect(await allocate({ bandwidth: "0" })).toMatchObject({ ret_code: 1101 });
  await expect(allocate({ eip_name: "lost" })).rejects.toThrow("fetch failed");
  expect(await eips()).toBe(before + 1);
  expect(calls("AllocateEips").at(-1)).toMatchObject({ parameters: { eip_name: "lost" }, ret_code: 0 });
});

test("http answers a status other than 200 before anything is done", async () => {
  const before = await eips();
  await cloud.fault({ action: "AllocateEips", kind: "http", code: 503 });
  const parameters = client.signed("AllocateEips", { zone: "gpu1a", bandwidth: "1" });
  expect((await client.send(parameters)).status).toBe(503);
  expect(await eips()).toBe(before);
  expect((await client.send(parameters)).status).toBe(200);
});

test("delay does the call at once and answers after its seconds", async () => {
  const before = Number(await eips());
  await cloud.fault({ action: "AllocateEips", kind: "delay", seconds: 1.5 });
  const start = performance.now();
  let answered = false;
  const delayed = allocate().finally(() => {
    answered = true;
  });
  const deadline = Date.now() + 5000;
  while ((await eips()) === before) expect(Date.now()).toBeLessThan(deadline);
  expect(answered).toBe(false);
  expect(await delayed).toMatchObject({ ret_code: 0 });
  expect(performance.now() - start).toBeGreaterThanOrEqual(1490);
});

test("fail-job lets the job of the call end failed, and nothing of it stays", async () => {
  await cloud.fault({ action: "RunInstances", kind: "fail-job", code: 5200, message: "no host" });
  const volume = firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
  const keypair = await makeKeyPair(client);
  const wanted = {
    image_id: "img-bare",
    cpu: "1",
    memory: "1024",
    login_mode: "keypair",
    login_keypair: keypair,
    "volumes.1": volume,
  };
  expect(await client.call("RunInstances", { ...wanted, cpu: "3" })).toMatchObject({ ret_code: 1101 });
  const { instances, job_id } = await client.ok("RunInstances", wanted);
  expect(await client.ended(String(job_id))).toMatchObject({
    status: "failed",
    error_codes: "5200",
    error_message: "no host",
  });
  const id = firstId(instances);
  expect(await client.one("DescribeInstances", "instance_set", { "instances.1": id })).toMatchObject({
    status: "ceased",
    transition_status: "",
  });
  expect(await client.one("DescribeVolumes", "volume_set", { "volumes.1": volume })).toMatchObject({
    status: "available",
    transition_status: "",
  });
  await client.done("RunInstances", wanted);
});

test("* is any action; the oldest fault is met first", async () => {
  await cloud.fault({ action: "*", kind: "refuse", code: 5100 });
  await cloud.fault({ action: "DescribeZones", kind: "refuse", code: 5300 });
  expect((await client.call("DescribeZones")).ret_code).toBe(5100);
  expect((await client.call("DescribeZones")).ret_code).toBe(5300);
  expect((await client.call("DescribeZones")).ret_code).toBe(0);
  await cloud.fault({ action: "*", kind: "fail-job" });
  await client.ok("DescribeZones");
  const { job_id } = await client.ok("CreateVolumes", { size: "10" });
  expect(await client.ended(String(job_id))).toMatchObject({ status: "failed", error_codes: "5000" });
});

test("the client of this project asks again after 5100 and reads again after a lost answer, creates once", async () => {
  const { qy_access_key_id: accessKeyId, qy_secret_access_key: secretAccessKey, port } = client.keys;
  const endpoint = new URL(`http://127.0.0.1:${port}/iaas/`);
  const own = new QingCloudClient({
    accessKeyId,
    secretAccessKey,
    endpoint,
    zone: "gpu1a",
    source: "the test",
  });
  onTestFinished(() => own.close());
  await cloud.fault({ action: "*", kind: "refuse", code: 5100 });
  await cloud.fault({ action: "DescribeEips", kind: "lose-answer" });
  const before = Number((await own.call(DescribeEips, "gpu1a", {})).total_count);
  await cloud.fault({ action: "AllocateEips", kind: "lose-answer" });
  await expect(own.call(AllocateEips, "gpu1a", { bandwidth: 1 })).rejects.toMatchObject({
    outcome: "unknown",
  });
  await cloud.fault({ action: "AllocateEips", kind: "http" });
  await expect(own.call(AllocateEips, "gpu1a", { bandwidth: 1 })).rejects.toMatchObject({
    outcome: "unknown",
  });
  expect((await own.call(DescribeEips, "gpu1a", {})).total_count).toBe(before + 1);
});

test("fault add, list and clear, of all or of one; reset clears too", async () => {
  expect(await run("list")).toMatchObject({ code: 0, stdout: "There are no faults.\n" });
  const added = await run(
    "add",
    ...["--action", "UpdateRouters", "--kind", "fail-job", "--zone", "gpu1a", "--times", "2"],
  );
  expect(added.stdout).toMatch(
    /^flt-[a-z0-9]{8} {2}The next 2 calls of UpdateRouters in gpu1a: the job ends failed with 5000, InjectedFault, a fault that was added to the local cloud\.\n$/,
  );
  const [failingId = ""] = added.stdout.split(" ");
  const slow = JSON.parse(
    (await run("add", "--action", "*", "--kind", "delay", "--seconds", "0.5", "--json")).stdout,
  );
  expect(slow).toEqual({
    id: expect.stringMatching(/^flt-/),
    kind: "delay",
    action: "*",
    times: 1,
    nth: 1,
    seconds: 0.5,
    text: "The next call of any action in any zone: answered after 0.5 s.",
  });
  const failing = {
    id: failingId,
    kind: "fail-job",
    action: "UpdateRouters",
    zone: "gpu1a",
    times: 2,
    nth: 1,
    code: 5000,
    message: "InjectedFault, a fault that was added to the local cloud",
    text: expect.any(String),
  };
  expect(JSON.parse((await run("list", "--json")).stdout)).toEqual({ faults: [failing, slow] });
  expect((await run("list")).stdout.split("\n")[1]).toBe(`${slow.id}  ${slow.text}`);
  expect(await run("clear", failingId)).toMatchObject({
    code: 0,
    stdout: `There is no fault ${failingId} any more.\n${slow.id}  ${slow.text}\n`,
  });
  expect(await run("clear", failingId)).toMatchObject({
    code: 2,
    stderr: `cloud: there is no fault ${failingId}: there is ${slow.id}\n`,
  });
  expect(await run("clear", "--json")).toMatchObject({ code: 0, stdout: '{\n  "faults": []\n}\n' });
  expect(await faults()).toEqual([]);
  await cloud.fault({ action: "*", kind: "lose-request", times: 9 });
  const argv = ["--disable-warning=ExperimentalWarning", main, "reset", "--home", cloud.home];
  await promisify(execFile)(process.execPath, argv);
  expect(await faults()).toEqual([]);
});

test("--nth: only the calls that it counts come before the one that meets it", async () => {
  await cloud.fault({ action: "AllocateEips", kind: "refuse", code: 5200, nth: 3 });
  await cloud.fault({ action: "AllocateEips", kind: "lose-answer", nth: 2, zone: "gpu2a" });
  const codes = [];
  // A call that is refused anyway and one of another action do not count.
  for (const bandwidth of ["1", "0", "1", "1", "1"]) codes.push((await allocate({ bandwidth })).ret_code);
  expect(codes).toEqual([0, 1101, 0, 5200, 0]);
  expect(await faults()).toMatchObject([{ kind: "lose-answer", nth: 2 }]);
  expect(await allocate({ zone: "gpu2a", bandwidth: "0" })).toMatchObject({ ret_code: 1101 });
  expect(await allocate({ zone: "gpu2a" })).toMatchObject({ ret_code: 0 });
  await expect(allocate({ zone: "gpu2a" })).rejects.toThrow("fetch failed");
});

test("--resource: only calls that name the resource, alone or in a list, meet it", async () => {
  const [one = "", other = ""] = (await client.ok("AllocateEips", { bandwidth: "1", count: "2" }))
    .eips as string[];
  await cloud.fault({ action: "*", kind: "refuse", resource: one, times: 2 });
  await client.ok("DescribeEips", { "eips.1": other });
  await client.ok("DescribeEips");
  expect(await client.call("DescribeEips", { "eips.1": other, "eips.2": one })).toMatchObject({
    ret_code: 5000,
  });
  expect(await client.call("ModifyEipAttributes", { eip: one, eip_name: "x" })).toMatchObject({
    ret_code: 5000,
  });
  await client.ok("DescribeEips", { "eips.1": one });
});

test("hang-job lets the job of the call not end before the fault is cleared, over a restart too", async () => {
  const home = mkdtempSync(join(tmpdir(), "local-cloud-"));
  const first = await startTestCloud({ home });
  await first.fault({ kind: "hang-job", action: "CreateVolumes", nth: 2 });
  const size = { size: "10" };
  await first.client.done("CreateVolumes", size);
  const { volumes, job_id } = await first.client.ok("CreateVolumes", size);
  await first.client.done("CreateVolumes", size);
  const volume = { "volumes.1": firstId(volumes) };
  await first.stop();
  const second = await startTestCloud({ home });
  onTestFinished(async () => {
    await second.stop();
    rmSync(home, { recursive: true });
  });
  // Another job has come and gone since.
  await second.client.done("CreateVolumes", size);
  const hanging = { "jobs.1": String(job_id) };
  expect(await second.client.one("DescribeJobs", "job_set", hanging)).toMatchObject({ status: "working" });
  expect(await second.client.one("DescribeVolumes", "volume_set", volume)).toMatchObject({
    status: "pending",
    transition_status: "creating",
  });
  const [fault] = await second.faults();
  expect(fault).toMatchObject({
    kind: "hang-job",
    times: 0,
    jobs: [job_id],
    text: "1 job does not end until it is cleared.",
  });
  await second.clearFaults(fault?.id);
  expect(await second.client.ended(String(job_id))).toMatchObject({ status: "successful" });
  expect(await second.client.one("DescribeVolumes", "volume_set", volume)).toMatchObject({
    status: "available",
    transition_status: "",
  });
});

test("exhaust refuses with 5200 what would otherwise be made, until it is cleared, and nothing is left of it", async () => {
  const creating: [string, string, Record<string, string>][] = [
    ["eip", "AllocateEips", { bandwidth: "1" }],
    ["router", "CreateRouters", { vpc_network: "192.168.0.0/16" }],
    ["vxnet", "CreateVxnets", { vxnet_type: "1" }],
    ["volume", "CreateVolumes", { size: "10" }],
  ];
  for (const [of, action, parameters] of creating) {
    await cloud.fault({ kind: "exhaust", of, zone: "gpu1a" });
    const list = action.replace(/^(Allocate|Create)/, "Describe");
    const before = (await client.ok(list)).total_count;
    for (let round = 0; round < 2; round += 1) {
      expect(await client.call(action, parameters), action).toEqual({
        ret_code: 5200,
        message: `InsufficientResources, zone [gpu1a] has no ${of} left`,
      });
    }
    expect((await client.ok(list)).total_count, list).toBe(before);
    await client.ok(action, { ...parameters, zone: "gpu2a" });
  }
  expect(await client.call("AllocateEips", { bandwidth: "1", eip_group: "x", count: "0" })).toMatchObject({
    ret_code: 1101,
  });
  await cloud.clearFaults();
  for (const [, action, parameters] of creating) await client.ok(action, parameters);
});

test("exhaust of gpu refuses instances with GPUs only, and is over after its --seconds", async () => {
  const keypair = await makeKeyPair(client);
  const login = { image_id: "img-bare", login_mode: "keypair", login_keypair: keypair };
  const gpu = { ...login, instance_type: "g2ntp100.4xlarge.r4" };
  await cloud.fault({ kind: "exhaust", of: "gpu", seconds: 1.5 });
  expect(await client.call("RunInstances", gpu)).toEqual({
    ret_code: 5200,
    message: "InsufficientResources, zone [gpu1a] has no gpu left",
  });
  await client.done("RunInstances", { ...login, cpu: "1", memory: "1024" });
  const [fault] = await cloud.faults();
  expect(fault?.text).toMatch(
    /^Every zone has no gpu left, creating one is refused with 5200, for [01]\.\d s more\.$/,
  );
  await vi.waitFor(async () => expect(await cloud.faults()).toEqual([]), 5000);
  await client.done("RunInstances", gpu);
});

test("clock: time stamps, times in answers and leases follow the server's clock; jobs take their time", async () => {
  const at = (offset: number) => ({
    time_stamp: new Date(Date.now() + offset * 1000).toISOString().replace(/\.\d{3}Z$/, "Z"),
  });
  const age = (item: Record<string, unknown>): number => Date.now() - Date.parse(String(item.create_time));
  for (const offset of [3600, -90]) {
    await cloud.fault({ kind: "clock", offset });
    expect(await client.call("DescribeZones")).toMatchObject({
      ret_code: 1300,
      message: expect.stringMatching(
        offset > 0 ? /^RequestExpired, time stamp .* is more than 60 s old/ : /is more than 60 s ahead/,
      ),
    });
    const { volumes, job_id } = await client.ok("CreateVolumes", { size: "10", ...at(offset) });
    const made = { "volumes.1": firstId(volumes) };
    const volume = await client.one("DescribeVolumes", "volume_set", { ...made, ...at(offset) });
    expect(Math.abs(age(volume) / 1000 + offset)).toBeLessThan(30);
    await cloud.clearFaults();
    const job = await client.ended(String(job_id));
    expect(job).toMatchObject({ status: "successful" });
    expect(Math.abs(age(job) / 1000 + offset)).toBeLessThan(30);
    await client.done("DeleteVolumes", made);
  }
});

test("crash-node: the instance shows as running; a restart, a stop, its time or clearing ends it", async () => {
  const keypair = await makeKeyPair(client);
  const login = { image_id: "img-bare", login_mode: "keypair", login_keypair: keypair };
  const { instances } = await client.done("RunInstances", { ...login, cpu: "1", memory: "1024" });
  const resource = firstId(instances);
  const named = { "instances.1": resource };
  const crash = (more: FaultRequest = {}) => cloud.fault({ kind: "crash-node", resource, ...more });
  await crash();
  expect(await client.one("DescribeInstances", "instance_set", named)).toMatchObject({ status: "running" });
  await expect(crash()).rejects.toThrow(
    `--resource ${resource}: must be an instance that is running and has not crashed`,
  );
  await client.done("RestartInstances", named);
  await vi.waitFor(async () => expect(await faults()).toEqual([]));
  await crash();
  await client.done("StopInstances", named);
  await vi.waitFor(async () => expect(await faults()).toEqual([]));
  await expect(crash()).rejects.toThrow("must be an instance that is running");
  await client.done("StartInstances", named);
  await crash({ seconds: 0.2 });
  await vi.waitFor(async () => expect(await faults()).toEqual([]), 5000);
  await crash();
  expect(await faults()).toMatchObject([
    {
      kind: "crash-node",
      resource,
      text: `The node of ${resource} is down, its instance shows as running (a restart or a stop ends this), until it is cleared.`,
    },
  ]);
  await cloud.clearFaults();
  await crash();
});

test("crash-router: the router shows as active until it is powered off; only a router that is up can crash", async () => {
  const { routers } = await client.done("CreateRouters", { vpc_network: "172.16.0.0/16" });
  const resource = firstId(routers);
  const named = { "routers.1": resource };
  await cloud.fault({ kind: "crash-router", resource });
  expect(await client.one("DescribeRouters", "router_set", named)).toMatchObject({ status: "active" });
  await client.done("UpdateRouters", named);
  expect(await faults()).toMatchObject([{ kind: "crash-router", resource }]);
  await client.done("PowerOffRouters", named);
  await vi.waitFor(async () => expect(await faults()).toEqual([]));
  await expect(cloud.fault({ kind: "crash-router", resource })).rejects.toThrow(
    `--resource ${resource}: must be a router that is active and has not crashed`,
  );
  await expect(cloud.fault({ kind: "crash-router", resource: "i-00000000" })).rejects.toThrow(
    "--resource i-00000000: must be a router that is active",
  );
});

test.each<[Partial<Record<keyof FaultRequest, string>>, RegExp]>([
  [
    { action: "FlyInstances", kind: "refuse" },
    /^--action FlyInstances: must be one of \*, .*AllocateEips, .*UpdateRouters/,
  ],
  [
    { action: "AllocateEips", kind: "fail-job" },
    /^--action AllocateEips: must be one of \*, ApplySecurityGroup, /,
  ],
  [{ kind: "refuse" }, /^--action is missing: must be one of \*, /],
  [
    { action: "*", kind: "explode" },
    /^--kind explode: must be one of refuse, lose-request, lose-answer, delay, fail-job, hang-job, http, exhaust, crash-node, crash-router, cut-link, lose-packets, delay-packets, cut-tunnel, clock$/,
  ],
  [{ action: "*", kind: "refuse", zone: "pek3" }, /^--zone pek3: must be one of gpu1a, gpu2a$/],
  [{ action: "*", kind: "refuse", times: "0" }, /^--times 0: must be a whole number from 1 to 1000000$/],
  [{ action: "*", kind: "refuse", code: "42" }, /^--code 42: must be one of 1100, 1101, .*, 5400$/],
  [{ action: "*", kind: "http", code: "200" }, /^--code 200: must be an HTTP status from 400 to 599$/],
  [{ action: "*", kind: "delay" }, /^--seconds is missing: must be more than 0, at most 600$/],
  [{ action: "*", kind: "delay", seconds: "soon" }, /^--seconds soon: must be more than 0, at most 600$/],
  [
    { action: "*", kind: "lose-answer", code: "5000" },
    /^--code 5000: is for --kind refuse, fail-job, http only, not for lose-answer$/,
  ],
  [{ kind: "exhaust" }, /^--of is missing: must be one of eip, instance, gpu, router, vxnet, volume$/],
  [
    { kind: "exhaust", of: "eip", times: "2" },
    /^--times 2: is for --kind refuse, .*, http only, not for exhaust$/,
  ],
  [{ kind: "exhaust", of: "eip", seconds: "-1" }, /^--seconds -1: must be more than 0, at most 86400$/],
  [{ kind: "clock" }, /^--offset is missing: must be seconds from -86400 to 86400, not 0$/],
  [{ kind: "clock", offset: "0" }, /^--offset 0: must be seconds from -86400 to 86400, not 0$/],
  [{ kind: "crash-node" }, /^--resource is missing: must be the id of a resource, e.g. eip-0a1b2c3d$/],
  [{ action: "*", kind: "http", nth: "0" }, /^--nth 0: must be a whole number from 1 to 1000000$/],
  [
    { action: "*", kind: "http", resource: "*" },
    /^--resource \*: must be the id of a resource, e.g. eip-0a1b2c3d$/,
  ],
  [{ action: "*", kind: "http", colour: "red" }, /^colour: is no setting of a fault$/],
])("a fault that can not be is refused with what is allowed: %o", async (request, message) => {
  await expect(cloud.fault(request as unknown as FaultRequest)).rejects.toThrow(message);
  expect(await faults()).toEqual([]);
});

test("the command says what is wrong, with exit code 2", async () => {
  expect(await run("add", "--action", "*", "--kind", "refuse", "--times", "many")).toMatchObject({
    code: 2,
    stderr: "cloud: --times many: must be a whole number from 1 to 1000000\n",
  });
  const argv = ["--disable-warning=ExperimentalWarning", main, "fault", "list", "--home", "/nowhere"];
  const outcome = await promisify(execFile)(process.execPath, argv).catch((error: unknown) => error);
  expect(outcome).toMatchObject({
    code: 2,
    stderr:
      "cloud: the local cloud of /nowhere is not running, its server keeps the faults: start it first (npm run cloud -- start)\n",
  });
});
