/** The zones that a state has. */
import { z } from "zod";
import { logicalNameOf } from "../../provider/urn.ts";
import type { StoredState } from "./state-file.ts";

/** A zone that the state has, under one name or, where a renaming was cut off, under several. */
export interface Made {
  readonly names: readonly string[];
  /** Its vxnet's network; several where a change of it was cut off. */
  readonly networks: readonly string[];
}

const zoneType = "crosszone:network:Zone";
const vxnet = z.object({ ipNetwork: z.string() });
const node = z.object({ privateIp: z.string() });

/** Also what an `up` that did not come to its outputs has made. */
export function madeZones({ resources = [] }: StoredState): Made[] {
  return resources
    .filter(({ type }) => type === zoneType)
    .map(({ urn }) => {
      const inside = resources.filter(({ parent, id }) => parent === urn && id !== undefined);
      const ofType = (type: string) => inside.filter((each) => each.type === `qingcloud:cloud:${type}`);
      const [vxnets, nodes] = [ofType("Vxnet"), ofType("Instance")];
      const addresses = nodes.flatMap(({ inputs }) => node.safeParse(inputs).data?.privateIp ?? []);
      const networks = [
        ...vxnets.flatMap(({ inputs, outputs }) =>
          [inputs, outputs].flatMap((each) => vxnet.safeParse(each).data?.ipNetwork ?? []),
        ),
        ...addresses.map((address) => address.replace(/\d+$/, "0/24")),
      ];
      const names = [
        logicalNameOf(urn),
        ...vxnets.map((each) => logicalNameOf(each.urn).replace(/-vxnet$/, "")),
        ...nodes.map((each) => logicalNameOf(each.urn).replace(/-\d+$/, "")),
        ...["Vpc", "SecurityGroup", "KeyPair"].flatMap(ofType).flatMap((each) => {
          const [, name] = /^(.+)-(?:router|operator)$/.exec(logicalNameOf(each.urn)) ?? [];
          return name ?? [];
        }),
      ];
      return { names: [...new Set(names)], networks };
    });
}
