/** Zones that had another name: their resources are found in the state under the old one, and stay. */
import { runtime } from "@pulumi/pulumi";

export interface Renamed {
  readonly name: string;
  readonly formerly?: string | undefined;
}

/** The name that a resource had; undefined where it names no zone that was renamed. */
export function formerName(resource: string, zones: readonly Renamed[]): string | undefined {
  const formerly = new Map(zones.flatMap((zone) => (zone.formerly ? [[zone.name, zone.formerly]] : [])));
  // The longest first: a zone may be called `gpu` and another `gpu-2`.
  const names = [...formerly.keys()].sort((one, other) => other.length - one.length);
  if (names.length === 0) return undefined;
  const part = new RegExp(`(?<![a-z0-9])(${names.join("|")})(?![a-z0-9])`, "g");
  const before = resource.replace(part, (name) => formerly.get(name) ?? name);
  return before === resource ? undefined : before;
}

/** Called before the first resource is made. */
export function keepRenamed(zones: readonly Renamed[]): void {
  if (zones.every(({ formerly }) => formerly === undefined)) return;
  runtime.registerStackTransformation(({ name, props, opts }) => {
    const before = formerName(name, zones);
    if (before === undefined) return undefined;
    return { props, opts: { ...opts, aliases: [...(opts.aliases ?? []), { name: before }] } };
  });
}
