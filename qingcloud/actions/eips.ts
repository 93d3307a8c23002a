import { z } from "zod";
import { action, flag, ids, int, job, listing, pageOf, someIds, tagged, text } from "../action.ts";

export const eipStatus = z.enum(["pending", "available", "associated", "suspended", "released", "ceased"]);
export const billingMode = z.enum(["bandwidth", "traffic"]);
/** Mbit/s that an EIP can have. */
export const bandwidth = int.min(1).max(1000);

export const AllocateEips = action(
  "AllocateEips",
  {
    bandwidth,
    billing_mode: billingMode.default("bandwidth"),
    associate_mode: flag.default(0),
    eip_name: text.optional(),
    count: int.min(1).max(100).default(1),
    need_icp: flag.default(0),
    target_user: text.optional(),
  },
  { eips: ids },
);

export const DescribeEips = action(
  "DescribeEips",
  { ...listing, eips: ids.optional(), instance_id: text.optional(), status: z.array(eipStatus).optional() },
  pageOf(
    "eip_set",
    z.looseObject({
      eip_id: text,
      eip_name: text,
      eip_addr: text,
      description: text.nullish(),
      bandwidth: int,
      billing_mode: billingMode,
      associate_mode: int,
      status: eipStatus,
      transition_status: text,
      resource: z.looseObject({
        resource_id: text.optional(),
        resource_name: text.nullish(),
        resource_type: text.optional(),
      }),
      ...tagged,
    }),
  ),
);

/** The EIP must be available and the instance without one. What `force` does is not documented. */
export const AssociateEip = action(
  "AssociateEip",
  { eip: text, instance: text, force: int.optional() },
  { ...job },
);
/** Of instances; a router's leaves by ModifyRouterAttributes and UpdateRouters. */
export const DissociateEips = action("DissociateEips", { eips: someIds }, { ...job });

export const ReleaseEips = action("ReleaseEips", { eips: someIds, force: int.optional() }, { ...job });

export const ChangeEipsBandwidth = action("ChangeEipsBandwidth", { eips: someIds, bandwidth }, { ...job });

export const ChangeEipsBillingMode = action(
  "ChangeEipsBillingMode",
  { eips: someIds, billing_mode: billingMode, eip_group: text.optional() },
  { ...job },
);

export const ModifyEipAttributes = action(
  "ModifyEipAttributes",
  { eip: text, eip_name: text.optional(), description: text.optional() },
  { eip_id: text.optional() },
);
