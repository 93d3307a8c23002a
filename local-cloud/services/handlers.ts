/** One handler for every action of the API. */

import { leaseHandlers } from "./account/leases.ts";
import { quotaHandlers } from "./account/quotas.ts";
import type { Handlers } from "./context.ts";
import { eipAssociationHandlers } from "./eips/association.ts";
import { eipHandlers } from "./eips/eips.ts";
import { imageHandlers } from "./images/images.ts";
import { cloneInstancesHandlers } from "./instances/clone.ts";
import { instanceHandlers } from "./instances/instances.ts";
import { instanceLoginHandlers } from "./instances/login.ts";
import { runInstancesHandlers } from "./instances/run.ts";
import { instanceShapeHandlers } from "./instances/shapes.ts";
import { userdataHandlers } from "./instances/userdata.ts";
import { jobHandlers } from "./jobs/jobs.ts";
import { keypairHandlers } from "./keypairs/keypairs.ts";
import { monitorHandlers } from "./monitoring/monitor.ts";
import { resourceLimitHandlers } from "./resource-limits.ts";
import { routerHandlers } from "./routers/routers.ts";
import { copyRouterStaticsHandlers } from "./routers/statics/copy.ts";
import { routerStaticEntryHandlers } from "./routers/statics/entry-actions.ts";
import { routerStaticHandlers } from "./routers/statics/statics.ts";
import { vpnCertsHandlers } from "./routers/vpn-certs.ts";
import { routerVxnetHandlers } from "./routers/vxnets.ts";
import { securityGroupHandlers } from "./security-groups/security-groups.ts";
import { tagHandlers } from "./tags/tags.ts";
import { volumeHandlers } from "./volumes/volumes.ts";
import { vxnetHandlers } from "./vxnets/vxnets.ts";
import { zoneHandlers } from "./zones/zones.ts";

export const handlers: Handlers = {
  ...zoneHandlers,
  ...jobHandlers,
  ...leaseHandlers,
  ...quotaHandlers,
  ...resourceLimitHandlers,
  ...eipHandlers,
  ...eipAssociationHandlers,
  ...securityGroupHandlers,
  ...keypairHandlers,
  ...vxnetHandlers,
  ...routerHandlers,
  ...vpnCertsHandlers,
  ...routerVxnetHandlers,
  ...routerStaticHandlers,
  ...routerStaticEntryHandlers,
  ...copyRouterStaticsHandlers,
  ...runInstancesHandlers,
  ...cloneInstancesHandlers,
  ...instanceHandlers,
  ...instanceLoginHandlers,
  ...instanceShapeHandlers,
  ...imageHandlers,
  ...userdataHandlers,
  ...volumeHandlers,
  ...tagHandlers,
  ...monitorHandlers,
};
