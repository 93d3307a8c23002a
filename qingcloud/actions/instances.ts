import { z } from "zod";
import { action, flag, ids, int, job, listing, page, pageOf, someIds, tagged, text } from "../action.ts";

export const instanceStatus = z.enum(["pending", "running", "stopped", "suspended", "terminated", "ceased"]);
export const loginMode = z.enum(["keypair", "passwd"]);

/** 0 performance, 1 ultra-performance, 101 basic, 201 enterprise; the others are those of the official Go SDK. */
export const instanceClass = z.literal([0, 1, 2, 3, 4, 5, 6, 100, 101, 200, 201, 300, 301]);

export const cpuModel = z.enum(["Westmere", "SandyBridge", "IvyBridge", "Haswell", "Broadwell"]);

/** Either `instance_type`, or `cpu` and `memory`: where both are given the API lets cpu and memory win. */
export const RunInstances = action(
  "RunInstances",
  {
    image_id: text,
    instance_type: text.optional(),
    cpu: int.optional(),
    /** MB. */
    memory: int.optional(),
    gpu: int.optional(),
    /** 0 NVIDIA P100, 1 AMD S7150; other values are not documented. */
    gpu_class: int.optional(),
    instance_class: instanceClass.optional(),
    os_disk_size: int.optional(),
    count: int.min(1).max(100).default(1),
    instance_name: text.optional(),
    hostname: text.optional(),
    login_mode: loginMode,
    login_keypair: text.optional(),
    login_passwd: text.optional(),
    /** `vxnet-id` or `vxnet-id|address`. */
    vxnets: ids.optional(),
    security_group: text.optional(),
    /** Attached when the instance runs; `count` must be 1 then. */
    volumes: ids.optional(),
    need_newsid: flag.optional(),
    need_userdata: flag.default(0),
    userdata_type: z.enum(["plain", "exec", "tar"]).optional(),
    /** base64, at most 4 KB decoded. */
    userdata_value: text.optional(),
    userdata_path: text.optional(),
    userdata_file: text.optional(),
    cpu_model: cpuModel.optional(),
    /** `sockets,cores,threads`. */
    cpu_topology: text.optional(),
    nic_mqueue: flag.optional(),
    target_user: text.optional(),
  },
  { ...job, instances: ids },
  ["login_passwd", "userdata_value"],
);

export const DescribeInstances = action(
  "DescribeInstances",
  {
    ...listing,
    instances: ids.optional(),
    image_id: ids.optional(),
    instance_type: ids.optional(),
    instance_class: int.optional(),
    vcpus_current: int.optional(),
    /** MB. */
    memory_current: int.optional(),
    /** GB. */
    os_disk_size: int.optional(),
    /** There are no reserved instances. */
    exclude_reserved: flag.optional(),
    /** There are no dedicated hosts: nothing is on one. */
    dedicated_host_group_id: text.optional(),
    dedicated_host_id: text.optional(),
    status: z.array(instanceStatus).optional(),
  },
  pageOf(
    "instance_set",
    z.looseObject({
      instance_id: text,
      instance_name: text,
      description: text.nullish(),
      instance_type: text.nullish(),
      instance_class: int.optional(),
      vcpus_current: int,
      memory_current: int,
      status: instanceStatus,
      /** creating, starting, stopping, restarting, suspending, resuming, terminating, recovering, resetting; `""` when idle. */
      transition_status: text,
      image: z.looseObject({ image_id: text }),
      vxnets: z.array(z.looseObject({ vxnet_id: text, private_ip: text.nullish(), nic_id: text.optional() })),
      eip: z.looseObject({ eip_id: text.optional(), eip_addr: text.optional(), bandwidth: int.optional() }),
      /** With `verbose: 1`. */
      keypair_ids: ids.optional(),
      volume_ids: ids.nullish(),
      volumes: z.array(z.looseObject({ volume_id: text, device: text.nullish() })).nullish(),
      extra: z.looseObject({ os_disk_size: int.optional() }).nullish(),
      ...tagged,
    }),
  ),
);

/** The instances must be running or stopped; what is made of them runs, and has copies of their volumes. */
export const CloneInstances = action(
  "CloneInstances",
  {
    instances: someIds,
    /** Where the new instances are: `instance-id|vxnet-id` or `instance-id|vxnet-id|address`. */
    vxnets: ids.optional(),
  },
  {
    ...job,
    instances: ids,
    /** By the id of an instance what was made of it and of its volumes. */
    instance_set: z.record(
      text,
      z.looseObject({
        instance_map: z.record(text, text),
        volumes_map: z.record(text, text).optional(),
      }),
    ),
  },
);

export const TerminateInstances = action(
  "TerminateInstances",
  {
    instances: someIds,
    /** 1 skips the two hours in the recycle bin. */
    direct_cease: flag.default(0),
  },
  { ...job },
);
export const CeaseInstances = action("CeaseInstances", { instances: someIds }, { ...job });
export const StartInstances = action("StartInstances", { instances: someIds }, { ...job });
export const StopInstances = action(
  "StopInstances",
  { instances: someIds, force: flag.default(0) },
  { ...job },
);
export const RestartInstances = action("RestartInstances", { instances: someIds }, { ...job });

/** Makes the OS disk again; volumes stay as they are. The instance must be running or stopped. */
export const ResetInstances = action(
  "ResetInstances",
  {
    instances: someIds,
    login_mode: loginMode,
    login_keypair: text.optional(),
    login_passwd: text.optional(),
    /** Of Windows instances only. */
    need_newsid: flag.default(0),
  },
  { ...job },
  ["login_passwd"],
);

/** The instance must be stopped. */
export const ResizeInstances = action(
  "ResizeInstances",
  {
    instances: someIds,
    instance_type: text.optional(),
    cpu: int.optional(),
    memory: int.optional(),
    gpu: int.optional(),
    os_disk_size: int.optional(),
    cpu_model: cpuModel.optional(),
    cpu_topology: text.optional(),
  },
  { ...job },
);

export const ModifyInstanceAttributes = action(
  "ModifyInstanceAttributes",
  {
    instance: text,
    instance_name: text.optional(),
    description: text.optional(),
    nic_mqueue: flag.optional(),
  },
  {},
);

export const DescribeInstanceTypes = action(
  "DescribeInstanceTypes",
  { ...page, instance_types: ids.optional(), baremetal: flag.optional() },
  pageOf(
    "instance_type_set",
    z.looseObject({
      instance_type_id: text,
      instance_type_name: text,
      vcpus_current: int,
      memory_current: int,
      status: text,
      zone_id: text,
    }),
  ),
);

export const imageStatus = z.enum(["pending", "available", "deprecated", "suspended", "deleted", "ceased"]);

export const DescribeImages = action(
  "DescribeImages",
  {
    ...listing,
    images: ids.optional(),
    processor_type: text.optional(),
    os_family: text.optional(),
    visibility: text.optional(),
    provider: text.optional(),
    status: z.array(imageStatus).optional(),
  },
  pageOf(
    "image_set",
    z.looseObject({ image_id: text, image_name: text, status: text, provider: text, platform: text }),
  ),
);
