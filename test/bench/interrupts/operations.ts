/** What each operation is: the command, what is configured before it, and the moment that it begins with. */
import type { Value } from "../../harness/configuration.ts";
import type { Lab } from "./lab.ts";
import type { Operation } from "./matrix.ts";

export const up = ["up", "--yes", "--skip-preview"] as const;
export const destroy = ["destroy", "--yes", "--skip-preview"] as const;
/** It changes nothing where nothing is to be done. */
export const preview = ["preview", "--refresh", "--expect-no-changes"] as const;

export const zoneIds = ["gpu1a", "gpu2a"] as const;

const zoneOf = (name: string, zoneId: string, third: number) => ({
  ...{ name, zoneId, network: `192.168.${third}.0/24`, bandwidthMbps: 20, imageId: "img-deeplearning" },
});
const [beijing, shanghai] = [zoneOf("beijing", "gpu1a", 1), zoneOf("shanghai", "gpu2a", 2)] as const;

/** Without a data plane there is nothing to log in to. */
export const usual: Readonly<Record<string, Value>> = {
  zones: [beijing, shanghai],
  "training.mode": "none",
  "tunnel.check": "off",
};

interface Description {
  readonly begins: "empty" | "whole";
  readonly configuration: Readonly<Record<string, Value>>;
  /** The configuration that takes it back; absent where none was changed. */
  readonly back?: Readonly<Record<string, Value>>;
  /** @param urnOf the URN of the stack's resource of a type whose name has a word in it */
  command(urnOf: (type: string, word: string) => string): readonly string[];
}

const change = (
  configuration: Description["configuration"],
  back: Description["configuration"] = usual,
): Description => ({ begins: "whole", configuration, back, command: () => up });

const descriptions: Readonly<Record<Operation, Description>> = {
  up: { begins: "empty", configuration: {}, command: () => up },
  bandwidth: change({ zones: [{ ...beijing, bandwidthMbps: 30 }, shanghai] }),
  name: change(
    { zones: [{ ...beijing, name: "bj", formerly: "beijing" }, shanghai] },
    { zones: [{ ...beijing, formerly: "bj" }, shanghai] },
  ),
  key: {
    begins: "whole",
    configuration: {},
    command: (urnOf) => [...up, "--replace", urnOf("PresharedKey", "")],
  },
  network: change({ zones: [beijing, { ...shanghai, network: "192.168.3.0/24" }] }),
  replace: {
    begins: "whole",
    configuration: {},
    command: (urnOf) => [...up, "--replace", urnOf("Vpc", "beijing")],
  },
  destroy: { begins: "whole", configuration: {}, command: () => destroy },
};

/** Takes back what an operation wanted. @returns the command that puts that into effect */
export function takeBack(lab: Lab, operation: Operation): readonly string[] {
  const { back } = descriptions[operation];
  if (back !== undefined) lab.configure(back);
  return up;
}

/** Puts the lab where the operation begins. @returns its command */
export async function begin(lab: Lab, operation: Operation): Promise<readonly string[]> {
  const { begins, configuration, command } = descriptions[operation];
  await lab.putBack(begins);
  lab.configure(configuration);
  const { resources } = lab.checkpoint;
  return command((type, word) => {
    const found = resources.find(({ urn, type: own }) => own.endsWith(`:${type}`) && urn.includes(word));
    if (found === undefined) throw new Error(`the stack has no ${type} with "${word}"`);
    return found.urn;
  });
}
