/** What tunnels have in common. */
import type { Rule } from "../resource.ts";

/** Source: QingCloud's tunnel guides: target networks must not overlap those of this side. */
export const distinctNetworks: Rule<{
  readonly localNetworks: readonly string[];
  readonly targetNetworks: readonly string[];
}> = {
  reads: ["localNetworks", "targetNetworks"],
  problems: ({ localNetworks, targetNetworks }) =>
    targetNetworks.flatMap((target, index) => {
      const local = localNetworks.find((network) => overlap(network, target));
      if (local === undefined) return [];
      const property = `targetNetworks[${index}]`;
      return [
        {
          property,
          reason: `${property}: ${target} overlaps ${local} of localNetworks; every network is at one side`,
        },
      ];
    }),
};

function overlap(one: string, other: string): boolean {
  const [a, b] = [parse(one), parse(other)];
  const size = 2 ** (32 - Math.min(a.prefix, b.prefix));
  return Math.floor(a.address / size) === Math.floor(b.address / size);
}

function parse(network: string): { address: number; prefix: number } {
  const [address = "", prefix = ""] = network.split("/");
  return {
    address: address.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0),
    prefix: Number(prefix),
  };
}
