/** What the provider answers where something is wrong: bad input, a wrong secret, Ctrl-C in the middle of a create. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceError } from "@grpc/grpc-js";
import { afterEach, expect, test } from "vitest";
import { startTestCloud, type TestCloud } from "../local-cloud/support.ts";
import { zone } from "./cases.ts";
import { callsOf, changesAmong, initFailedOf, Provider, urnOf, waitFor } from "./support.ts";

const cleanUps: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function startCloud(jobs?: string): Promise<TestCloud> {
  const cloud = await startTestCloud(jobs === undefined ? {} : { jobs });
  cleanUps.push(() => cloud.stop());
  return cloud;
}

async function startProvider(configFile: string): Promise<Provider> {
  const provider = await Provider.start(configFile);
  cleanUps.push(() => provider.stop());
  return provider;
}

function temporaryFile(name: string, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), "crosszone-integration-"));
  cleanUps.push(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, name), text, { mode: 0o600 });
  return join(directory, name);
}

test("a bandwidth of 1001 is refused at its property, with what is allowed and what was given", async () => {
  const cloud = await startCloud();
  const provider = await startProvider(join(cloud.home, "config.yaml"));
  const { failures } = await provider.check(urnOf("qingcloud:cloud:Eip", "eip"), { zone, bandwidth: 1001 });
  expect(failures).toEqual([["bandwidth", "bandwidth: Too big: expected number to be <=1000 (given: 1001)"]]);
  expect(callsOf(cloud.home)).toEqual([]);
});

test("a wrong secret is the cloud's 1200, with the file to look at and without the secret", async () => {
  const cloud = await startCloud();
  const right = readFileSync(join(cloud.home, "config.yaml"), "utf8");
  const wrong = "notTheSecretOfThisAccount0123456789abcdef";
  const file = temporaryFile(
    "config.yaml",
    right.replace(/qy_secret_access_key: .*/, `qy_secret_access_key: '${wrong}'`),
  );
  const provider = await startProvider(file);
  const inputs = { zone, bandwidth: 5, billingMode: "bandwidth" };
  const error = await provider.create(urnOf("qingcloud:cloud:Eip", "eip"), inputs).catch((it: Error) => it);
  const { message } = error as Error;
  expect(message).toContain(
    "DescribeEips was refused with 1200 (authentication failed: unknown access key or wrong signature)",
  );
  expect(message).toContain(`Check the access key and secret of ${file}.`);
  expect(message).not.toContain(wrong);
  expect(changesAmong(callsOf(cloud.home))).toEqual([]);
});

test("Cancel in a create answers the half-made router's id; the next update finishes that router", async () => {
  const cloud = await startCloud(temporaryFile("jobs.json", JSON.stringify({ CreateRouters: 5 })));
  const configFile = join(cloud.home, "config.yaml");
  const urn = urnOf("qingcloud:cloud:Vpc", "router");
  const inputs = { zone, vpcNetwork: "192.168.0.0/16", type: 1 };

  const cancelled = await startProvider(configFile);
  const answer = cancelled.create(urn, inputs).then(
    () => {
      throw new Error("the create ended well although it was cancelled");
    },
    (error: ServiceError) => error,
  );
  // The provider has the id when it asks for the router by it.
  const asked = () =>
    callsOf(cloud.home).find(
      ({ action, parameters }) => action === "DescribeRouters" && parameters["routers.1"] !== undefined,
    )?.parameters["routers.1"];
  await waitFor("a look at the router that is being made", () => asked() !== undefined);
  await cancelled.cancel();
  const failed = initFailedOf(await answer);
  expect(failed).toEqual({
    id: asked(),
    inputs,
    properties: inputs,
    reasons: ["cancelled; the next run finishes what was begun"],
  });
  await cancelled.stop();

  const next = await startProvider(configFile);
  const finished = await next.update(urn, failed.id, failed.properties, failed.inputs, inputs);
  expect(finished.properties).toMatchObject(inputs);
  expect(changesAmong(callsOf(cloud.home)).map(([action]) => action)).toEqual(["CreateRouters"]);
  expect(await cloud.client.one("DescribeRouters", "router_set", { "routers.1": failed.id })).toMatchObject({
    router_id: failed.id,
    router_name: finished.properties.name,
    status: "active",
  });
});
