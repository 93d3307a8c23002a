import { z } from "zod";
import { action, flag, ids, int, job, listing, pageOf, someIds, tagged, text } from "../action.ts";
import { instanceStatus } from "./instances.ts";

export const CreateVxnets = action(
  "CreateVxnets",
  {
    /** 1 managed (joins a router), 0 self-managed. */
    vxnet_type: flag,
    vxnet_name: text.optional(),
    count: int.min(1).max(100).default(1),
    target_user: text.optional(),
  },
  { vxnets: ids },
);

export const DescribeVxnets = action(
  "DescribeVxnets",
  { ...listing, vxnets: ids.optional(), vxnet_type: int.optional() },
  pageOf(
    "vxnet_set",
    z.looseObject({
      vxnet_id: text,
      vxnet_name: text,
      vxnet_type: int,
      description: text.nullish(),
      /** `""` while the vxnet is in no router. */
      vpc_router_id: text,
      router: z
        .looseObject({
          router_id: text.optional(),
          manager_ip: text.optional(),
          ip_network: text.optional(),
          dyn_ip_start: text.optional(),
          dyn_ip_end: text.optional(),
        })
        .nullish(),
      ...tagged,
      /** With `verbose: 1`. */
      instance_ids: ids.optional(),
    }),
  ),
);

export const ModifyVxnetAttributes = action(
  "ModifyVxnetAttributes",
  { vxnet: text, vxnet_name: text.optional(), description: text.optional() },
  {},
);

/** `vxnet` is `vxnet-id` or, for one instance, `vxnet-id|address`. */
export const JoinVxnet = action("JoinVxnet", { vxnet: text, instances: someIds }, { ...job });
export const LeaveVxnet = action("LeaveVxnet", { vxnet: text, instances: someIds }, { ...job });
export const DeleteVxnets = action("DeleteVxnets", { vxnets: someIds }, { vxnets: ids });

export const DescribeVxnetInstances = action(
  "DescribeVxnetInstances",
  {
    ...listing,
    vxnet: text,
    instances: ids.optional(),
    instance_type: ids.optional(),
    status: z.array(instanceStatus).optional(),
    image: ids.optional(),
  },
  pageOf(
    "instance_set",
    z.looseObject({
      instance_id: text,
      vxnet_id: text,
      private_ip: text,
      nic_id: text,
      status: text,
      /** Empty where the router has none for the instance. */
      dhcp_options: z.looseObject({ router_static_id: text.optional(), val2: text.optional() }),
    }),
  ),
);
