import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { compress } from "../../local-cloud/services/monitoring/monitor.ts";
import { iso, Monitored, mac, midnight, resources } from "./monitored.ts";
import { firstId, makeNetwork } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

test("compressed data: epoch first, bare values a step apart, NA where others were measured, lengths of gaps", () => {
  const values = new Map([
    [600, 3],
    [900, 4],
    [1500, 5],
    [3600, 6],
    [3900, 7],
  ]);
  const times = [0, 300, 600, 900, 1200, 1500, 3000, 3600, 3900, 4200];
  expect(compress(times, values, 300)).toEqual([[600, 3], 4, "NA", 5, [2100, 6], 7, "NA"]);
  expect(compress(times, new Map(), 300)).toEqual([]);
  expect(compress([], new Map(), 300)).toEqual([]);
});

describe("monitoring", () => {
  let monitored: Monitored;
  beforeEach(() => {
    monitored = new Monitored();
  });

  test("an EIP's traffic is bytes a second and its flow bytes, each [in, out]; the running interval is told too", async () => {
    await monitored.passWithEip(10, 1000, 200);
    expect(monitored.data(resources.eip, "traffic")).toEqual([[midnight, [100, 20]]]);
    for (let second = 20; second <= 300; second += 10) await monitored.passWithEip(10, second * 100, 200);
    await monitored.passWithEip(10, 30_500, 210);
    expect(monitored.ask(resources.eip, ["traffic", "flow"])).toEqual({
      resource_id: resources.eip,
      meter_set: [
        {
          meter_id: "traffic",
          data: [
            [midnight, [100, 1]],
            [50, 1],
          ],
        },
        {
          meter_id: "flow",
          data: [
            [midnight, [30_000, 200]],
            [500, 10],
          ],
        },
      ],
    });
  });

  test("a router has its base network and each vxnet in it", async () => {
    await monitored.pass(10, {
      routers: [
        {
          id: resources.router,
          uplink: { received: 10, sent: 20, link: 1 },
          intranet: { received: 50, sent: 0, link: 3 },
          vxnets: [{ id: "vxnet-00000001", received: 30, sent: 40, link: 2 }],
        },
      ],
    });
    expect(monitored.ask(resources.router, ["vxnet-0", "vxnet-00000001"]).meter_set).toEqual([
      { meter_id: "vxnet-0", data: [[midnight, [6, 2]]] },
      { meter_id: "vxnet-00000001", data: [[midnight, [3, 4]]] },
    ]);
  });

  test("an instance has per-mille of its CPUs and memory, its disk's and its interfaces' bytes a second", async () => {
    await monitored.pass(10, {
      nodes: [
        {
          id: resources.instance,
          pid: 77,
          cpuSeconds: 5,
          memoryBytes: 256 * 1024 * 1024,
          disk: { read: 4000, written: 8000 },
          nics: [{ mac, received: 70, sent: 90, link: 3 }],
          volumes: [{ id: "vol-00000001", read: 1000, written: 2000, reads: 10, writes: 20, attachment: 1 }],
        },
      ],
    });
    const volumeMeters = ["disk", "disk-iops", "disk-us"].map((name) => `${name}-vol-00000001`);
    const meters = ["cpu", "memory", "disk-os", `if-${mac}`, "disk-us-os", ...volumeMeters];
    expect(monitored.ask(resources.instance, meters).meter_set).toEqual([
      { meter_id: "cpu", data: [[midnight, 250]] },
      { meter_id: "memory", data: [[midnight, 250]] },
      { meter_id: "disk-os", data: [[midnight, [400, 800]]] },
      { meter_id: mac, vxnet_id: "vxnet-00000001", sequence: 0, data: [[midnight, [7, 9]]] },
      { meter_id: "disk-us-os", data: [] },
      { meter_id: "disk-vol-00000001", data: [[midnight, [100, 200]]] },
      { meter_id: "disk-iops-vol-00000001", data: [[midnight, [1, 2]]] },
      { meter_id: "disk-us-vol-00000001", data: [] },
    ]);
  });

  test("of more processors than an instance has, all of them are told", async () => {
    const node = { id: resources.instance, pid: 77, memoryBytes: 0, nics: [], volumes: [] };
    await monitored.pass(10, { nodes: [{ ...node, cpuSeconds: 80 }] });
    expect(monitored.data(resources.instance, "cpu")).toEqual([[midnight, 1000]]);
  });

  test("another interface counts from 0, the same one never backwards", async () => {
    await monitored.passWithEip(10, 5000, 5000);
    await monitored.passWithEip(10, 300, 6000, 2);
    await monitored.passWithEip(10, 200, 6000, 2);
    expect(monitored.data(resources.eip, "flow")).toEqual([[midnight, [5300, 11_000]]]);
  });

  test("a machine that slept has a gap; a clock that was set back loses nothing", async () => {
    await monitored.passWithEip(300, 3000, 0);
    await monitored.passWithEip(7200, 6000, 0);
    await monitored.passWithEip(-600, 7000, 0);
    await monitored.passWithEip(300, 9000, 0);
    const options = { end_time: iso(midnight + 86_400) };
    expect(monitored.data(resources.eip, "traffic", options)).toEqual([
      [midnight, [10, 0]],
      // What was measured after the clock was set back, then what was before.
      [6900, [10, 0]],
      [10, 0],
    ]);
  });

  test("what was measured survives a restart; the time in between is a gap, a resource that is away is NA", async () => {
    const folder = mkdtempSync(join(tmpdir(), "monitor-"));
    const file = join(folder, "monitor.db");
    const first = new Monitored(file);
    await first.passWithEip(300, 3000, 0);
    await first.pass(300, {
      routers: [{ id: resources.router, vxnets: [{ id: "v", received: 0, sent: 0, link: 9 }] }],
    });
    await first.passWithEip(300, 3000, 600, 2);
    first.measurements.close();
    const second = new Monitored(file);
    second.now = midnight + 3600;
    second.restart();
    await second.passWithEip(300, 3300, 0);
    expect(second.data(resources.eip, "traffic")).toEqual([
      [midnight, [10, 0]],
      "NA",
      [10, 2],
      [3000, [11, 0]],
    ]);
    second.measurements.close();
    rmSync(folder, { recursive: true });
  });

  test("coarser steps are means over what was measured in them", async () => {
    await monitored.passWithEip(300, 3000, 0);
    monitored.now = midnight + 1200;
    monitored.restart();
    await monitored.passWithEip(300, 6000, 0);
    const traffic = (step: string) => monitored.data(resources.eip, "traffic", { step });
    expect(traffic("15m")).toEqual([
      [midnight, [10, 0]],
      [20, 0],
    ]);
    for (const step of ["30m", "1h", "2h", "1d"]) expect(traffic(step)).toEqual([[midnight, [15, 0]]]);
  });

  test("after fifteen days there are steps of 2h and 1d, after half a year nothing", async () => {
    for (const bytes of [3000, 9000]) await monitored.passWithEip(300, bytes, 0);
    monitored.now += 20 * 86_400;
    monitored.measurements.thin(monitored.now);
    const from = iso(monitored.now - 16 * 86_400);
    for (const step of ["5m", "15m", "30m", "1h"]) {
      expect(monitored.refusal(resources.eip, ["traffic"], { step, start_time: from })).toBe(
        `1101 InvalidParameterValue, parameter [step] is [${step}], allowed: 2h, 1d where start_time is more than 15 days ago`,
      );
    }
    expect(monitored.data(resources.eip, "traffic", { step: "2h" })).toEqual([[midnight, [15, 0]]]);
    expect(monitored.data(resources.eip, "flow", { step: "1d" })).toEqual([[midnight, [9000, 0]]]);
    monitored.measurements.thin(monitored.now + 200 * 86_400);
    expect(monitored.data(resources.eip, "flow", { step: "1d" })).toEqual([]);
  });

  test("only what lies between start and end is told", async () => {
    for (let number = 1; number <= 4; number += 1) await monitored.passWithEip(300, 3000 * number, 0);
    const between = (from: number, to: number) =>
      monitored.data(resources.eip, "traffic", {
        start_time: iso(midnight + from),
        end_time: iso(midnight + to),
      });
    expect(between(300, 900)).toEqual([
      [midnight + 300, [10, 0]],
      [10, 0],
    ]);
    expect(between(301, 901)).toEqual([
      [midnight + 300, [10, 0]],
      [10, 0],
      [10, 0],
    ]);
    expect(between(3000, 6000)).toEqual([]);
  });

  test("resources and meters that are not there, times and steps that can not be, are refused by name", async () => {
    await monitored.passWithEip(300, 0, 0);
    expect(monitored.refusal("eip-00000009", ["traffic"])).toBe(
      "2100 ResourceNotFound, eip [eip-00000009] does not exist",
    );
    expect(monitored.refusal("vol-1", ["disk"])).toBe(
      "2100 ResourceNotFound, instance, eip or router [vol-1] does not exist",
    );
    expect(monitored.refusal(resources.eip, ["traffic", "cpu"])).toBe(
      "1101 InvalidParameterValue, parameter [meters.2] is [cpu], allowed: traffic, flow",
    );
    expect(monitored.refusal(resources.router, ["vxnet-00000002"])).toBe(
      "1101 InvalidParameterValue, parameter [meters.1] is [vxnet-00000002], allowed: vxnet-0, vxnet-00000001",
    );
    expect(monitored.refusal(resources.instance, ["if-52:54:00:00:00:02"])).toMatch(
      /^1101 InvalidParameterValue, parameter \[meters.1\] is \[if-52:54:00:00:00:02\], allowed: cpu, memory, disk-os, /,
    );
    expect(monitored.refusal(resources.eip, [])).toBe("1100 MissingParameter, parameter [meters] is missing");
    expect(monitored.refusal(resources.eip, ["traffic"], { step: "1m" })).toBe(
      "1101 InvalidParameterValue, parameter [step] is [1m], allowed: 5m, 15m, 30m, 1h, 2h, 1d",
    );
    expect(monitored.refusal(resources.eip, ["traffic"], { start_time: "yesterday" })).toBe(
      "1100 InvalidParameterFormat, parameter [start_time] is [yesterday], must be a UTC time such as 2011-07-11T11:07:00Z",
    );
    expect(monitored.refusal(resources.eip, ["traffic"], { end_time: iso(midnight) })).toBe(
      `1101 InvalidParameterValue, parameter [end_time] is [${iso(midnight)}], allowed: times after start_time [${iso(midnight)}]`,
    );
  });
});

describe("a cloud without a data plane", () => {
  const cloud = useTestCloud();

  test("has no value of any meter", async () => {
    const { eip, router, vxnet } = await makeNetwork(cloud.client);
    const period = {
      start_time: iso(Date.now() / 1000 - 3600),
      end_time: iso(Date.now() / 1000 + 60),
      step: "5m",
    };
    expect(
      await cloud.client.ok("GetMonitor", {
        resource: eip,
        "meters.1": "traffic",
        "meters.2": "flow",
        ...period,
      }),
    ).toEqual({
      action: "GetMonitorResponse",
      ret_code: 0,
      resource_id: eip,
      meter_set: [
        { meter_id: "traffic", data: [] },
        { meter_id: "flow", data: [] },
      ],
    });
    expect(
      (await cloud.client.ok("GetMonitor", { resource: router, "meters.1": vxnet, ...period })).meter_set,
    ).toEqual([{ meter_id: vxnet, data: [] }]);
    const instance = firstId(
      (
        await cloud.client.done("RunInstances", {
          image_id: "img-deeplearning",
          instance_type: "c2m4",
          login_mode: "passwd",
          login_passwd: "Secret123",
          "vxnets.1": vxnet,
        })
      ).instances,
    );
    expect(
      (await cloud.client.ok("GetMonitor", { resource: instance, "meters.1": "cpu", ...period })).meter_set,
    ).toEqual([{ meter_id: "cpu", data: [] }]);
  });
});
