/** How much the account may have: in a zone, and in one resource. */

/** Memory is in MB, bandwidth in Mbit/s, volume_size in GB. There is no documented key for GPUs. */
export const defaultQuotas = {
  instance: 100,
  cpu: 1024,
  memory: 4_194_304,
  eip: 100,
  eip_bandwidth: 20_000,
  router: 50,
  vxnet: 100,
  keypair: 200,
  security_group: 100,
  volume: 100,
  volume_size: 50_000,
  tag: 100,
} as const;

/** What one resource can hold. Documented are 800 tunnels of each type in a router, the rest is ours. */
export const limits = {
  /** Of each type, in one router. */
  router_statics: 800,
  router_static_entries: 253,
  router_vxnets: 253,
  security_group_rules: 100,
  instance_volumes: 10,
} as const;

export type Quota = keyof typeof defaultQuotas;
export type Quotas = Readonly<Record<Quota, number>>;

/**
 * Quotas other than the usual ones.
 * @param setting e.g. `instance=2000,cpu=4096`
 */
export function readQuotas(setting: string): Partial<Quotas> {
  const pairs = setting.split(",").map((text) => {
    const [, name = "", amount] = /^([a-z_]+)=(\d{1,9})$/.exec(text.trim()) ?? [];
    if (!isQuota(name)) {
      const names = Object.keys(defaultQuotas).join(", ");
      throw new Error(
        `--quota ${setting}: must be NAME=NUMBER[,NAME=NUMBER…], e.g. instance=2000; "${text}" is not, names are ${names}`,
      );
    }
    return [name, Number(amount)] as const;
  });
  return Object.fromEntries(pairs);
}

export function isQuota(name: string): name is Quota {
  return Object.hasOwn(defaultQuotas, name);
}
