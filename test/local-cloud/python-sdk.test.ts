import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pythonClients, type Report, runPython } from "./official-clients.ts";
import { startTestCloud, type TestCloud } from "./support.ts";

const claims = {
  authentication: "is refused with a wrong key, and sends by GET and by POST",
  zones: "finds the zones",
  eips: "allocates, finds, renames, changes and releases EIPs",
  security_groups: "makes a security group, its factory's rules and their application, and deletes them",
  keypairs: "makes and registers key pairs, finds, renames and deletes them",
  vxnets: "makes, finds, renames and deletes vxnets",
  routers: "makes a router with network, EIP and security group, turns it off and on, and takes all apart",
  router_statics: "adds every type of its factory's router statics, reads, changes, applies and deletes them",
  router_static_entries: "adds, finds, changes and deletes entries of a static",
  copied_statics: "copies the statics of a router to another",
  instances: "runs, stops, resizes, resets, starts, restarts, renames and terminates an instance",
  gpu_instances: "runs an instance with a GPU",
  eips_of_instances: "gives an instance an EIP and takes it back",
  userdata: "uploads an archive of user data by POST and runs an instance with it",
  clones: "clones an instance with its volume",
  volumes: "makes, attaches, detaches, resizes, renames and deletes volumes",
  tags: "makes a tag, attaches it, finds by it, detaches and deletes it",
  jobs: "finds jobs by id, status and action",
  images_and_types: "finds images and instance types",
  quotas: "reads what is left of quotas",
  monitoring: "reads what an EIP has carried, compressed and not",
  nothing_left: "leaves nothing behind",
};

let cloud: TestCloud;
let report: Report;

beforeAll(async () => {
  const packages = await pythonClients();
  cloud = await startTestCloud();
  report = await runPython("python-sdk", packages, cloud);
}, 200_000);

afterAll(() => cloud?.stop());

describe("QingCloud's own Python SDK", () => {
  test.each(Object.entries(claims))("%s: %s", (name) => report.expectPassed(name));

  test("has called every action that it and the cloud know", () => {
    expect(report.uncalled(cloud)).toEqual([]);
  });

  test("has a test of every scenario that it ran", () => {
    expect(report.names.sort()).toEqual(Object.keys(claims).sort());
  });
});
