/** What every asynchronous action does when its job ends. */
import type { Effects } from "./context.ts";
import { eipAssociationEffects } from "./eips/association.ts";
import { eipEffects } from "./eips/eips.ts";
import { instanceEffects } from "./instances/effects.ts";
import { keypairEffects } from "./keypairs/keypairs.ts";
import { routerEffects } from "./routers/effects.ts";
import { routerVxnetEffects } from "./routers/vxnets.ts";
import { securityGroupEffects } from "./security-groups/security-groups.ts";
import { volumeEffects } from "./volumes/effects.ts";
import { vxnetEffects } from "./vxnets/vxnets.ts";

export const effects: Effects = {
  ...eipEffects,
  ...eipAssociationEffects,
  ...securityGroupEffects,
  ...keypairEffects,
  ...vxnetEffects,
  ...routerEffects,
  ...routerVxnetEffects,
  ...instanceEffects,
  ...volumeEffects,
};
