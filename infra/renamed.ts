/** Zones that had another name: their resources are found in the state under the old one, and stay. */
import { runtime } from "@pulumi/pulumi";

export interface Renamed {
  readonly name: string;
  readonly formerly?: string | undefined;
}

/**
 * The names that a resource may have had, the likeliest first: any of the words that are a renamed zone's name may be one of the
 * resource's own, as `at` of `beijing-shanghai-at-beijing`. Empty where it names no zone that was renamed.
 */
export function formerNames(resource: string, zones: readonly Renamed[]): string[] {
  const formerly = new Map(zones.flatMap((zone) => (zone.formerly ? [[zone.name, zone.formerly]] : [])));
  if (formerly.size === 0) return [];
  // The longest first: a zone may be called `gpu` and another `gpu-2`.
  const names = zones.map(({ name }) => name).sort((one, other) => other.length - one.length);
  // Each name is at an odd place.
  const parts = resource.split(new RegExp(`(?<![a-z0-9])(${names.join("|")})(?![a-z0-9])`));
  const choices = parts.map((part, place) => {
    const before = place % 2 === 0 ? undefined : formerly.get(part);
    return before === undefined ? [part] : [before, part];
  });
  const all = choices.reduce<string[]>(
    (begun, choice) => begun.flatMap((text) => choice.map((part) => text + part)),
    [""],
  );
  return all.filter((name) => name !== resource);
}

/** Called before the first resource is made. */
export function keepRenamed(zones: readonly Renamed[]): void {
  if (zones.every(({ formerly }) => formerly === undefined)) return;
  runtime.registerStackTransformation(({ name, props, opts }) => {
    const before = formerNames(name, zones).map((each) => ({ name: each }));
    if (before.length === 0) return undefined;
    return { props, opts: { ...opts, aliases: [...(opts.aliases ?? []), ...before] } };
  });
}
