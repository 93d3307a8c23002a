import { z } from "zod";
import { action, ids, int, job, listing, page, pageOf, someIds, tagged, text } from "../action.ts";

export const routerStatus = z.enum(["pending", "active", "poweroffed", "suspended", "deleted", "ceased"]);
/** 1 small, 0 medium, 2 large, 3 extra-large. */
export const routerType = z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)]);

/** Of a joined vxnet, a bit mask: 1 DHCP, 2 internal DNS. */
const vxnetFeatures = int.min(0).max(3);

export const CreateRouters = action(
  "CreateRouters",
  {
    router_name: text.optional(),
    router_type: routerType.default(1),
    vpc_network: text.optional(),
    security_group: text.optional(),
    count: int.min(1).max(100).default(1),
    target_user: text.optional(),
  },
  { ...job, routers: ids },
);

export const DescribeRouters = action(
  "DescribeRouters",
  { ...listing, routers: ids.optional(), vxnet: text.optional(), status: z.array(routerStatus).optional() },
  pageOf(
    "router_set",
    z.looseObject({
      router_id: text,
      router_name: text,
      description: text.nullish(),
      router_type: int,
      vpc_network: text.optional(),
      is_applied: int,
      status: routerStatus,
      /** creating, updating, suspending, resuming, poweroffing, poweroning, deleting; `""` when idle. */
      transition_status: text,
      security_group_id: text.nullish(),
      /** In the intranet of its zone. */
      private_ip: text.nullish(),
      eip: z.looseObject({ eip_id: text.optional(), eip_addr: text.optional() }),
      ...tagged,
    }),
  ),
);

/** An EIP set here is inert until UpdateRouters, a security group until ApplySecurityGroup. `eip: ""` unbinds. */
export const ModifyRouterAttributes = action(
  "ModifyRouterAttributes",
  {
    router: text,
    eip: text.optional(),
    security_group: text.optional(),
    router_name: text.optional(),
    description: text.optional(),
    /** Turns on what it has; 0 turns DHCP off. */
    features: vxnetFeatures.optional(),
    /** Whose features and addresses are meant. */
    vxnet: text.optional(),
    dyn_ip_start: text.optional(),
    dyn_ip_end: text.optional(),
  },
  { router_id: text.optional() },
);

export const UpdateRouters = action("UpdateRouters", { routers: someIds }, { ...job });
export const DeleteRouters = action(
  "DeleteRouters",
  { routers: someIds },
  { ...job, routers: ids.optional() },
);
export const PowerOnRouters = action(
  "PowerOnRouters",
  { routers: someIds },
  { ...job, routers: ids.optional() },
);
export const PowerOffRouters = action(
  "PowerOffRouters",
  { routers: someIds },
  { ...job, routers: ids.optional() },
);

export const JoinRouter = action(
  "JoinRouter",
  {
    vxnet: text,
    router: text,
    ip_network: text,
    features: vxnetFeatures.default(1),
    manager_ip: text.optional(),
    dyn_ip_start: text.optional(),
    dyn_ip_end: text.optional(),
  },
  { ...job },
);

export const LeaveRouter = action("LeaveRouter", { router: text, vxnets: someIds }, { ...job });

export const DescribeRouterVxnets = action(
  "DescribeRouterVxnets",
  { ...page, router: text, vxnet: text.optional(), verbose: int.default(0) },
  pageOf(
    "router_vxnet_set",
    z.looseObject({
      router_id: text,
      vxnet_id: text,
      manager_ip: text,
      ip_network: text,
      dyn_ip_start: text,
      dyn_ip_end: text,
      features: int,
    }),
  ),
);

const vpnPlatform = z.enum(["linux", "windows", "mac"]);

/** For clients of an OpenVPN static. No page of the documentation has it: names are those of the official Go SDK. */
export const GetVPNCerts = action(
  "GetVPNCerts",
  { router: text, platform: vpnPlatform.default("linux") },
  {
    router_id: text,
    platform: vpnPlatform,
    ca_cert: text,
    client_crt: text,
    client_key: text,
    static_key: text,
    linux_conf_sample: text,
    windows_conf_sample: text,
    mac_conf_sample: text,
  },
);
