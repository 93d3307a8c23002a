/** The links between zones inside the internet's namespace: what is set for none of them never meets the daemon. */

import { join } from "node:path";
import type { LinkObservation } from "../data-plane.ts";
import { attempt, configure } from "../machine/namespaces.ts";
import { PacketDaemon } from "../machine/packet-daemon.ts";
import type { LinkPicture } from "../picture.ts";
import { daemonSettings, deviceLines, isLed, linkDevice, ruleLines, servedLines, silence } from "./links.ts";

const program = join(import.meta.dirname, "link-daemon.py");

interface Standing {
  readonly slot: number;
  readonly rules: readonly string[];
  /** MTU of the device, where there is one. */
  readonly mtu?: number;
}

export class InternetLinks {
  readonly #namespace: string;
  readonly #daemon: PacketDaemon;
  readonly #standing = new Map<string, Standing>();
  #links: readonly LinkPicture[] = [];
  #orders = "[]";
  #silence = silence([]);

  constructor(options: { readonly namespace: string; readonly logFile: string; log(line: string): void }) {
    this.#namespace = options.namespace;
    this.#daemon = new PacketDaemon({ ...options, name: "the links of the internet", program });
  }

  /** Makes the links as in the picture. */
  async apply(links: readonly LinkPicture[]): Promise<void> {
    try {
      await this.#change(links);
    } catch (error) {
      // Half made is worse than not there: the next attempt makes them anew.
      await this.#clear(links);
      throw error;
    }
  }

  /** Takes away what there may be of these links, and of those that were there before. */
  async #clear(links: readonly LinkPicture[]): Promise<void> {
    const rules = [...this.#standing].flatMap(([id, { slot, rules: known }]) => [
      ...known,
      ...links.filter((link) => link.id === id).flatMap((link) => ruleLines(link, slot)),
    ]);
    const devices = new Set([...this.#links, ...links].filter(isLed).map(linkDevice));
    await this.stop();
    await attempt(this.#namespace, [
      ...[...new Set(rules)].map((rule) => `rule del ${rule}`),
      ...[...devices].map((device) => `link del ${device}`),
    ]);
    await configure(this.#namespace, { nft: this.#silence });
  }

  async #change(links: readonly LinkPicture[]): Promise<void> {
    const led = links.filter(isLed);
    const plans = links.map((link) => ({ link, slot: this.#slotOf(link.id) }));
    const isNew = ({ link }: { link: LinkPicture }) =>
      isLed(link) && this.#standing.get(link.id)?.mtu === undefined;
    const added = plans.filter(isNew);
    const resized = led.filter(({ id, mtu }) => ![undefined, mtu].includes(this.#standing.get(id)?.mtu));
    await configure(this.#namespace, {
      ip: [
        ...added.flatMap(({ link }) => deviceLines(link)),
        ...resized.map((link) => `link set ${linkDevice(link)} mtu ${link.mtu}`),
      ],
    });
    const wanted = new Map(plans.map(({ link, slot }) => [link.id, planned(link, slot)]));
    // A device is served before packets are led there, and until none is any more.
    const leaving = this.#links.filter((link) => isLed(link) && !led.some(({ id }) => id === link.id));
    await this.#order([...led, ...leaving]);
    const rulesBefore = [...this.#standing.values()].flatMap(({ rules }) => rules);
    const rulesAfter = [...wanted.values()].flatMap(({ rules }) => rules);
    const quiet = silence(links);
    await configure(this.#namespace, {
      ip: [
        ...added.flatMap(({ link, slot }) => servedLines(link, slot)),
        ...rulesAfter.filter((rule) => !rulesBefore.includes(rule)).map((rule) => `rule add ${rule}`),
        ...rulesBefore.filter((rule) => !rulesAfter.includes(rule)).map((rule) => `rule del ${rule}`),
        ...leaving.map((link) => `link del ${linkDevice(link)}`),
      ],
      nft: quiet === this.#silence ? "" : quiet,
    });
    this.#silence = quiet;
    this.#standing.clear();
    for (const [id, standing] of wanted) this.#standing.set(id, standing);
    this.#links = links;
    await this.#order(led);
  }

  async #order(led: readonly LinkPicture[]): Promise<void> {
    const links = led.map(daemonSettings);
    const orders = JSON.stringify(links);
    if (orders === this.#orders && (led.length === 0 || this.#daemon.obeys)) return;
    if (led.length === 0) await this.#daemon.stop();
    else await this.#daemon.order({ links });
    this.#orders = orders;
  }

  /** Packets that passed or were lost since a link's device came up. */
  async observe(): Promise<LinkObservation[]> {
    const led = this.#links.filter(isLed);
    if (led.length === 0) return [];
    const answer = await this.#daemon.ask({ count: true }).catch(() => undefined);
    const counts = (answer?.counts ?? {}) as Readonly<Record<string, { passed: number; lost: number }>>;
    return led.map((link) => ({ id: link.id, ...(counts[linkDevice(link)] ?? { passed: 0, lost: 0 }) }));
  }

  /** Ends the daemon; the rest goes with the namespace. */
  async stop(): Promise<void> {
    await this.#daemon.stop();
    this.#standing.clear();
    this.#links = [];
    this.#orders = "[]";
    this.#silence = silence([]);
  }

  /** A small number that stays with the link while it stands. */
  #slotOf(id: string): number {
    const before = this.#standing.get(id);
    if (before) return before.slot;
    const taken = new Set([...this.#standing.values()].map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot += 1;
    this.#standing.set(id, { slot, rules: [] });
    return slot;
  }
}

function planned(link: LinkPicture, slot: number): Standing {
  return { slot, rules: ruleLines(link, slot), ...(isLed(link) ? { mtu: link.mtu } : {}) };
}
