/** One handler for every action of the API. */
import { cloneInstancesHandlers } from "./clone-instances.ts";
import type { Handlers } from "./context.ts";
import { copyRouterStaticsHandlers } from "./copy-router-statics.ts";
import { eipAssociationHandlers } from "./eip-association.ts";
import { eipHandlers } from "./eips.ts";
import { imageHandlers } from "./images.ts";
import { instanceLoginHandlers } from "./instance-login.ts";
import { instanceShapeHandlers } from "./instance-shapes.ts";
import { instanceHandlers } from "./instances.ts";
import { jobHandlers } from "./jobs.ts";
import { keypairHandlers } from "./keypairs.ts";
import { leaseHandlers } from "./leases.ts";
import { monitorHandlers } from "./monitor.ts";
import { quotaHandlers } from "./quotas.ts";
import { resourceLimitHandlers } from "./resource-limits.ts";
import { routerStaticEntryHandlers } from "./router-static-entries.ts";
import { routerStaticHandlers } from "./router-statics.ts";
import { routerVxnetHandlers } from "./router-vxnets.ts";
import { routerHandlers } from "./routers.ts";
import { runInstancesHandlers } from "./run-instances.ts";
import { securityGroupHandlers } from "./security-groups.ts";
import { tagHandlers } from "./tags.ts";
import { userdataHandlers } from "./userdata.ts";
import { volumeHandlers } from "./volumes.ts";
import { vpnCertsHandlers } from "./vpn-certs.ts";
import { vxnetHandlers } from "./vxnets.ts";
import { zoneHandlers } from "./zones.ts";

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
