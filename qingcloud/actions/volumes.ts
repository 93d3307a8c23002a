import { z } from "zod";
import { action, flag, ids, int, job, listing, pageOf, someIds, tagged, text } from "../action.ts";

export const volumeStatus = z.enum(["pending", "available", "in-use", "suspended", "deleted", "ceased"]);

export const CreateVolumes = action(
  "CreateVolumes",
  {
    /** GB. */
    size: int,
    volume_name: text.optional(),
    /** 0 performance, 3 ultra-performance, 1 and 2 capacity, 5, 6, 100 and 200 enterprise SSD. */
    volume_type: int.default(0),
    count: int.min(1).max(100).default(1),
    /** 1 makes a volume that would be too small as small as one can be. */
    round_up: flag.default(0),
    target_user: text.optional(),
  },
  { ...job, volumes: ids },
);

/** Where a volume is attached; empty while it is not. */
const attachedTo = z.looseObject({
  instance_id: text.optional(),
  instance_name: text.nullish(),
  /** Its name inside the instance. */
  device: text.nullish(),
});

export const DescribeVolumes = action(
  "DescribeVolumes",
  {
    ...listing,
    volumes: ids.optional(),
    volume_type: int.optional(),
    instance_id: text.optional(),
    status: z.array(volumeStatus).optional(),
  },
  pageOf(
    "volume_set",
    z.looseObject({
      volume_id: text,
      volume_name: text,
      description: text.nullish(),
      /** GB. */
      size: int,
      volume_type: int,
      status: volumeStatus,
      /** creating, attaching, detaching, suspending, resuming, deleting, recovering; `""` when idle. */
      transition_status: text,
      create_time: text,
      status_time: text,
      sub_code: int.optional(),
      instance: attachedTo.nullish(),
      instances: z.array(attachedTo).nullish(),
      ...tagged,
    }),
  ),
);

export const AttachVolumes = action("AttachVolumes", { volumes: someIds, instance: text }, { ...job });
export const DetachVolumes = action("DetachVolumes", { volumes: someIds, instance: text }, { ...job });

/** Volumes grow only, and only while they are attached to nothing. */
export const ResizeVolumes = action("ResizeVolumes", { volumes: someIds, size: int }, { ...job });

export const ModifyVolumeAttributes = action(
  "ModifyVolumeAttributes",
  { volume: text, volume_name: text.optional(), description: text.optional() },
  {},
);

export const DeleteVolumes = action("DeleteVolumes", { volumes: someIds }, { ...job });
