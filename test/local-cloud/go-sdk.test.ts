import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findGo } from "../../scripts/dev/go.ts";
import { succeed } from "../../scripts/dev/process.ts";
import { type Report, runScenarios } from "./official-clients.ts";
import { startTestCloud, type TestCloud } from "./support.ts";

const claims = {
  eips: "allocates, finds, renames, changes and releases EIPs",
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
  report = await runScenarios(program, [join(cloud.home, "config.yaml")]);
}, 300_000);

afterAll(() => cloud?.stop());

describe("QingCloud's own Go SDK", () => {
  test.each(Object.entries(claims))("%s: %s", (name) => report.expectPassed(name));

  test("has a test of every scenario that it ran", () => {
    expect(report.names).toEqual(Object.keys(claims));
  });
});
