/** A local cloud for a test, in this process, and calls to it as any client would make them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { ask } from "../../local-cloud/commands.ts";
import { Home } from "../../local-cloud/home.ts";
import { findRunning } from "../../local-cloud/pid-record.ts";
import { startCloud } from "../../local-cloud/server.ts";
import type { ShownFault } from "../../local-cloud/services/faults/faults.ts";
import type { FaultRequest } from "../../local-cloud/services/faults/settings.ts";
import type { CloudStatus } from "../../local-cloud/status.ts";
import { canonicalQuery, encode, sign } from "../../qingcloud/signature.ts";

export interface Reply {
  readonly ret_code: number;
  readonly message?: string;
  readonly [name: string]: unknown;
}

export interface Keys {
  readonly qy_access_key_id: string;
  readonly qy_secret_access_key: string;
  readonly port: number;
}

/** A client with the keys of a home's config.yaml. */
export class TestClient {
  readonly keys: Keys;
  constructor(keys: Keys) {
    this.keys = keys;
  }

  static ofHome(home: string): TestClient {
    return new TestClient(parse(readFileSync(join(home, "config.yaml"), "utf8")) as Keys);
  }

  /** The signed parameters of a call. */
  signed(
    action: string,
    parameters: Readonly<Record<string, string>>,
    { method = "GET", path = "/iaas/" }: { method?: "GET" | "POST"; path?: string } = {},
  ): Record<string, string> {
    const all: Record<string, string> = {
      action,
      access_key_id: this.keys.qy_access_key_id,
      signature_method: "HmacSHA256",
      signature_version: "1",
      time_stamp: new Date().toISOString().replace(/\.\d{3}Z$/, "Z"),
      version: "1",
      ...parameters,
    };
    const digest = all.signature_method === "HmacSHA1" ? "HmacSHA1" : "HmacSHA256";
    return { ...all, signature: sign(method, path, all, this.keys.qy_secret_access_key, digest) };
  }

  /** Path and query of a call. */
  path(parameters: Readonly<Record<string, string>>, path = "/iaas/"): string {
    const { signature, ...rest } = parameters;
    const last = signature === undefined ? "" : `&signature=${encode(signature)}`;
    return `${path}?${canonicalQuery(rest)}${last}`;
  }

  async send(parameters: Readonly<Record<string, string>>, path = "/iaas/"): Promise<Response> {
    return await fetch(`http://127.0.0.1:${this.keys.port}${this.path(parameters, path)}`);
  }

  /** Calls an action in zone gpu1a unless another is given. */
  async call(action: string, parameters: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const response = await this.send(this.signed(action, { zone: "gpu1a", ...parameters }));
    return (await response.json()) as Reply;
  }

  /** Calls an action that must succeed. */
  async ok(action: string, parameters: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const reply = await this.call(action, parameters);
    if (reply.ret_code !== 0) throw new Error(`${action}: ${reply.ret_code} ${reply.message}`);
    return reply;
  }

  /** Calls an asynchronous action and waits until its job has ended successfully. */
  async done(action: string, parameters: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const reply = await this.ok(action, parameters);
    const job = await this.ended(String(reply.job_id), parameters.zone ?? "gpu1a");
    if (job.status !== "successful") throw new Error(`${action}: job ${job.status}`);
    return reply;
  }

  /** The job once it has ended. */
  async ended(jobId: string, zone = "gpu1a", patience = 10_000): Promise<Record<string, unknown>> {
    const deadline = Date.now() + patience;
    for (;;) {
      const { job_set } = await this.ok("DescribeJobs", { zone, "jobs.1": jobId });
      const [job] = job_set as Record<string, unknown>[];
      if (job?.status === "successful" || job?.status === "failed") return job;
      if (Date.now() > deadline) throw new Error(`job ${jobId} has not ended: ${JSON.stringify(job)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** The first item of what a Describe action answers. */
  async one(
    action: string,
    set: string,
    parameters: Readonly<Record<string, string>>,
  ): Promise<Record<string, unknown>> {
    const items = (await this.ok(action, parameters))[set] as Record<string, unknown>[];
    const [item] = items;
    if (item === undefined) throw new Error(`${action} ${JSON.stringify(parameters)} is empty`);
    return item;
  }
}

export interface TestCloud {
  readonly home: string;
  readonly client: TestClient;
  readonly logged: string[];
  /** Adds a fault. */
  fault(request: FaultRequest): Promise<void>;
  faults(): Promise<readonly ShownFault[]>;
  clearFaults(id?: string): Promise<void>;
  status(): Promise<CloudStatus>;
  stop(): Promise<void>;
}

export interface TestCloudOptions {
  readonly jobs?: string;
  readonly rateLimit?: string;
  readonly home?: string;
  readonly quota?: string;
  readonly links?: readonly string[];
  readonly dataPlane?: "linux";
}

export async function startTestCloud(options: TestCloudOptions = {}): Promise<TestCloud> {
  const home = options.home ?? mkdtempSync(join(tmpdir(), "local-cloud-"));
  const logged: string[] = [];
  const cloud = await startCloud({
    home,
    port: 0,
    dataPlane: options.dataPlane ?? "none",
    jobs: options.jobs ?? "instant",
    rateLimit: options.rateLimit,
    quota: options.quota,
    links: options.links,
    webRoot: home,
    log: (line) => logged.push(line),
  });
  const client = TestClient.ofHome(home);
  // Kept connections to an earlier server at this port are found closed here, not by the test's first call.
  await client.send({}).catch(() => undefined);
  return {
    home,
    client,
    logged,
    fault: async (request) => void (await askCloud(home, "POST", "faults", request)),
    faults: async () => (await askCloud(home, "GET", "faults")).faults,
    clearFaults: async (id) =>
      void (await askCloud(home, "DELETE", id === undefined ? "faults" : `faults/${id}`)),
    status: () => askCloud<CloudStatus>(home, "GET", "status"),
    async stop() {
      await cloud.stop();
      // The client's connections hear of it before another cloud has the same port.
      await new Promise((resolve) => setImmediate(resolve));
      if (options.home === undefined) rmSync(home, { recursive: true });
    },
  };
}

/** As the cloud's commands do it; throws with the message of what can not be. */
async function askCloud<Answer = { readonly faults: readonly ShownFault[] }>(
  home: string,
  method: "GET" | "POST" | "DELETE",
  command: string,
  body?: object,
): Promise<Answer> {
  const record = await findRunning(new Home(home).pid);
  if (record === undefined) throw new Error(`the cloud of ${home} does not run`);
  return await ask<Answer>(record, method, command, body);
}

export const firstId = (list: unknown): string => String((list as unknown[])[0]);

/** An ed25519 public key, and its body alone. */
export const publicKeyBody = "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
export const publicKey = `ssh-ed25519 ${publicKeyBody} someone@somewhere`;

/** A router with an EIP that is applied, and a vxnet in it. */
export async function makeNetwork(
  client: TestClient,
  zone = "gpu1a",
  network = "192.168.1.0/24",
): Promise<{ router: string; vxnet: string; eip: string }> {
  const router = firstId(
    (await client.done("CreateRouters", { zone, vpc_network: "192.168.0.0/16" })).routers,
  );
  const vxnet = firstId((await client.ok("CreateVxnets", { zone, vxnet_type: "1" })).vxnets);
  const eip = firstId((await client.ok("AllocateEips", { zone, bandwidth: "10" })).eips);
  await client.done("JoinRouter", { zone, router, vxnet, ip_network: network });
  await client.ok("ModifyRouterAttributes", { zone, router, eip });
  await client.done("UpdateRouters", { zone, "routers.1": router });
  return { router, vxnet, eip };
}

/** A key pair registered with the key above. */
export async function makeKeyPair(client: TestClient, zone = "gpu1a"): Promise<string> {
  const { keypair_id } = await client.ok("CreateKeyPair", { zone, mode: "user", public_key: publicKey });
  return String(keypair_id);
}

/** What RunInstances needs for a bare instance of two CPUs. */
export const bareInstance = (keypair: string, more: Readonly<Record<string, string>> = {}) => ({
  image_id: "img-bare",
  cpu: "2",
  memory: "2048",
  login_mode: "keypair",
  login_keypair: keypair,
  ...more,
});

/** A bare instance that runs. */
export async function runInstance(
  client: TestClient,
  keypair: string,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  return firstId((await client.done("RunInstances", bareInstance(keypair, more))).instances);
}

/** A cloud where jobs of one action do not end. */
export async function withEndless(action: string, use: (client: TestClient) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "jobs-"));
  const jobs = join(folder, "jobs.json");
  writeFileSync(jobs, JSON.stringify({ [action]: 600 }));
  const endless = await startTestCloud({ jobs });
  try {
    await use(endless.client);
  } finally {
    await endless.stop();
    rmSync(folder, { recursive: true });
  }
}
