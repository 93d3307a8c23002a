/** What has no lease yet cannot be deleted and has no price: the lease is waited for, and nothing fails for want of it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Plugin, urnOf } from "../plugin.ts";
import { Account, changesOf } from "./account.ts";
import { kindOf } from "./kinds.ts";
import { Grounds } from "./surroundings.ts";

const leaseSeconds = 5;
let account: Account;
let grounds: Grounds;
let plugin: Plugin;
beforeAll(async () => {
  account = await Account.start({ jobs: { lease: leaseSeconds } });
  [grounds, plugin] = await Promise.all([Grounds.make(account.client), account.plugin()]);
});
afterAll(async () => await account?.stop());

test("EIPs, routers, instances and volumes that are just made wait for their leases, then go by one call each", async () => {
  const kinds = ["Eip", "Vpc", "Instance", "Volume"].map(kindOf);
  const made = await Promise.all(
    kinds.map(async (kind) => {
      const around = await grounds.around(kind);
      return await plugin.create(urnOf(`cloud:${kind.type}`, `leased-${around.number}`), kind.inputs(around));
    }),
  );
  const calls = await account.callsBy(() => Promise.all(made.map((resource) => plugin.delete(resource))));
  expect(changesOf(calls).toSorted()).toEqual(kinds.flatMap(({ deleted }) => deleted).toSorted());
  for (const { id, urn } of made) {
    const looks = calls.filter(
      ({ action, parameters }) => action === "GetLeaseInfo" && parameters.resource === id,
    );
    expect(looks.length).toBeGreaterThan(1);
    expect(account.engine.toldOf(urn)).toContainEqual(
      expect.stringMatching(new RegExp(`^waiting for the lease of ${id} \\d s$`)),
    );
  }
  for (const resource of made) expect(await plugin.read(resource)).toBeUndefined();
});

test("the price of a router that is just made is known once it has its lease", async () => {
  const kind = kindOf("Vpc");
  const around = await grounds.around(kind);
  const made = await plugin.create(urnOf("cloud:Vpc", `priced-${around.number}`), kind.inputs(around));
  let prices: object = {};
  const calls = await account.callsBy(async () => {
    prices = await plugin.invoke("qingcloud:cloud:getPrices", { zone: "gpu1a", resources: [made.id] });
  });
  expect(prices).toEqual({ perHour: [0.05] });
  const looks = calls.filter(({ action }) => action === "GetLeaseInfo");
  expect(looks.length).toBeGreaterThan(1);
  await plugin.delete(made);
});
