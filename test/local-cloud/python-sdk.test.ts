import { execFile, execFileSync } from "node:child_process";
import { existsSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect, test } from "vitest";
import { startTestCloud } from "./support.ts";

const version = "1.2.16";
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "crosszone");
const sdk = join(cache, `python-sdk-${version}`);
const python = existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3";

beforeAll(() => {
  if (existsSync(join(sdk, "qingcloud"))) return;
  const unfinished = `${sdk}.${process.pid}`;
  const install = ["-m", "pip", "install", "--quiet", "--target", unfinished, `qingcloud-sdk==${version}`];
  execFileSync(python, install, { stdio: ["ignore", "ignore", "inherit"] });
  renameSync(unfinished, sdk);
}, 180_000);

test("QingCloud's own Python SDK makes a VPC with a node, a volume and a tag, and removes them", async () => {
  const cloud = await startTestCloud();
  const argv = [join(import.meta.dirname, "python_sdk.py"), join(cloud.home, "config.yaml")];
  const { stdout } = await promisify(execFile)(python, argv, { env: { ...process.env, PYTHONPATH: sdk } });
  expect(JSON.parse(stdout)).toEqual({
    refused: [1200, 1200, 1400, 5400, 5400, 5400, 5400, 1100, 1101, 1101, 2100, 5400, 1400, 2110],
    left: { eips: 0, routers: 0, vxnets: 0, instances: 0, volumes: 0, tags: 0, keypairs: 0 },
  });
  await cloud.stop();
}, 60_000);
