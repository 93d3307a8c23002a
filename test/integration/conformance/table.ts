/** The conformance table: every resource that needs no data plane, each after those that it needs. */
import { eipEntries, keyPairEntries, tagEntries } from "./addresses-and-keys.ts";
import type { Entry } from "./entry.ts";
import { firewallEntries } from "./firewalls.ts";
import { inStateEntries } from "./in-state.ts";
import { instanceByType } from "./instance-by-type.ts";
import { instancesBySize } from "./instances-by-size.ts";
import { networkEntries } from "./networks.ts";
import { staticEntries } from "./statics.ts";
import { tunnelEntries } from "./tunnels.ts";
import { volumeAttachment, volumeEntries } from "./volumes.ts";

export const entries: readonly Entry[] = [
  ...inStateEntries,
  ...eipEntries,
  ...firewallEntries,
  ...keyPairEntries,
  ...networkEntries,
  ...tagEntries,
  ...staticEntries,
  ...tunnelEntries,
  ...volumeEntries,
  instanceByType,
  ...instancesBySize,
  volumeAttachment,
];
