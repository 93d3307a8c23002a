/** Two zones on the local cloud, from nothing to nothing: one story, each test goes on where the one before ended. */
import { describe, expect } from "vitest";
import { changingActions } from "../harness/calls.ts";
import { hostNetwork, namespaceNumbers, namespacesOf, processesOf } from "../harness/machine.ts";
import { waitFor } from "../harness/process.ts";
import { bandwidth, changes } from "./two-zones/changes.ts";
import { faults } from "./two-zones/faults.ts";
import { mainJob } from "./two-zones/main-job.ts";
import {
  planOfFirstRun,
  reportOfFirstRun,
  reportOfRunningRun,
  reportWithoutNode,
} from "./two-zones/report.ts";
import { test } from "./two-zones/story.ts";
import { trainCommand, trainCommandOnAnotherRun } from "./two-zones/train-command.ts";

describe("the main job", mainJob);
describe("the report of the first run", reportOfFirstRun);
describe("the plan of the first run", planOfFirstRun);
describe("bandwidth", bandwidth);
describe("another run on the same network, and faults", faults);
describe("changes", changes);
describe("npm run train", trainCommand);
describe("the report of a run that goes on", reportOfRunningRun);
describe("npm run train, of another run", trainCommandOnAnotherRun);
describe("the end", () => {
  let numbers: string[];
  let prefix: string;

  test("the cloud's processes and namespaces are found by its prefix", async ({ place }) => {
    const { routers, nodes, pid } = await place.status();
    prefix = `${routers[0]?.namespace.split("-")[0]}-`;
    const names = namespacesOf(prefix);
    expect(names.length).toBe(7);
    numbers = namespaceNumbers(names);
    expect(processesOf(numbers, place.directory).map(({ pid: found }) => found)).toEqual(
      expect.arrayContaining([pid, ...nodes.map((node) => node.pid)]),
    );
  });

  reportWithoutNode();

  test("destroy and stop leave nothing on this machine", async ({ place, before }) => {
    await place.pulumiOk("destroy", "--yes", "--non-interactive");
    const status = await place.status();
    for (const zone of status.zones) {
      expect(zone.jobs).toBe(0);
      expect(Object.values(zone.resources)).toEqual(Object.values(zone.resources).map(() => 0));
    }
    expect(status).toMatchObject({ routers: [], nodes: [] });
    expect(namespacesOf(prefix)).toEqual([]);
    // Programs that the CLI had started may end a moment after it.
    const remaining = () => processesOf(numbers, place.directory).map((found) => found.pid);
    await waitFor("the end of all but the cloud", () => remaining().length <= 1, 20);
    expect(remaining()).toEqual([status.pid]);
    expect(place.checkpoint().resources).toEqual([]);
    expect(hostNetwork()).toEqual(before.network);

    await place.cloudOk("stop");
    await waitFor("the end of every process", () => remaining().length === 0, 20);
    expect(changingActions(place.calls()).length).toBeGreaterThan(0);
    expect(place.outputs()).toEqual({});
  });
});
