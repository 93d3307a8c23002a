/**
 * Networks that go from one zone to another in the `up` that deletes a tunnel which carries them: what is deleted goes last,
 * and until then the cloud refuses the network at a router that reaches it by that tunnel.
 */
import { z } from "zod";
import { planTunnels } from "../../infra/plan/tunnels.ts";
import { logicalNameOf } from "../../provider/urn.ts";
import type { StoredState } from "./state-file.ts";
import { madeZones } from "./zones-in-state.ts";

type Wanted = Parameters<typeof planTunnels>[0];
type Zone = Wanted["zones"][number] & { readonly formerly?: string | undefined };

interface Tunnel {
  /** `a-b`, the names of its zones in the state. */
  readonly name: string;
  readonly kind: string;
  readonly networks: readonly string[];
}

const tunnelType = "crosszone:network:Tunnel";
const kinds = new Map([
  ["qingcloud:cloud:IpsecTunnel", "ipsec"],
  ["qingcloud:cloud:GreTunnel", "gre"],
]);
const side = z.object({ targetNetworks: z.array(z.string()) });

/** @returns what to do, for the user; empty where no network moves too soon */
export function movedNetworks(
  zones: readonly Zone[],
  tunnel: Pick<Wanted["tunnel"], "kind" | "topology">,
  state: StoredState,
): string[] {
  const deleted = deletedTunnels(zones, tunnel, state);
  const made = madeZones(state);
  const isIn = ({ name, formerly }: Zone, names: readonly string[]) =>
    names.includes(name) || (formerly !== undefined && names.includes(formerly));
  return zones.flatMap((zone) => {
    const own = made.find(({ names }) => isIn(zone, names));
    const before = own?.networks[0];
    if (own === undefined || before === undefined || own.networks.includes(zone.network)) return [];
    const carrier = deleted.find(({ networks }) => networks.includes(zone.network));
    return carrier === undefined ? [] : [refusalOf(zone, before, carrier.name)];
  });
}

function refusalOf({ name, network }: Zone, before: string, tunnel: string): string {
  return `Zone "${name}" is to get the network ${network} in the same run that deletes tunnel ${tunnel}, which carries it: a tunnel is deleted last, and until then no other zone can have the network. Take two steps: give the zones that stay the networks of before (zone "${name}": ${before}), with the \`existing\` of before, leave new zones out, and run \`up\`; then change the networks and run \`up\` again.`;
}

function deletedTunnels(
  zones: readonly Zone[],
  { kind, topology }: Pick<Wanted["tunnel"], "kind" | "topology">,
  { resources = [] }: StoredState,
): Tunnel[] {
  // Which routers a tunnel joins does not depend on its kind, and of ipsec there may be any number.
  const asIpsec = { kind: kind === "none" ? kind : "ipsec", topology, intranet: "off" } as const;
  const planned = planTunnels({ zones, tunnel: asIpsec }).flatMap((each) => {
    const [ones = [], others = []] = each.zones.map((name) => namesOf(zones, name));
    // In another order of the zones it is the same tunnel.
    return ones.flatMap((one) =>
      others.flatMap((other) => [`${kind} ${one}-${other}`, `${kind} ${other}-${one}`]),
    );
  });
  return resources
    .filter(({ type }) => type === tunnelType)
    .map(({ urn }) => {
      const sides = resources.filter((each) => each.parent === urn && kinds.has(each.type));
      const networks = sides.flatMap(({ inputs }) => side.safeParse(inputs).data?.targetNetworks ?? []);
      return { name: logicalNameOf(urn), kind: kinds.get(sides[0]?.type ?? "") ?? "", networks };
    })
    .filter((each) => !planned.includes(`${each.kind} ${each.name}`));
}

/** A zone's name, and the one that it had. */
function namesOf(zones: readonly Zone[], name: string): string[] {
  return [name, ...zones.flatMap((zone) => (zone.name === name ? (zone.formerly ?? []) : []))];
}
