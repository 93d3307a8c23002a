/** Reads the data plane's counters every few seconds and adds what has passed to the measurements. */
import type { Counters, DataPlane, Traffic } from "../../network/data-plane.ts";
import { fine, type Measurement, type Measurements } from "../../store/measurements.ts";
import type { Instance } from "../../store/resources.ts";

/** Milliseconds; intervals of measurements are a multiple of it. */
export const samplingInterval = 10_000;

export interface SamplerOptions {
  readonly dataPlane: Pick<DataPlane, "count">;
  readonly measurements: Measurements;
  /** An instance's size, by its id. */
  readonly sizeOf: (instanceId: string) => Pick<Instance, "cpu" | "memory"> | undefined;
  readonly log: (line: string) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A counter as it was last read. */
interface Reading {
  readonly link: number;
  readonly values: readonly number[];
}

export class Sampler {
  private readonly options: SamplerOptions;
  private last: ReadonlyMap<string, Reading> = new Map();
  private lastTime: number;
  private timer: NodeJS.Timeout | undefined;
  private sampling: Promise<void> | undefined;
  private isFailing = false;

  /** Counters of a data plane that was just made: all of them are 0. */
  constructor(options: SamplerOptions) {
    this.options = options;
    this.lastTime = options.now();
  }

  /** Samples at full multiples of the interval, so that no sample lies in two intervals of measurements. */
  start(): void {
    const wait = samplingInterval - (this.options.now() % samplingInterval);
    this.timer = setTimeout(() => {
      this.sampling = this.sample().finally(() => {
        this.sampling = undefined;
        if (this.timer !== undefined) this.start();
      });
    }, wait);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    await this.sampling;
  }

  /** Measures what has passed since the last time. A data plane that is being changed may not answer: later then. */
  async sample(): Promise<void> {
    try {
      const counters = await this.options.dataPlane.count();
      this.take(counters);
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing) this.options.log(`monitoring: ${(error as Error).message}`);
      this.isFailing = true;
    }
  }

  private take(counters: Counters): void {
    const now = this.options.now();
    const elapsed = (now - this.lastTime) / 1000;
    this.lastTime = now;
    // A clock that was set back: what has passed meanwhile is measured with the next sample.
    if (elapsed <= 0) return;
    // A machine that slept, or a clock that was set forward: nothing has passed in that time.
    const seconds = Math.min(elapsed, fine);
    const readings = new Map<string, Reading>();
    const measured: Measurement[] = [];
    const grown = (key: string, link: number, values: readonly number[]): readonly number[] => {
      const before = this.last.get(key);
      readings.set(key, { link, values });
      if (before === undefined || before.link !== link) return values;
      return values.map((value, index) => Math.max(0, value - (before.values[index] ?? 0)));
    };
    const measure = (resource: string, meter: string, first: number, second = 0): void => {
      measured.push({ resource, meter, first, second });
    };
    /** @param interfaces all that the meter is the sum of */
    const traffic = (
      resource: string,
      meter: string,
      ...interfaces: readonly (Traffic | undefined)[]
    ): void => {
      let [first, second] = [0, 0];
      interfaces.forEach((passed, index) => {
        if (passed === undefined) return;
        const { link, received, sent } = passed;
        const [more = 0, moreSent = 0] = grown(`${resource} ${meter} ${index}`, link, [received, sent]);
        first += more;
        second += moreSent;
      });
      if (interfaces.some((passed) => passed !== undefined)) measure(resource, meter, first, second);
    };
    for (const eip of counters.eips) traffic(eip.id, "traffic", eip);
    for (const { id, uplink, intranet, vxnets } of counters.routers) {
      // Both are what a router has in the base network.
      traffic(id, "vxnet-0", uplink, intranet);
      for (const vxnet of vxnets) traffic(id, vxnet.id, vxnet);
    }
    for (const node of counters.nodes) {
      const { id, pid, disk } = node;
      for (const nic of node.nics) traffic(id, `if-${nic.mac}`, nic);
      const [read = 0, written = 0] = grown(`${id} disk`, pid, disk ? [disk.read, disk.written] : []);
      if (disk !== undefined) measure(id, "disk-os", read, written);
      for (const { id: volume, attachment, ...use } of node.volumes) {
        const values = [use.read, use.written, use.reads, use.writes];
        const [readBytes = 0, writtenBytes = 0, reads = 0, writes = 0] = grown(
          `${id} ${volume}`,
          attachment,
          values,
        );
        measure(id, `disk-${volume}`, readBytes, writtenBytes);
        measure(id, `disk-iops-${volume}`, reads, writes);
      }
      const [cpuSeconds = 0] = grown(`${id} cpu`, pid, [node.cpuSeconds]);
      const size = this.options.sizeOf(id);
      if (size === undefined) continue;
      // Nothing holds a node to its size on this machine; of more than all there is nothing to tell.
      measure(id, "cpu", Math.min(1000, (1000 * cpuSeconds) / seconds / size.cpu) * seconds);
      const share = (1000 * node.memoryBytes) / (size.memory * 1024 * 1024);
      measure(id, "memory", Math.min(1000, share) * seconds);
    }
    this.last = readings;
    const middle = Math.floor(now / 1000 - seconds / 2);
    if (measured.length > 0) this.options.measurements.add(middle, seconds, measured);
  }
}
