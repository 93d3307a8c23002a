import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import type { DataPlane } from "../../local-cloud/network/data-plane.ts";
import { noDataPlane } from "../../local-cloud/network/none.ts";
import type { Picture } from "../../local-cloud/network/picture.ts";
import { defaultQuotas } from "../../local-cloud/services/account/limits.ts";
import type { ZoneState } from "../../local-cloud/services/context.ts";
import { type Handlers, newId } from "../../local-cloud/services/context.ts";
import { handlers } from "../../local-cloud/services/handlers.ts";
import { readDurations } from "../../local-cloud/services/jobs/jobs.ts";
import { JobRunner } from "../../local-cloud/services/jobs/runner.ts";
import { seed } from "../../local-cloud/services/zones/seed.ts";
import { Measurements } from "../../local-cloud/store/measurements.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { actionsByName } from "../../qingcloud/actions.ts";
import { firstId, publicKey, startTestCloud } from "./support.ts";

test("while a job is at work its resource says so and refuses other changes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "durations-"));
  const jobs = join(folder, "jobs.json");
  writeFileSync(jobs, JSON.stringify({ CreateRouters: 2 }));
  const { client, stop } = await startTestCloud({ jobs });
  const { routers, job_id } = await client.ok("CreateRouters", { vpc_network: "192.168.0.0/16" });
  const router = firstId(routers);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const job = await client.one("DescribeJobs", "job_set", { "jobs.1": String(job_id) });
  expect(job).toMatchObject({
    job_action: "CreateRouters",
    status: "working",
    resource_ids: router,
    error_codes: "",
  });
  expect(await client.one("DescribeRouters", "router_set", { "routers.1": router })).toMatchObject({
    status: "pending",
    transition_status: "creating",
  });
  for (const [action, doing] of [
    ["UpdateRouters", "updated"],
    ["DeleteRouters", "deleted"],
  ] as const) {
    expect(await client.call(action, { "routers.1": router })).toEqual({
      ret_code: 1400,
      message: `PermissionDenied, router [${router}] is creating, can not be ${doing}`,
    });
  }
  expect(await client.ended(String(job_id))).toMatchObject({ status: "successful" });
  await stop();
  rmSync(folder, { recursive: true });
});

test("a job that was at work when the cloud stopped ends after its restart", async () => {
  const home = mkdtempSync(join(tmpdir(), "local-cloud-"));
  const jobs = join(home, "jobs.json");
  writeFileSync(jobs, JSON.stringify({ CreateRouters: 0.5 }));
  const first = await startTestCloud({ home, jobs });
  const { routers, job_id } = await first.client.ok("CreateRouters", { vpc_network: "192.168.0.0/16" });
  await first.stop();
  const second = await startTestCloud({ home, jobs });
  expect(await second.client.ended(String(job_id))).toMatchObject({ status: "successful" });
  const router = await second.client.one("DescribeRouters", "router_set", { "routers.1": firstId(routers) });
  expect(router).toMatchObject({ status: "active" });
  await second.stop();
  rmSync(home, { recursive: true });
});

test("a machine's clock that is set makes no job and no fault late or early", async () => {
  const folder = mkdtempSync(join(tmpdir(), "durations-"));
  const jobs = join(folder, "jobs.json");
  writeFileSync(jobs, JSON.stringify({ default: 0.2, CreateVolumes: 60, lease: 0 }));
  const { client, fault, faults, stop } = await startTestCloud({ jobs });
  const RealDate = Date;
  const set = (hours: number) => vi.setSystemTime(RealDate.now() + hours * 3_600_000);
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    const made = await client.ok("CreateVolumes", { size: "10" });
    await fault({ kind: "exhaust", zone: "gpu1a", of: "eip", seconds: 60 });
    await fault({ kind: "exhaust", zone: "gpu1a", of: "router", seconds: 0.2 });
    for (const hours of [-1, 1]) {
      const router = { zone: "gpu2a", vpc_network: "192.168.0.0/16" };
      const { job_id } = await client.ok("CreateRouters", router);
      set(hours);
      const job = { zone: "gpu2a", "jobs.1": String(job_id) };
      const isDone = async () =>
        expect(await client.one("DescribeJobs", "job_set", job)).toMatchObject({ status: "successful" });
      await vi.waitFor(isDone, { timeout: 10_000 });
    }
    const volume = { "jobs.1": String(made.job_id) };
    expect(await client.one("DescribeJobs", "job_set", volume)).toMatchObject({ status: "working" });
    expect((await faults()).map(({ text }) => /eip|router/i.exec(text)?.[0])).toEqual(["eip"]);
  } finally {
    vi.useRealTimers();
    await stop();
    rmSync(folder, { recursive: true });
  }
});

test("realistic jobs take the seconds of their table, the others one; instant ones none", () => {
  const table: Record<string, number> = {
    ...{ CreateRouters: 15, JoinRouter: 5, UpdateRouters: 5, RunInstances: 30, ApplySecurityGroup: 3 },
    ...{ ChangeEipsBandwidth: 2, StopInstances: 15, StartInstances: 15, TerminateInstances: 10 },
    ...{ LeaveRouter: 5, DeleteRouters: 10, ReleaseEips: 2 },
  };
  const realistic = readDurations("realistic");
  const jobs = [...actionsByName.values()].filter(({ response }) => "job_id" in response.shape);
  expect(jobs.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(table)));
  for (const { name } of jobs) expect([name, realistic.of(name)]).toEqual([name, table[name] ?? 1]);
  expect(realistic.lease).toBe(5);
  const instant = readDurations("instant");
  expect([instant.of("RunInstances"), instant.lease]).toEqual([0, 0]);
});

test.each([
  ["never", /^--jobs never: must be instant, realistic or a JSON file/],
  [JSON.stringify({ RunInstances: -1 }), /\[RunInstances\] is -1, allowed: 0 to 86400$/],
])("--jobs with %s is refused", (content, message) => {
  if (content === "never") expect(() => readDurations(content)).toThrow(message);
  else {
    const folder = mkdtempSync(join(tmpdir(), "durations-"));
    writeFileSync(join(folder, "jobs.json"), content);
    expect(() => readDurations(join(folder, "jobs.json"))).toThrow(message);
    rmSync(folder, { recursive: true });
  }
});

/** Services over a store in memory with a data plane of the test's own. */
function services(dataPlane: Partial<DataPlane>) {
  const store = new Store(":memory:");
  seed(store);
  const runner = new JobRunner(
    store,
    { ...noDataPlane, ...dataPlane },
    readDurations("instant"),
    () => undefined,
  );
  const state = (): ZoneState => ({ zone: "gpu1a", store, now: Date.now() });
  const call = <Name extends keyof Handlers>(name: Name, request: Parameters<Handlers[Name]>[0]) => {
    const handler = handlers[name] as (
      request: Parameters<Handlers[Name]>[0],
      context: Parameters<Handlers[Name]>[1],
    ) => ReturnType<Handlers[Name]>;
    const context = {
      ...state(),
      leaseDelay: 0,
      measurements: new Measurements(":memory:"),
      quotas: defaultQuotas,
      startJob: (...[work, ids]: Parameters<Parameters<Handlers[Name]>[1]["startJob"]>) =>
        runner.start("gpu1a", work, ids),
    };
    return store.transaction(() => handler(request, context));
  };
  const settle = async (): Promise<void> => {
    runner.wake();
    while (store.list("job").some(({ status }) => status === "pending" || status === "working")) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      runner.wake();
    }
  };
  return { store, runner, call, settle };
}

const oneInstance = {
  image_id: "img-bare",
  cpu: 1,
  memory: 1024,
  count: 1,
  login_mode: "keypair",
  need_userdata: 0,
} as const;

test("a job fails when the data plane can not follow, alone, and leaves its resource sane", async () => {
  const shown: Picture[] = [];
  const broken = new Set<string>();
  const { store, call, settle } = services({
    async converge(picture) {
      const node = picture.nodes.find(({ hostname }) => broken.has(hostname));
      if (node !== undefined) throw new Error(`node ${node.id} has no disk`);
      shown.push(picture);
    },
  });
  const { keypair_id } = call("CreateKeyPair", { mode: "user", public_key: publicKey });
  broken.add("bad");
  const bad = firstId(
    call("RunInstances", { ...oneInstance, hostname: "bad", login_keypair: keypair_id }).instances,
  );
  const good = firstId(
    call("RunInstances", { ...oneInstance, hostname: "good", login_keypair: keypair_id }).instances,
  );
  await settle();
  expect(store.get("instance", "gpu1a", bad)).toMatchObject({
    status: "ceased",
    transition: "",
    keypairIds: [],
  });
  expect(store.get("instance", "gpu1a", good)).toMatchObject({ status: "running", transition: "" });
  const { job_set } = call("DescribeJobs", { offset: 0, limit: 20, verbose: 0 });
  expect(job_set).toMatchObject([
    { status: "failed", error_codes: "5000", error_message: `node ${bad} has no disk`, resource_ids: bad },
    { status: "successful", error_codes: "", resource_ids: good },
  ]);
  expect(shown.at(-1)?.nodes.map(({ id }) => id)).toEqual([good]);
  broken.add("good");
  call("RestartInstances", { instances: [good] });
  await settle();
  expect(store.get("instance", "gpu1a", good)).toMatchObject({ status: "running", transition: "", boot: 1 });
});

test("the disk of an instance is forgotten when it ceases, not when it is terminated", async () => {
  const forgotten: string[] = [];
  const { call, settle } = services({
    async forget(ids) {
      forgotten.push(...ids);
    },
  });
  const { keypair_id } = call("CreateKeyPair", { mode: "user", public_key: publicKey });
  const { instances } = call("RunInstances", { ...oneInstance, count: 2, login_keypair: keypair_id });
  await settle();
  const [first = "", second = ""] = instances;
  call("TerminateInstances", { instances: [first], direct_cease: 0 });
  call("TerminateInstances", { instances: [second], direct_cease: 1 });
  await settle();
  expect(forgotten).toEqual([second]);
  call("CeaseInstances", { instances: [first] });
  await settle();
  expect(forgotten).toEqual([second, first]);
});

test("what a reset took from a data plane that can not follow is forgotten too", async () => {
  const forgotten: string[] = [];
  let isBroken = false;
  const { store, runner, call, settle } = services({
    async converge() {
      if (isBroken) throw new Error("a router can not be removed");
    },
    async forget(ids) {
      forgotten.push(...ids);
    },
  });
  const { instances } = call("RunInstances", {
    ...oneInstance,
    login_mode: "passwd",
    login_passwd: "Zhu88jie-Pass",
  });
  await settle();
  isBroken = true;
  await expect(runner.reset()).rejects.toThrow("a router can not be removed");
  expect(store.list("instance")).toEqual([]);
  expect(forgotten).toEqual(instances);
});

test("after two hours in the recycle bin an instance is ceased and lets go of its network", async () => {
  const forgotten: string[] = [];
  const { store, runner, call, settle } = services({
    async forget(ids) {
      forgotten.push(...ids);
    },
  });
  const { keypair_id } = call("CreateKeyPair", { mode: "user", public_key: publicKey });
  const wanted = { ...oneInstance, login_keypair: keypair_id, vxnets: ["vxnet-0"] };
  const id = firstId(call("RunInstances", wanted).instances);
  await settle();
  call("TerminateInstances", { instances: [id], direct_cease: 0 });
  await settle();
  const now = Date.now();
  try {
    vi.useFakeTimers({ toFake: ["Date"], now: now + 2 * 3_600_000 - 60_000 });
    runner.prune();
    expect(store.get("instance", "gpu1a", id)).toMatchObject({
      status: "terminated",
      nics: [{ vxnetId: "vxnet-0" }],
    });
    vi.setSystemTime(now + 2 * 3_600_000 + 60_000);
    runner.prune();
    expect(store.get("instance", "gpu1a", id)).toMatchObject({ status: "ceased", nics: [] });
    expect(forgotten).toEqual([id]);
  } finally {
    vi.useRealTimers();
  }
});

test("a released EIP is ceased a minute later", async () => {
  const { store, runner, call, settle } = services({});
  const wanted = {
    bandwidth: 1,
    count: 1,
    billing_mode: "bandwidth",
    associate_mode: 0,
    need_icp: 0,
  } as const;
  const eip = firstId(call("AllocateEips", wanted).eips);
  call("ReleaseEips", { eips: [eip] });
  await settle();
  runner.prune();
  expect(store.get("eip", "gpu1a", eip)?.status).toBe("released");
  try {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
    runner.prune();
    expect(store.get("eip", "gpu1a", eip)?.status).toBe("ceased");
  } finally {
    vi.useRealTimers();
  }
});

test("the picture holds what is applied and nothing else", async () => {
  let shown: Picture | undefined;
  const { call, settle } = services({
    async converge(picture) {
      shown = picture;
    },
  });
  const { keypair_id } = call("CreateKeyPair", { mode: "user", public_key: publicKey });
  const router = firstId(
    call("CreateRouters", { vpc_network: "192.168.0.0/16", router_type: 1, count: 1 }).routers,
  );
  const vxnet = firstId(call("CreateVxnets", { vxnet_type: 1, count: 1 }).vxnets);
  const eip = firstId(
    call("AllocateEips", {
      bandwidth: 10,
      count: 1,
      billing_mode: "bandwidth",
      associate_mode: 0,
      need_icp: 0,
    }).eips,
  );
  await settle();
  call("JoinRouter", { router, vxnet, ip_network: "192.168.1.0/24", features: 1 });
  await settle();
  const userdata = { need_userdata: 1, userdata_type: "exec", userdata_value: "ZWNobyBoaQ==" } as const;
  const node = firstId(
    call("RunInstances", {
      ...oneInstance,
      ...userdata,
      hostname: "node-0",
      login_keypair: keypair_id,
      vxnets: [`${vxnet}|192.168.1.2`],
    }).instances,
  );
  await settle();
  call("ModifyRouterAttributes", { router, eip });
  const [forward = "", tunnel = ""] = call("AddRouterStatics", {
    router,
    statics: [
      { static_type: 1, val1: "2222", val2: "192.168.1.2", val3: "22" },
      {
        static_type: 7,
        val1: "198.51.100.10|aes|k3y|",
        val2: "192.168.1.0/24",
        val3: "192.168.2.0/24",
        val4: "aggrmode",
      },
    ],
  }).router_statics;
  const group = String(call("CreateSecurityGroup", {}).security_group_id);
  call("AddSecurityGroupRules", {
    security_group: group,
    rules: [
      { protocol: "udp", priority: 1, action: "accept", direction: 0, val1: "500", val3: "198.51.100.10" },
    ],
  });
  call("ModifyRouterAttributes", { router, security_group: group });
  await settle();
  const inbound = [
    { protocol: "icmp", priority: 1, action: "accept" },
    { protocol: "tcp", priority: 1, action: "accept", from: 22, to: 22 },
  ];
  const bare = {
    id: router,
    zone: "gpu1a",
    intranet: { address: "100.64.0.10", network: "100.64.0.0/16" },
    vxnets: [{ id: vxnet, managerAddress: "192.168.1.1", network: "192.168.1.0/24", dhcp: true, dns: false }],
    hosts: [],
    portForwards: [],
    ipsecTunnels: [],
    greTunnels: [],
    inbound,
    outbound: [],
  };
  expect(shown).toEqual({
    routers: [bare],
    nodes: [
      {
        id: node,
        zone: "gpu1a",
        hostname: "node-0",
        image: "bare",
        boot: 1,
        nics: [{ vxnet, address: "192.168.1.2", mac: expect.any(String) }],
        authorizedKeys: [publicKey.split(" ").slice(0, 2).join(" ")],
        volumes: [],
        metadata: expect.objectContaining({ instance_id: node, vxnets_count: 1 }),
        userdata: {
          folder: "/etc/qingcloud/userdata",
          script: { file: "/etc/rc.local", content: new Uint8Array(Buffer.from("echo hi")) },
        },
      },
    ],
    bastionKeys: [publicKey.split(" ").slice(0, 2).join(" ")],
  });
  call("ResetInstances", {
    instances: [node],
    login_mode: "passwd",
    login_passwd: "hidden",
    need_newsid: 0,
  });
  await settle();
  expect(shown).toMatchObject({ nodes: [{ id: node, boot: 2, disk: 2, authorizedKeys: [] }] });
  call("UpdateRouters", { routers: [router] });
  call("ApplySecurityGroup", { security_group: group });
  call("StopInstances", { instances: [node], force: 0 });
  await settle();
  expect(shown).toMatchObject({
    routers: [
      {
        ...bare,
        eip: { id: eip, address: "203.0.113.10", bandwidthMbps: 10 },
        portForwards: [
          { id: forward, protocol: "tcp", port: 2222, targetAddress: "192.168.1.2", targetPort: 22 },
        ],
        ipsecTunnels: [
          {
            id: tunnel,
            remoteAddress: "198.51.100.10",
            remoteId: "198.51.100.10",
            presharedKey: "k3y",
            localNetworks: ["192.168.1.0/24"],
            remoteNetworks: ["192.168.2.0/24"],
            mode: "aggressive",
          },
        ],
        inbound: [
          { protocol: "udp", priority: 1, action: "accept", from: 500, to: 500, network: "198.51.100.10/32" },
        ],
      },
    ],
    nodes: [],
  });
});

test("ids are random: eight lower-case letters and digits", () => {
  const ids = Array.from({ length: 100 }, () => newId("eip"));
  expect(new Set(ids).size).toBe(100);
  for (const id of ids) expect(id).toMatch(/^eip-[a-z0-9]{8}$/);
});
