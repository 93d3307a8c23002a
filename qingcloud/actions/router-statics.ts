import { z } from "zod";
import { action, flag, ids, int, page, pageOf, someIds, text } from "../action.ts";

/** 1 port forward, 2 VPN, 3 DHCP option, 4 L2 GRE, 5 filter, 6 L3 GRE, 7 L3 IPSec, 8 private DNS. */
export const staticType = int.min(1).max(8);

const values = {
  val1: text.optional(),
  val2: text.optional(),
  val3: text.optional(),
  val4: text.optional(),
  val5: text.optional(),
  val6: text.optional(),
};

/**
 * Statics are inert until UpdateRouters. Type 7's val1 and type 2's val3 hold a pre-shared key, type 2's val2 a password.
 */
export const AddRouterStatics = action(
  "AddRouterStatics",
  {
    router: text,
    vxnet: text.optional(),
    statics: z
      .array(z.object({ static_type: staticType, router_static_name: text.optional(), ...values }))
      .min(1),
  },
  { router_statics: ids },
  ["statics"],
);

export const DescribeRouterStatics = action(
  "DescribeRouterStatics",
  {
    ...page,
    router_statics: ids.optional(),
    router: text.optional(),
    vxnet: text.optional(),
    static_type: staticType.optional(),
    verbose: int.default(0),
  },
  pageOf(
    "router_static_set",
    z.looseObject({
      router_static_id: text,
      router_static_name: text.nullish(),
      router_id: text,
      static_type: int,
      val1: text.nullish(),
      val2: text.nullish(),
      val3: text.nullish(),
      val4: text.nullish(),
      val5: text.nullish(),
      val6: text.nullish(),
      is_applied: int.optional(),
      create_time: text,
    }),
  ),
);

export const ModifyRouterStaticAttributes = action(
  "ModifyRouterStaticAttributes",
  { router_static: text, router_static_name: text.optional(), ...values, disabled: flag.optional() },
  { router_static_id: text.optional() },
  ["val1", "val2", "val3"],
);

export const DeleteRouterStatics = action(
  "DeleteRouterStatics",
  { router_statics: someIds },
  { router_statics: ids },
);
