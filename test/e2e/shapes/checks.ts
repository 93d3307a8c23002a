/** The network of a stack without training, and the checks of it: those that the state holds, and those that it should. */
import { z } from "zod";
import { outputsSchema } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";

const networkSchema = outputsSchema.pick({ zones: true, tunnels: true });

export type SeenTunnel = z.output<typeof networkSchema>["tunnels"][number];

/** The outputs of a stack that need not train. */
export function networkOf(place: Place): z.output<typeof networkSchema> {
  return networkSchema.parse(place.outputs());
}

interface Checks {
  /** Pairs of zones: name, whether packets pass, the largest one. */
  readonly paths: readonly (readonly unknown[])[];
  /** Nodes other than the first of a zone: the addresses that they reached, with the largest packet. */
  readonly reached: Readonly<Record<string, readonly string[]>>;
}

const peersSchema = z.array(z.object({ address: z.string(), mtu: z.number() }));

export function checksOf(place: Place): Checks {
  const { resources } = place.checkpoint();
  const of = (type: string) => resources.filter(({ urn }) => urn.includes(`qingcloud:link:${type}::`));
  const named = (urn: string) => urn.split("::").at(-1) ?? "";
  return {
    paths: of("PathCheck")
      .map(({ urn, outputs }) => [named(urn), outputs?.up, outputs?.mtu])
      .sort(),
    reached: Object.fromEntries(
      of("ReachCheck").map(({ urn, outputs }) => {
        const peers = peersSchema.parse(outputs?.peers);
        return [named(urn), peers.map(({ address, mtu }) => `${address} ${mtu}`)];
      }),
    ),
  };
}

/**
 * Every pair of zones is checked in both directions, and every other node with every other zone, by IPSec.
 * @param names of the zones; the first has the network 192.168.1.0/24
 */
export function allChecked(names: readonly string[], nodesPerZone: number): Checks {
  const pairs = names.flatMap((one, index) => names.slice(index + 1).map((other) => `${one}-${other}`));
  const reached = names.flatMap((name, zone) =>
    Array.from({ length: nodesPerZone - 1 }, (_, index): [string, string[]] => [
      `${name}-${index + 2}`,
      names.flatMap((_other, other) => (other === zone ? [] : [`192.168.${other + 1}.2 1400`])),
    ]),
  );
  return { paths: pairs.map((pair) => [pair, true, 1400]).sort(), reached: Object.fromEntries(reached) };
}
