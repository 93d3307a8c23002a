/** What GetMonitor answers, read by the decompression of QingCloud's own Python SDK. */
import { execFileSync } from "node:child_process";
import { beforeAll, expect, test } from "vitest";
import { iso, Monitored, midnight, resources } from "./monitored.ts";
import { python, pythonClients } from "./official-clients.ts";

const program = `
import json, sys
from qingcloud.iaas.monitor import MonitorProcessor
request = json.load(sys.stdin)
processor = MonitorProcessor(request["meters"], request["start"], request["end"], "5m")
print(json.dumps(processor.decompress_monitoring_data()))
`;

let packages: string;
beforeAll(async () => {
  packages = await pythonClients();
}, 180_000);

/** The meters of an answer as the SDK gives them to its user. */
function decompress(meters: unknown, start: string, end: string, timeZone: string): unknown {
  const input = JSON.stringify({ meters, start, end });
  const env = { ...process.env, PYTHONPATH: packages, PYTHONDONTWRITEBYTECODE: "1", TZ: timeZone };
  return JSON.parse(execFileSync(python, ["-c", program], { input, env, encoding: "utf8" }));
}

test.each(["UTC", "Asia/Shanghai", "America/Los_Angeles"])(
  "every value has its time on a machine in %s, as a count of seconds in UTC",
  async (timeZone) => {
    const monitored = new Monitored();
    const node = { id: resources.instance, pid: 7, memoryBytes: 0, nics: [], volumes: [] };
    const eip = { id: resources.eip, sent: 0, link: 1 };
    monitored.now = midnight + 300;
    monitored.restart();
    await monitored.pass(300, { eips: [{ ...eip, received: 3000 }], nodes: [{ ...node, cpuSeconds: 300 }] });
    await monitored.pass(300, { nodes: [{ ...node, cpuSeconds: 300 }] });
    await monitored.pass(300, { eips: [{ ...eip, received: 6000 }] });
    monitored.now += 900;
    monitored.restart();
    await monitored.pass(300, { eips: [{ ...eip, received: 9000 }], nodes: [{ ...node, cpuSeconds: 60 }] });
    const [start, end] = [iso(midnight), iso(monitored.now)];
    const none = (time: number) => [midnight + time, null];
    const cpu = monitored.ask(resources.instance, ["cpu"]).meter_set;
    expect(decompress(cpu, start, end, timeZone)).toEqual([
      {
        meter_id: "cpu",
        data: [
          none(0),
          [midnight + 300, 500],
          [midnight + 600, 0],
          none(900),
          none(1200),
          none(1500),
          none(1800),
          [midnight + 2100, 100],
        ],
      },
    ]);
    const traffic = monitored.ask(resources.eip, ["traffic"]).meter_set;
    const nothing = (time: number) => [midnight + time, [null, null]];
    expect(decompress(traffic, start, end, timeZone)).toEqual([
      {
        meter_id: "traffic",
        data: [
          nothing(0),
          [midnight + 300, [10, 0]],
          nothing(600),
          [midnight + 900, [20, 0]],
          nothing(1200),
          nothing(1500),
          nothing(1800),
          [midnight + 2100, [30, 0]],
        ],
      },
    ]);
  },
);
