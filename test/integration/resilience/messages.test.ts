/** What reaches the user: progress that passes, warnings that stay, and never a secret. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { Account, failureOf, own } from "../../harness/account.ts";
import { type Plugin, urnOf } from "../plugin.ts";
import { Grounds } from "./surroundings.ts";

let account: Account;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start();
  grounds = await Grounds.make(account.client);
  await account.restart({ jobs: { ChangeEipsBandwidth: 2, ReleaseEips: 2 } });
  plugin = await account.process();
});
afterAll(async () => await account?.stop());

test("the jobs of an update and of a delete are told by id and seconds, ephemerally, behind their resource", async () => {
  const urn = urnOf("cloud:Eip", "progress");
  const made = await plugin.create(urn, { ...own, bandwidth: 1 });
  expect(account.engine.toldOf(urn)).toEqual([]);
  const updated = await plugin.update(made, { ...own, bandwidth: 2 });
  await plugin.delete(updated);
  const { job_set } = await account.client.ok("DescribeJobs", { limit: "100" });
  const jobOf = (action: string) =>
    (job_set as Record<string, string>[]).find(
      (job) => job.job_action === action && job.resource_ids === made.id,
    )?.job_id;
  for (const action of ["ChangeEipsBandwidth", "ReleaseEips"]) {
    const message = `waiting for job ${jobOf(action)} 1 s`;
    expect(account.engine.told).toContainEqual({ severity: "info", urn, message, ephemeral: true });
  }
});

test.each<[string, Properties, RegExp]>([
  [
    "a GPU class",
    { cpu: 16, memoryGiB: 64, gpus: 1, gpuClass: 9 },
    /^gpuClass 9 is not documented; documented are 0 \(/,
  ],
  ["a GPU type", { instanceType: "g9new.large" }, /^instanceType "g9new\.large" is no documented GPU type; /],
  [
    "a GPU shape",
    { cpu: 64, memoryGiB: 64, gpus: 8 },
    /is no documented GPU shape; documented are, as CPUs\/GiB\/GPUs, /,
  ],
])("%s that is not documented is warned of, and the warning stays", async (name, shape, message) => {
  const urn = urnOf("cloud:Instance", `warned-${name}`);
  const { vxnet, keyPair } = grounds.shared;
  await plugin.check(urn, { ...own, imageId: "img-bare", vxnetId: vxnet, keypairId: keyPair, ...shape });
  const told = () => account.engine.told.filter((each) => each.urn === urn);
  await vi.waitFor(() => expect(told()).toHaveLength(1));
  expect(told()).toEqual([
    { severity: "warning", urn, message: expect.stringMatching(message), ephemeral: false },
  ]);
});

describe("a cloud that repeats secrets", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  interface Case {
    readonly name: string;
    readonly type: string;
    readonly secret: string;
    readonly create: string;
    inputs(secret: string): Properties;
    readonly update?: string;
    /** How often a bad value is asked for: a tunnel's network may just have become free. */
    readonly tries?: number;
  }
  const tunnel = (presharedKey: string) => ({
    vpcId: grounds.shared.router,
    remoteAddress: "198.51.100.9",
    presharedKey,
    localNetworks: ["192.168.1.0/24"],
    targetNetworks: ["10.7.0.0/24"],
  });
  const cases: readonly Case[] = [
    {
      name: "a tunnel's key",
      type: "IpsecTunnel",
      secret: "k3y-of-the/tunnel+",
      create: "AddRouterStatics",
      update: "ModifyRouterStaticAttributes",
      tries: 2,
      inputs: tunnel,
    },
    {
      name: "a VPN user's password",
      type: "RouterStatic",
      secret: "vpn-passw0rd",
      create: "AddRouterStatics",
      update: "ModifyRouterStaticAttributes",
      inputs: (secret) => ({
        vpcId: grounds.shared.router,
        type: 2,
        val1: "pptp",
        val2: `someone:${secret}`,
        val3: "9",
      }),
    },
    {
      name: "user data",
      type: "Instance",
      secret: "#!/bin/sh\necho hidden-token\n",
      create: "RunInstances",
      inputs: (secret) => ({
        imageId: "img-bare",
        instanceType: "c1m1",
        vxnetId: grounds.shared.vxnet,
        keypairId: grounds.shared.keyPair,
        userData: secret,
      }),
    },
  ];

  test.each(cases.map((each) => [each.name, each] as const))(
    "%s is in no error, progress or warning",
    async (name, { type, secret, create, inputs, update, tries = 1 }) => {
      const urn = urnOf(`cloud:${type}`, `secret-${name.replaceAll(/\W/g, "-")}`);
      const shown: string[] = [];
      const refuse = async (action: string, code: number, hidden: string) => {
        const message = `cannot use [${hidden}], in base64 [${base64(hidden)}], packed [198.51.100.9|aes|${hidden}|id]`;
        const times = code === 1101 && (action === create || action === update) ? tries : 1;
        await account.cloud.fault({ action, kind: "refuse", code, message, times });
      };
      const expectHidden = (message: string, action: string) => {
        shown.push(message);
        expect(message).toContain(`${action} was refused with 1101`);
        expect(message).toContain("cannot use [[secret]], in base64 [[secret]]");
      };
      // Progress, then an error.
      await refuse(create, 5100, secret);
      await refuse(create, 1101, secret);
      expectHidden((await failureOf(plugin.create(urn, { ...own, ...inputs(secret) }))).message, create);
      const told = account.engine.toldOf(urn);
      expect(told).toHaveLength(1);
      expect(told[0]).toContain("cannot use [[secret]]");

      const made = await plugin.create(urn, { ...own, ...inputs(secret) });
      if (update !== undefined) {
        const other = `${secret}-of-today`;
        for (const hidden of [secret, other]) {
          await refuse(update, 1101, hidden);
          const error = await failureOf(plugin.update(made, { ...own, ...inputs(other) }));
          expectHidden(error.message, update);
        }
        await refuse("DeleteRouterStatics", 1101, secret);
        expectHidden((await failureOf(plugin.delete(made))).message, "DeleteRouterStatics");
      }
      await plugin.delete(made);
      const everything = JSON.stringify([shown, account.engine.told, plugin.stderr]);
      for (const hidden of [secret, base64(secret)]) {
        expect(everything).not.toContain(JSON.stringify(hidden).slice(1, -1));
      }
    },
  );

  test("a tunnel's key is in no error of a port forward that is applied together with it", async () => {
    const key = "the-key-of-a-neighbour";
    const forward = {
      ...{ vpcId: grounds.shared.router, sourcePort: 2299 },
      ...{ targetAddress: "192.168.1.2", targetPort: 22 },
    };
    const message = `cannot use [${key}], in base64 [${base64(key)}]`;
    await account.cloud.fault({ action: "UpdateRouters", kind: "refuse", code: 1101, message, times: 10 });
    const errors = await Promise.all([
      failureOf(plugin.create(urnOf("cloud:PortForward", "neighbour"), { ...own, ...forward })),
      failureOf(plugin.create(urnOf("cloud:IpsecTunnel", "neighbour"), { ...own, ...tunnel(key) })),
    ]);
    await account.clearFaults();
    for (const error of errors) {
      expect(error.name).toBe("HalfMade");
      expect(error.message).toContain("cannot use [[secret]], in base64 [[secret]]");
    }
  });
});
