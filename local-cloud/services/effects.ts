/** What every asynchronous action does when its job ends. */
import type { Effects } from "./context.ts";
import { eipAssociationEffects } from "./eip-association.ts";
import { eipEffects } from "./eips.ts";
import { instanceEffects } from "./instance-effects.ts";
import { keypairEffects } from "./keypairs.ts";
import { routerEffects } from "./router-effects.ts";
import { routerVxnetEffects } from "./router-vxnets.ts";
import { securityGroupEffects } from "./security-groups.ts";
import { volumeEffects } from "./volume-effects.ts";
import { vxnetEffects } from "./vxnets.ts";

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
