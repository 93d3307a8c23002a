/** The L3 GRE tunnels of one router: a TUN device each, and one daemon that carries the packets of all. */

import { join } from "node:path";
import { interfaceName } from "../addressing.ts";
import { configure, deleteLinks } from "../machine/namespaces.ts";
import { PacketDaemon, type PacketDaemonOptions } from "../machine/packet-daemon.ts";
import type { RouterPicture } from "../picture.ts";
import { type GrePlan, greDeviceLines, grePlans, greRoutes, greServedLines } from "./gre.ts";

const program = join(import.meta.dirname, "gre-daemon.py");

export class GreTunnels {
  readonly #namespace: string;
  readonly #daemon: PacketDaemon;
  /** Devices that are there, each with the plan that it was made for. */
  readonly #devices = new Map<string, GrePlan>();
  #routes: readonly string[] = [];
  /** The tunnels that the picture has, set up or not. */
  #ids: readonly string[] = [];

  constructor(options: Omit<PacketDaemonOptions, "program">) {
    this.#namespace = options.namespace;
    this.#daemon = new PacketDaemon({ ...options, program });
  }

  get tunnels(): { readonly id: string; readonly established: boolean }[] {
    return this.#ids.map((id) => ({
      id,
      established: this.#daemon.obeys && this.#devices.has(interfaceName(id)),
    }));
  }

  /** Makes the tunnels as in the picture; those that stay as they are lose no packet. */
  async apply(router: RouterPicture): Promise<void> {
    const plans = grePlans(router);
    this.#ids = router.greTunnels.map(({ id }) => id);
    if (plans.length === 0 && this.#devices.size === 0) return;
    const isKept = (plan: GrePlan) => JSON.stringify(this.#devices.get(plan.device)) === JSON.stringify(plan);
    const kept = new Set(plans.filter(isKept).map(({ device }) => device));
    const gone = [...this.#devices.keys()].filter((device) => !kept.has(device));
    await deleteLinks(this.#namespace, gone);
    for (const device of gone) this.#devices.delete(device);
    const added = plans.filter(({ device }) => !kept.has(device));
    const routes = greRoutes(router.greTunnels, plans);
    // With a device its routes are gone.
    const standing = this.#routes.filter((route) => !gone.some((device) => route.includes(` ${device} `)));
    await configure(this.#namespace, { ip: added.flatMap(greDeviceLines) });
    for (const plan of added) this.#devices.set(plan.device, plan);
    if (plans.length === 0) await this.#daemon.stop();
    else if (gone.length > 0 || added.length > 0 || !this.#daemon.obeys) {
      await this.#daemon.order({ tunnels: plans });
    }
    await configure(this.#namespace, {
      ip: [
        ...added.flatMap(greServedLines),
        ...standing.filter((route) => !routes.includes(route)).map((route) => `route del ${route}`),
        ...routes.filter((route) => !standing.includes(route)).map((route) => `route add ${route}`),
      ],
    });
    this.#routes = routes;
  }

  /** Ends the daemon; the devices go with the router's namespace. */
  async stop(): Promise<void> {
    await this.#daemon.stop();
    this.#devices.clear();
    this.#routes = [];
    this.#ids = [];
  }
}
