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
    owner: text.optional(),
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
      entry_set: z.array(
        z.looseObject({ router_static_entry_id: text, val1: text.nullish(), val2: text.nullish() }),
      ),
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

/**
 * The documentation names the routers in two ways and some lists with a hyphen: all of these are understood. Networks of
 * an IPSec static that lie in the network of the one router are moved into that of the other.
 */
export const CopyRouterStatics = action(
  "CopyRouterStatics",
  {
    source_router_id: text.optional(),
    source_router: text.optional(),
    dest_router_id: text.optional(),
    dest_router: text.optional(),
    dest_zone: text,
    "router-statics": ids.optional(),
    router_statics: ids.optional(),
    "static-type": z.array(staticType).optional(),
    static_type: z.array(staticType).optional(),
  },
  {},
);

/** Of type 2 an account: val1 its name, val2 its password; of 6 val1 a target network; of 7 val1 a local, val2 a target one. */
const entryValues = { val1: text.optional(), val2: text.optional() };

/** Entries, too, are inert until UpdateRouters. */
export const AddRouterStaticEntries = action(
  "AddRouterStaticEntries",
  {
    router_static: text,
    entries: z.array(z.object({ router_static_entry_name: text.optional(), ...entryValues })).min(1),
  },
  { router_static_entries: ids },
  ["entries"],
);

export const DescribeRouterStaticEntries = action(
  "DescribeRouterStaticEntries",
  {
    ...page,
    router_static: text.optional(),
    /** The documentation's name, and that of the SDKs. */
    router_static_entry_id: text.optional(),
    router_static_entries: ids.optional(),
    owner: text.optional(),
  },
  pageOf(
    "router_static_entry_set",
    z.looseObject({
      router_id: text,
      router_static_id: text,
      router_static_entry_id: text,
      router_static_entry_name: text.nullish(),
      val1: text.nullish(),
      val2: text.nullish(),
    }),
  ),
);

export const ModifyRouterStaticEntryAttributes = action(
  "ModifyRouterStaticEntryAttributes",
  { router_static_entry: text, router_static_entry_name: text.optional(), ...entryValues },
  { router_static_entry: text.optional(), router_static_entry_id: text.optional() },
  ["val1", "val2"],
);

export const DeleteRouterStaticEntries = action(
  "DeleteRouterStaticEntries",
  { router_static_entries: someIds },
  { router_static_entries: ids },
);
