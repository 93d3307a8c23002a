/** What always holds in the state of a local cloud, whatever was asked of it. */
import { isInside, overlap, parseAddress, parseNetwork } from "../../local-cloud/services/addresses.ts";
import { isGone } from "../../local-cloud/services/context.ts";
import { pictureOf } from "../../local-cloud/services/picture.ts";
import type { Kind, Resource } from "../../local-cloud/store/resources.ts";
import type { Store } from "../../local-cloud/store/store.ts";

/** Every rule that is broken, in words; the state at rest must have none. @param isIdle no job is under way */
export function brokenInvariants(store: Store, { isIdle = true } = {}): string[] {
  const broken: string[] = [];
  try {
    pictureOf(store);
  } catch (error) {
    broken.push(`the data plane's picture can not be derived: ${String(error)}`);
  }
  const zones = new Set(store.list("vxnet").map(({ zone }) => zone));
  for (const zone of zones) {
    const state = new ZoneInvariants(store, zone, broken);
    state.checkEips();
    state.checkRouters();
    state.checkVxnets();
    state.checkInstances();
    state.checkVolumes();
    state.checkTags();
    if (isIdle) state.checkIdle();
  }
  return broken;
}

class ZoneInvariants {
  private readonly store: Store;
  private readonly zone: string;
  private readonly broken: string[];

  constructor(store: Store, zone: string, broken: string[]) {
    this.store = store;
    this.zone = zone;
    this.broken = broken;
  }

  checkEips(): void {
    const users = new Map<string, Set<string>>();
    const use = (eip: string | undefined, user: Resource): void => {
      if (eip === undefined) return;
      this.needs(user, "eip", eip);
      users.set(eip, (users.get(eip) ?? new Set()).add(user.id));
    };
    for (const router of this.alive("router")) {
      use(router.eipId, router);
      use(router.applied.eipId, router);
    }
    for (const instance of this.alive("instance")) use(instance.eipId, instance);
    for (const [eip, ids] of users) {
      this.expect(ids.size === 1, `eip [${eip}] is on more than one resource: ${[...ids].join(", ")}`);
    }
    const alive = this.alive("eip");
    for (const eip of alive) {
      const isUsed = [...this.alive("router")].some(({ applied }) => applied.eipId === eip.id);
      const isOnInstance = [...this.alive("instance")].some(({ eipId }) => eipId === eip.id);
      this.expect(
        (eip.status === "associated") === (isUsed || isOnInstance),
        `eip [${eip.id}] is ${eip.status}, on a router: ${isUsed}, on an instance: ${isOnInstance}`,
      );
    }
    this.expectDistinct(
      alive.map(({ address }) => address),
      "addresses of EIPs",
    );
  }

  checkRouters(): void {
    for (const router of this.alive("router")) {
      this.needs(router, "security_group", router.securityGroupId);
      this.needs(router, "security_group", router.appliedSecurityGroupId);
      this.expect(
        router.applied.revision <= router.revision,
        `router [${router.id}] has applied a revision that is to come`,
      );
    }
    const statics = this.store.list("router_static", this.zone);
    for (const item of statics) {
      this.needs(item, "router", item.routerId);
      if (item.vxnetId !== "") this.needs(item, "vxnet", item.vxnetId);
    }
    this.expectDistinct(
      statics.flatMap(({ entries }) => (entries ?? []).map(({ id }) => id)),
      "ids of static entries",
    );
  }

  checkVxnets(): void {
    const joined = this.store.list("vxnet", this.zone).flatMap((vxnet) => {
      const { join } = vxnet;
      const range = parseNetwork(join?.network ?? "");
      if (join === undefined) return [];
      if (range === undefined)
        return [this.expect(false, `vxnet [${vxnet.id}] has network [${join.network}]`)];
      this.needs(vxnet, "router", join.routerId);
      const vpc = parseNetwork(this.store.get("router", this.zone, join.routerId)?.vpcNetwork ?? "");
      this.expect(
        vpc !== undefined && isInside(vpc, parseAddress(join.managerIp) ?? -1),
        `vxnet [${vxnet.id}] has its manager address [${join.managerIp}] outside its router`,
      );
      for (const address of [join.managerIp, join.dynIpStart, join.dynIpEnd]) {
        this.expect(
          isInside(range, parseAddress(address) ?? -1),
          `vxnet [${vxnet.id}] has [${address}] outside [${join.network}]`,
        );
      }
      return [{ vxnet, join, range }];
    });
    const nets = joined.filter((net) => net !== undefined);
    for (const [index, one] of nets.entries()) {
      for (const other of nets.slice(index + 1)) {
        this.expect(
          one.join.routerId !== other.join.routerId || !overlap(one.range, other.range),
          `vxnets [${one.vxnet.id}] and [${other.vxnet.id}] overlap in router [${one.join.routerId}]`,
        );
      }
    }
  }

  checkInstances(): void {
    const nics = this.store
      .list("instance", this.zone)
      .filter(({ status }) => status !== "ceased")
      .flatMap((instance) => instance.nics.map((nic) => ({ instance, ...nic })));
    for (const { instance, vxnetId, address } of nics) {
      this.needs(instance, "vxnet", vxnetId);
      const { join } = this.store.get("vxnet", this.zone, vxnetId) ?? {};
      const range = parseNetwork(join?.network ?? "");
      if (range === undefined || address === "") continue;
      this.expect(
        isInside(range, parseAddress(address) ?? -1),
        `instance [${instance.id}] has [${address}] outside [${join?.network}] of vxnet [${vxnetId}]`,
      );
    }
    this.expectDistinct(
      nics.filter(({ address }) => address !== "").map(({ vxnetId, address }) => `${vxnetId} ${address}`),
      "addresses in vxnets",
    );
    this.expectDistinct(
      nics.map(({ mac }) => mac),
      "MAC addresses",
    );
    for (const instance of this.alive("instance")) {
      if (instance.securityGroupId !== "") this.needs(instance, "security_group", instance.securityGroupId);
      for (const id of instance.keypairIds) this.needs(instance, "keypair", id);
      this.expectDistinct(instance.keypairIds, `key pairs of instance [${instance.id}]`);
      const ofTypeOne = instance.nics.filter(
        ({ vxnetId }) => this.store.get("vxnet", this.zone, vxnetId)?.vxnetType === 1,
      );
      this.expect(ofTypeOne.length <= 1, `instance [${instance.id}] is in several managed vxnets`);
      this.expectDistinct(
        instance.nics.map(({ vxnetId }) => vxnetId),
        `vxnets of instance [${instance.id}]`,
      );
    }
  }

  checkVolumes(): void {
    const volumes = this.alive("volume");
    for (const volume of volumes) {
      const { attachment, status } = volume;
      this.expect(
        (status === "in-use") === (attachment !== undefined) || volume.transition !== "",
        `volume [${volume.id}] is ${status}, attached to ${attachment?.instanceId}`,
      );
      if (attachment !== undefined) this.needs(volume, "instance", attachment.instanceId);
    }
    this.expectDistinct(
      volumes.flatMap(({ attachment: at }) => (at === undefined ? [] : [`${at.instanceId} ${at.device}`])),
      "devices of instances",
    );
  }

  checkTags(): void {
    this.expectDistinct(
      this.store.list("tag", this.zone).map(({ name }) => name),
      "names of tags",
    );
    for (const kind of [
      "eip",
      "security_group",
      "keypair",
      "vxnet",
      "router",
      "instance",
      "volume",
    ] as const) {
      for (const resource of this.alive(kind)) {
        for (const tag of resource.tagIds) this.needs(resource, "tag", tag);
        this.expectDistinct(resource.tagIds, `tags of ${kind} [${resource.id}]`);
      }
    }
  }

  /** Nothing is under way once all jobs have ended. */
  checkIdle(): void {
    for (const job of this.store.list("job", this.zone)) {
      this.expect(
        job.status === "successful" || job.status === "failed",
        `job [${job.id}] ${job.work.action} is ${job.status}`,
      );
    }
    for (const kind of ["eip", "router", "instance", "volume"] as const) {
      for (const { id, status, transition } of this.store.list(kind, this.zone)) {
        this.expect(transition === "", `${kind} [${id}] is still ${transition}`);
        this.expect((status as string) !== "pending", `${kind} [${id}] is still pending`);
      }
    }
    for (const { id, busyWithRouter } of this.store.list("vxnet", this.zone)) {
      this.expect(
        busyWithRouter === undefined,
        `vxnet [${id}] is still busy with router [${busyWithRouter}]`,
      );
    }
  }

  private alive<K extends Exclude<Kind, "job">>(kind: K) {
    return this.store.list(kind, this.zone).filter((resource) => !isGone(resource));
  }

  private needs(user: Resource, kind: Exclude<Kind, "job">, id: string): void {
    const found = this.store.get(kind, this.zone, id);
    this.expect(
      found !== undefined && !isGone(found),
      `${user.kind} [${user.id}] refers to ${kind} [${id}], which is ${found === undefined ? "not there" : "gone"}`,
    );
  }

  private expectDistinct(values: readonly string[], what: string): void {
    const twice = values.filter((value, index) => values.indexOf(value) !== index);
    this.expect(twice.length === 0, `${what}: twice ${twice.join(", ")}`);
  }

  private expect(holds: boolean, otherwise: string): undefined {
    if (!holds) this.broken.push(`${this.zone}: ${otherwise}`);
  }
}
