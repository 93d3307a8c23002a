/** The links between zones: what is set for them, kept in the state, and how the picture shows it. */
import { isDeepStrictEqual } from "node:util";
import type { Observation } from "../../network/data-plane.ts";
import type { LinkPicture } from "../../network/picture.ts";
import type { LinkRecord, LinkSettings } from "../../store/links.ts";
import type { Store } from "../../store/store.ts";
import { isWhole, readNumber, wrong } from "../faults/settings.ts";
import { linkFaults } from "../faults/states.ts";
import { readZonePair, type ZonePair, zonePairs } from "../faults/zone-pairs.ts";
import { type Zone, zoneOf } from "../zones/zones.ts";

const perfect: LinkSettings = { rttMs: 0, mtu: 1500, mtuBlackhole: false, lossPercent: 0, cut: false };

/** A link as commands show it. */
export interface ShownLink extends LinkSettings {
  readonly zones: ZonePair;
  /** The faults that are in it. */
  readonly faults?: readonly string[];
  /** Packets since it became what it is; absent where it is perfect or cut. */
  readonly passed?: number;
  readonly lost?: number;
}

/** What is asked for; absent stays as it is. Numbers may be text. */
export type LinkRequest = Readonly<Record<string, unknown>>;

export class Links {
  private readonly store: Store;
  private readonly observe: () => Promise<Observation>;
  private readonly shown: () => Promise<void>;

  /** @param shown resolves when the data plane shows the state */
  constructor(store: Store, observe: () => Promise<Observation>, shown: () => Promise<void>) {
    this.store = store;
    this.observe = observe;
    this.shown = shown;
  }

  async list(): Promise<ShownLink[]> {
    const { links = [] } = await this.observe();
    return zonePairs.map((pair) => {
      const counted = links.find(({ id }) => id === idOf(pair));
      const counts = counted === undefined ? {} : { passed: counted.passed, lost: counted.lost };
      return { ...this.show(pair), ...counts };
    });
  }

  /** The link once the data plane shows it. */
  async inEffect(pair: ZonePair): Promise<ShownLink> {
    await this.shown();
    return this.show(pair);
  }

  /** Changes a link, or with `reset` makes it perfect first. @throws FaultError */
  set(request: LinkRequest): ZonePair {
    const pair = readZonePair("link", request.zones);
    const before = request.reset === true ? perfect : settingsOf(this.store, pair);
    const after = readSettings(request, before);
    const record: LinkRecord = { kind: "link", id: idOf(pair), zone: "", createTime: Date.now(), ...after };
    const isUsual = isDeepStrictEqual(after, perfect);
    this.store.transaction(() => (isUsual ? this.store.remove(record) : this.store.put(record)));
    return pair;
  }

  private show(pair: ZonePair): ShownLink {
    const { ids } = linkFaults(this.store, pair);
    return { zones: pair, ...inEffect(this.store, pair), ...(ids.length === 0 ? {} : { faults: ids }) };
  }
}

/** `ZONE,ZONE[,rtt=MS][,mtu=BYTES][,mtu-blackhole][,loss=PERCENT][,seed=N][,cut]`. @throws FaultError */
export function parseLink(text: string): LinkRequest {
  const [first = "", second = "", ...settings] = text.split(",");
  const request: Record<string, unknown> = { zones: [first, second], reset: true };
  for (const setting of settings) {
    const [name = "", value] = setting.split("=");
    const known = value === undefined ? ["cut", "mtu-blackhole"] : ["rtt", "mtu", "loss", "seed"];
    if (!known.includes(name)) {
      const allowed =
        "ZONE,ZONE and of rtt=MS, mtu=BYTES, mtu-blackhole, loss=PERCENT, seed=N, cut those that are wanted";
      throw wrong("link", text, `${allowed}, e.g. gpu1a,gpu2a,rtt=30,mtu=1400`);
    }
    request[name === "mtu-blackhole" ? "mtuBlackhole" : name] = value ?? true;
  }
  readSettings(request, perfect);
  readZonePair("link", request.zones);
  return request;
}

/** The links that are not perfect, as the data plane has to make them. */
export function linkPictures(store: Store): LinkPicture[] {
  return zonePairs.flatMap((pair) => {
    const settings = inEffect(store, pair);
    if (isPerfect(settings)) return [];
    const [one, other] = pair.map((id) => networkOf(zoneOf(id)));
    if (one === undefined || other === undefined) return [];
    return [{ id: idOf(pair), networks: [one, other], ...settings }];
  });
}

function networkOf({ eipPrefix }: Zone): string {
  return `${eipPrefix}.0/24`;
}

function settingsOf(store: Store, pair: ZonePair): LinkSettings {
  const record = store.get("link", "", idOf(pair));
  if (record === undefined) return perfect;
  const { kind: _, id: __, zone: ___, createTime: ____, ...settings } = record;
  return settings;
}

/** What is set, and what faults make of it. */
function inEffect(store: Store, pair: ZonePair): LinkSettings {
  const set = settingsOf(store, pair);
  const { rtt, loss, cut } = linkFaults(store, pair);
  return {
    ...set,
    rttMs: set.rttMs + rtt,
    lossPercent: Math.max(set.lossPercent, loss),
    cut: set.cut || cut,
  };
}

function isPerfect({ rttMs, mtu, lossPercent, cut }: LinkSettings): boolean {
  return rttMs === 0 && mtu === perfect.mtu && lossPercent === 0 && !cut;
}

function idOf(pair: ZonePair): string {
  return pair.join("-");
}

function readSettings(request: LinkRequest, before: LinkSettings): LinkSettings {
  const number = (name: string, allowed: string, isAllowed: (value: number) => boolean, kept: number) =>
    request[name] === undefined ? kept : readNumber(name, request[name], allowed, isAllowed);
  const { seed: seedBefore, ...rest } = before;
  const seed =
    request.seed === undefined
      ? seedBefore
      : readNumber("seed", request.seed, "a whole number from 0 to 4294967295", isWhole(0, 2 ** 32 - 1));
  return {
    ...rest,
    rttMs: number("rtt", "milliseconds from 0 to 10000", within(0, 10_000), before.rttMs),
    mtu: number("mtu", "a whole number of bytes from 576 to 1500", isWhole(576, 1500), before.mtu),
    lossPercent: number("loss", "a percentage from 0 to 100", within(0, 100), before.lossPercent),
    mtuBlackhole: (request.mtuBlackhole ?? before.mtuBlackhole) === true,
    cut: (request.cut ?? before.cut) === true,
    ...(seed === undefined ? {} : { seed }),
  };
}

const within =
  (least: number, most: number) =>
  (value: number): boolean =>
    value >= least && value <= most;
