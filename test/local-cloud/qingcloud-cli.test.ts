import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { python, pythonClients, type Report, runScenarios } from "./official-clients.ts";
import { startTestCloud, type TestCloud } from "./support.ts";

const claims = {
  eips: "allocates, finds, renames, changes and releases EIPs",
};

let packages: string;
let cloud: TestCloud;
let config: string;
let report: Report;

beforeAll(async () => {
  packages = await pythonClients();
  cloud = await startTestCloud();
  config = join(cloud.home, "config.yaml");
  const program = join(import.meta.dirname, "qingcloud_cli.py");
  report = await runScenarios(python, [program, config], { PYTHONPATH: packages });
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

  test.each(Object.entries(claims))("%s: %s", (name) => report.expectPassed(name));

  test("has a test of every scenario that it ran", () => {
    expect(report.names).toEqual(Object.keys(claims));
  });
});
