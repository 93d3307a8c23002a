/** What tunnels have in common. */
import { overlaps } from "../../qingcloud/networks.ts";
import type { Rule } from "../resource.ts";

/** Source: QingCloud's tunnel guides: target networks must not overlap those of this side. */
export const distinctNetworks: Rule<{
  readonly localNetworks: readonly string[];
  readonly targetNetworks: readonly string[];
}> = {
  reads: ["localNetworks", "targetNetworks"],
  problems: ({ localNetworks, targetNetworks }) =>
    targetNetworks.flatMap((target, index) => {
      const local = localNetworks.find((network) => overlaps(network, target));
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
