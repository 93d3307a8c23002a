/** Every API action that this project knows, by the value of its `action` parameter. */

import type { Action } from "./action.ts";
import * as eips from "./actions/eips.ts";
import * as instances from "./actions/instances.ts";
import * as keypairs from "./actions/keypairs.ts";
import * as monitor from "./actions/monitor.ts";
import * as statics from "./actions/router-statics.ts";
import * as routers from "./actions/routers.ts";
import * as securityGroups from "./actions/security-groups.ts";
import * as tags from "./actions/tags.ts";
import * as userdata from "./actions/userdata.ts";
import * as volumes from "./actions/volumes.ts";
import * as vxnets from "./actions/vxnets.ts";
import * as zones from "./actions/zones.ts";

export * from "./actions/eips.ts";
export * from "./actions/instances.ts";
export * from "./actions/keypairs.ts";
export * from "./actions/monitor.ts";
export * from "./actions/router-statics.ts";
export * from "./actions/routers.ts";
export * from "./actions/security-groups.ts";
export * from "./actions/tags.ts";
export * from "./actions/userdata.ts";
export * from "./actions/volumes.ts";
export * from "./actions/vxnets.ts";
export * from "./actions/zones.ts";

const modules = [
  zones,
  eips,
  securityGroups,
  keypairs,
  vxnets,
  routers,
  statics,
  instances,
  userdata,
  volumes,
  tags,
  monitor,
];

export const actionsByName: ReadonlyMap<string, Action> = new Map(
  modules
    .flatMap((module) => Object.values<Action | object>(module))
    .filter((value): value is Action => "name" in value && "request" in value)
    .map((described) => [described.name, described]),
);
