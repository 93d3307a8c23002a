/** A state that is monitored by a clock and by counters that the test sets. */
import { readRequest } from "../../local-cloud/api/validation.ts";
import type { Counters } from "../../local-cloud/network/data-plane.ts";
import { defaultQuotas } from "../../local-cloud/services/account/limits.ts";
import { ApiError } from "../../local-cloud/services/errors.ts";
import { monitorHandlers } from "../../local-cloud/services/monitoring/monitor.ts";
import { Sampler } from "../../local-cloud/services/monitoring/sampler.ts";
import { Measurements } from "../../local-cloud/store/measurements.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { GetMonitor } from "../../qingcloud/actions.ts";

/** Midnight, and so the start of an interval of every step. */
export const midnight = Date.UTC(2026, 2, 1) / 1000;
export const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();
export const resources = { eip: "eip-00000001", router: "rtr-00000001", instance: "i-00000001" } as const;
export const mac = "52:54:00:00:00:01";

/** A state with an instance of 2 CPUs and 1 GB behind a router, and counters that the test sets. */
export class Monitored {
  readonly store = new Store(":memory:");
  readonly measurements: Measurements;
  now = midnight;
  counters: Counters = { eips: [], routers: [], nodes: [] };
  sampler: Sampler;

  constructor(file = ":memory:") {
    this.measurements = new Measurements(file);
    this.sampler = this.restart();
    const common = {
      zone: "gpu1a",
      name: "",
      description: "",
      createTime: 0,
      statusTime: 0,
      transition: "",
      tagIds: [],
    };
    this.store.transaction(() => {
      this.store.put({
        ...common,
        kind: "eip",
        id: resources.eip,
        status: "associated",
        address: "203.0.113.10",
        bandwidth: 10,
        billingMode: "bandwidth",
        associateMode: 0,
        needIcp: 0,
      });
      this.store.put({
        ...common,
        kind: "router",
        id: resources.router,
        status: "active",
        routerType: 1,
        vpcNetwork: "192.168.0.0/16",
        securityGroupId: "",
        appliedSecurityGroupId: "",
        revision: 1,
        applied: { revision: 1, statics: [] },
      });
      this.store.put({
        ...common,
        kind: "vxnet",
        id: "vxnet-00000001",
        vxnetType: 1,
        join: {
          routerId: resources.router,
          network: "192.168.1.0/24",
          managerIp: "192.168.1.1",
          dynIpStart: "192.168.1.2",
          dynIpEnd: "192.168.1.254",
          features: 1,
          createTime: 0,
        },
      });
      this.store.put({
        ...common,
        kind: "volume",
        id: "vol-00000001",
        status: "in-use",
        size: 10,
        volumeType: 0,
        attachment: { instanceId: resources.instance, device: "/dev/sdc" },
      });
      this.store.put({
        ...common,
        kind: "instance",
        id: resources.instance,
        status: "running",
        imageId: "",
        instanceType: "c2m1",
        instanceClass: 101,
        cpu: 2,
        memory: 1024,
        gpu: 0,
        gpuClass: 0,
        osDiskSize: 20,
        hostname: "node",
        nicMqueue: 0,
        securityGroupId: "",
        keypairIds: [],
        nics: [{ vxnetId: "vxnet-00000001", address: "192.168.1.2", mac }],
        boot: 1,
      });
    });
  }

  /** A sampler that knows nothing of what was sampled before. */
  restart(): Sampler {
    this.sampler = new Sampler({
      dataPlane: { count: async () => this.counters },
      measurements: this.measurements,
      sizeOf: () => ({ cpu: 2, memory: 1024 }),
      log: (line) => {
        throw new Error(line);
      },
      now: () => this.now * 1000,
    });
    return this.sampler;
  }

  /** Lets seconds pass, with the counters that there are at their end. */
  async pass(seconds: number, counters: Partial<Counters>): Promise<void> {
    this.counters = { eips: [], routers: [], nodes: [], ...counters };
    this.now += seconds;
    await this.sampler.sample();
  }

  async passWithEip(seconds: number, received: number, sent: number, link = 1): Promise<void> {
    await this.pass(seconds, { eips: [{ id: resources.eip, received, sent, link }] });
  }

  ask(resource: string, meters: readonly string[], options: Record<string, string> = {}) {
    const request = readRequest(GetMonitor, {
      resource,
      ...Object.fromEntries(meters.map((meter, index) => [`meters.${index + 1}`, meter])),
      step: "5m",
      start_time: iso(midnight),
      end_time: iso(this.now),
      ...options,
    }) as Parameters<typeof monitorHandlers.GetMonitor>[0];
    return monitorHandlers.GetMonitor(request, {
      zone: "gpu1a",
      store: this.store,
      now: this.now * 1000,
      leaseDelay: 0,
      measurements: this.measurements,
      quotas: defaultQuotas,
      startJob: () => {
        throw new Error("GetMonitor starts no job");
      },
    });
  }

  data(resource: string, meter: string, options: Record<string, string> = {}): unknown[] | undefined {
    return this.ask(resource, [meter], options).meter_set[0]?.data;
  }

  refusal(resource: string, meters: readonly string[], options: Record<string, string> = {}): string {
    try {
      this.ask(resource, meters, options);
    } catch (error) {
      if (error instanceof ApiError) return `${error.retCode} ${error.message}`;
      throw error;
    }
    throw new Error("it was answered");
  }
}
