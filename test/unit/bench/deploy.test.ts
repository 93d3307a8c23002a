import { describe, expect, test } from "vitest";
import { readDurations } from "../../../local-cloud/services/jobs/jobs.ts";
import { criticalPath } from "../../bench/critical-path.ts";
import { countCalls } from "../../bench/deploy.ts";

const durations = readDurations("realistic");
const resource = (type: string, urn: string, ...dependencies: string[]) => ({
  urn,
  type: `qingcloud:${type}`,
  dependencies,
});

describe("the critical path", () => {
  const network = [
    resource("state:StackMark", "mark"),
    resource("cloud:Eip", "eip", "mark"),
    resource("cloud:SecurityGroup", "firewall", "mark", "eip"),
    resource("cloud:Vpc", "vpc", "eip", "firewall"),
    resource("cloud:PortForward", "forward", "vpc"),
  ];

  test("is the longest chain of dependencies, each resource with its jobs one after the other", () => {
    const node = [
      resource("cloud:Vxnet", "vxnet", "vpc"),
      resource("cloud:Instance", "instance", "vxnet", "mark"),
    ];
    // The state's order does not matter.
    expect(criticalPath([...node, ...network], durations)).toEqual({
      seconds: 3 + 15 + 5 + 5 + 30,
      jobs: ["ApplySecurityGroup", "CreateRouters", "UpdateRouters", "JoinRouter", "RunInstances"],
    });
  });

  test("follows the statics where nothing takes longer", () => {
    expect(criticalPath(network, durations)).toEqual({
      seconds: 3 + 15 + 5 + 5,
      jobs: ["ApplySecurityGroup", "CreateRouters", "UpdateRouters", "UpdateRouters"],
    });
  });

  test("counts no job of a component that a resource depends on", () => {
    const firewall = resource("cloud:SecurityGroup", "firewall", "urn:of:a:component");
    expect(criticalPath([firewall], durations)).toEqual({ seconds: 3, jobs: ["ApplySecurityGroup"] });
  });

  test("is not guessed for a type whose jobs are not known", () => {
    expect(() => criticalPath([resource("cloud:Volume", "disk")], durations)).toThrow(
      "disk: the jobs of type qingcloud:cloud:Volume are not known.",
    );
  });
});

test("calls are counted by zone, and those without a zone apart", () => {
  const calls = ["gpu1a", "", "gpu2a", "gpu1a", "gpu1a"].map((zone) => ({ zone }));
  expect(countCalls(calls)).toEqual({ perZone: 2, withoutZone: 1 });
  expect(countCalls([{ zone: "" }])).toEqual({ perZone: 0, withoutZone: 1 });
});
