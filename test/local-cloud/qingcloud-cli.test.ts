import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { clientCommands } from "../../local-cloud/client-commands.ts";
import { python, pythonClients, type Report, runPython } from "./official-clients.ts";
import { startTestCloud, type TestCloud } from "./support.ts";

const claims = {
  eips: "allocates, finds, renames, changes and releases EIPs",
  security_groups: "makes a security group, its rules and their application, and deletes them",
  keypairs: "makes and registers key pairs, finds, renames and deletes them",
  vxnets: "makes, finds, renames and deletes vxnets",
  routers: "makes a router, joins a vxnet, binds an EIP, turns it off and on, and takes all apart",
  router_statics: "adds, finds, changes, applies and deletes router statics",
  router_static_entries: "adds, finds, changes and deletes entries of a static",
  instances: "runs, stops, resizes, resets, starts, restarts, renames and terminates an instance",
  eips_of_instances: "gives an instance an EIP and takes it back",
  clones: "clones an instance with its volume",
  volumes: "makes, attaches, detaches, resizes, renames and deletes volumes",
  tags: "makes a tag, attaches it, finds by it, detaches and deletes it",
  jobs: "finds jobs by id, status and action",
  images: "finds images by all its filters",
  zones: "works in the zone that a command names",
  monitoring: "reads what an EIP has carried, compressed and not",
  nothing_left: "leaves nothing behind",
};

let packages: string;
let cloud: TestCloud;
let config: string;
let report: Report;

beforeAll(async () => {
  packages = await pythonClients();
  cloud = await startTestCloud();
  config = join(cloud.home, "config.yaml");
  report = await runPython("qingcloud-cli", packages, cloud);
}, 200_000);

afterAll(() => cloud?.stop());

describe("QingCloud's own CLI", () => {
  test("prints an answer of the local cloud as a command line of its own", async () => {
    const command = join(packages, "bin", "qingcloud");
    const args = [command, "iaas", "describe-images", "-f", config, "-i", "img-bare"];
    const { stdout } = await promisify(execFile)(python, args, {
      env: { ...process.env, PYTHONPATH: packages },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      action: "DescribeImagesResponse",
      ret_code: 0,
      total_count: 1,
      image_set: [{ image_id: "img-bare" }],
    });
  });

  test("and the Python SDK answer to the lines that `cloud start` prints", async () => {
    const shell = async (line: string): Promise<string> => {
      const environment = {
        ...process.env,
        PYTHONPATH: packages,
        PATH: `${join(packages, "bin")}:/usr/bin:${process.env.PATH}`,
      };
      return (await promisify(execFile)("sh", ["-c", line], { env: environment })).stdout;
    };
    const lines = clientCommands(config);
    expect(JSON.parse(await shell(lines.cli))).toMatchObject({ ret_code: 0, eip_set: [] });
    expect(await shell(lines.python)).toMatch(/'zone_id': 'gpu1a', 'status': 'active'/);
  });

  test.each(Object.entries(claims))("%s: %s", (name) => report.expectPassed(name));

  test("has called every action that it and the cloud know", () => {
    expect(report.uncalled(cloud)).toEqual([]);
  });

  test("has a test of every scenario that it ran", () => {
    expect(report.names.sort()).toEqual(Object.keys(claims).sort());
  });
});
