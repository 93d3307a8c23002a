import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findGo } from "../../scripts/dev/go.ts";
import { succeed } from "../../scripts/dev/process.ts";
import { monitoredEip, type Report, runScenarios } from "./official-clients.ts";
import { startTestCloud, type TestCloud } from "./support.ts";

const claims = {
  zones: "finds the zones that are active",
  eips: "allocates, finds, renames, changes and releases EIPs",
  security_groups: "makes a security group, its rules and their application, and deletes them",
  keypairs: "makes and registers key pairs, finds, renames and deletes them",
  vxnets: "makes, finds, renames and deletes vxnets",
  routers: "makes a router, joins a vxnet, binds an EIP, turns it off and on, and takes all apart",
  router_statics: "adds, finds, changes, applies and deletes router statics",
  router_static_entries: "adds, finds, changes and deletes entries of a static",
  instances: "runs, restarts, stops, resizes, resets, starts, renames and terminates an instance",
  instance_step_by_step:
    "joins network, key, security group and EIP to an instance as Terraform's provider does",
  instance_client: "describes an instance through its client of a higher level, by file and by endpoint",
  userdata: "uploads an archive of user data by POST and runs an instance with it",
  volumes: "makes, attaches, detaches, resizes, renames and deletes volumes",
  tags: "makes a tag, attaches it, finds by it, detaches and deletes it",
  jobs: "waits for jobs with its own helpers",
  images_and_types: "finds images and instance types",
  quotas: "reads what a zone gives to the account",
  monitoring: "reads what an EIP and a router have carried",
  nothing_left: "leaves nothing behind",
};

let cloud: TestCloud;
let report: Report;

beforeAll(async () => {
  cloud = await startTestCloud();
  const program = join(cloud.home, "go-sdk");
  await succeed(await findGo(), ["build", "-trimpath", "-ldflags", "-s -w", "-o", program, "."], {
    cwd: join(import.meta.dirname, "go-sdk"),
    env: {
      ...process.env,
      CGO_ENABLED: "0",
      GOFLAGS: "-buildvcs=false -mod=readonly",
      GOTOOLCHAIN: "local",
      GOWORK: "off",
    },
  });
  report = await runScenarios(program, [join(cloud.home, "config.yaml")], await monitoredEip(cloud));
}, 300_000);

afterAll(() => cloud?.stop());

describe("QingCloud's own Go SDK", () => {
  test.each(Object.entries(claims))("%s: %s", (name) => report.expectPassed(name));

  test("has called every action that it and the cloud know", () => {
    expect(report.uncalled(cloud)).toEqual([]);
  });

  test("has a test of every scenario that it ran", () => {
    expect(report.names.sort()).toEqual(Object.keys(claims).sort());
  });
});
