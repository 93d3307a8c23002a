/** Entries: instances by their sizes: one with user data and a host name, one with GPUs. */
import { expect } from "vitest";
import { type Entry, named } from "./entry.ts";
import { ceased, keyed, moved, ofOne, resizedWhileStopped } from "./instance-calls.ts";

/** What must be nowhere in clear. */
export const userData = "#!/bin/sh\necho hidden-user-data\n";

const node2: Entry = {
  type: "cloud:Instance",
  name: "node-2",
  inputs: (id) => ({
    ...named("node-2"),
    imageId: "img-bare",
    cpu: 2,
    memoryGiB: 4,
    osDiskGiB: 40,
    hostname: "node-two",
    vxnetId: id("subnet"),
    keypairId: id("login"),
    userData,
  }),
  unknowns: ["userData"],
  secrets: ["userData"],
  outputs: () => ({
    name: "node-2",
    instanceType: "c2m4",
    cpu: 2,
    memoryGiB: 4,
    privateIp: expect.stringMatching(/^192\.168\.1\.\d+$/),
  }),
  created: (id) => [
    [
      "RunInstances",
      {
        instance_name: "node-2",
        image_id: "img-bare",
        cpu: "2",
        memory: "4096",
        os_disk_size: "40",
        hostname: "node-two",
        "vxnets.1": id("subnet"),
        login_mode: "keypair",
        login_keypair: id("login"),
        need_userdata: "1",
        userdata_type: "exec",
        userdata_value: "[secret]",
      },
    ],
  ],
  steps: [
    {
      what: "other user data",
      to: () => ({ userData: "#!/bin/sh\n" }),
      diff: { userData: "UPDATE_REPLACE" },
    },
    {
      what: "other sizes",
      to: () => ({ cpu: 4, memoryGiB: 8 }),
      diff: { cpu: "UPDATE", memoryGiB: "UPDATE" },
      calls: (id) => resizedWhileStopped(id("node-2"), { cpu: "4", memory: "8192" }),
    },
    {
      what: "a fixed address",
      to: () => ({ privateIp: "192.168.1.30" }),
      diff: { privateIp: "ADD" },
      calls: (id) => moved(id, "node-2", "192.168.1.30"),
    },
  ],
  drifts: [
    {
      what: "sizes",
      by: (id) => resizedWhileStopped(id("node-2"), { cpu: "1", memory: "1024" }),
      found: () => ({ cpu: 1, memoryGiB: 1 }),
      calls: (id) => resizedWhileStopped(id("node-2"), { cpu: "4", memory: "8192" }),
    },
  ],
  // The API tells neither host name nor user data, and a type for every size.
  imported: {
    finds: (id) => ({
      instanceType: "c2m4",
      cpu: undefined,
      memoryGiB: undefined,
      hostname: undefined,
      userData: undefined,
      privateIp: expect.stringMatching(/^192\.168\.1\.\d+$/),
      volumeIds: [id("log")],
    }),
    // What it does not tell, the program's first word on it is taken for.
    diff: {},
  },
  // It is taken out of the recycle bin for good.
  beforeDeletion: (id) => [ofOne("TerminateInstances", id("node-2"))],
  deleted: (id) => [ofOne("CeaseInstances", id("node-2"))],
};

const node3: Entry = {
  type: "cloud:Instance",
  name: "node-3",
  inputs: (id) => ({
    ...named("node-3"),
    imageId: "img-deeplearning",
    cpu: 16,
    memoryGiB: 64,
    gpus: 1,
    vxnetId: id("subnet"),
    privateIp: "192.168.1.4",
    keypairId: id("login"),
  }),
  unknowns: ["gpus"],
  outputs: () => ({
    name: "node-3",
    instanceType: "g2ntp100.4xlarge.r4",
    cpu: 16,
    memoryGiB: 64,
    privateIp: "192.168.1.4",
  }),
  created: (id) => [
    [
      "RunInstances",
      {
        instance_name: "node-3",
        image_id: "img-deeplearning",
        cpu: "16",
        memory: "65536",
        gpu: "1",
        "vxnets.1": `${id("subnet")}|192.168.1.4`,
        login_mode: "keypair",
        login_keypair: id("login"),
      },
    ],
  ],
  steps: [
    { what: "a GPU class", to: () => ({ gpuClass: 1 }), diff: { gpuClass: "ADD_REPLACE" } },
    {
      what: "one GPU more",
      to: () => ({ gpus: 2 }),
      diff: { gpus: "UPDATE" },
      calls: (id) => resizedWhileStopped(id("node-3"), { cpu: "16", memory: "65536", gpu: "2" }),
    },
    {
      what: "no GPU",
      to: () => ({ gpus: undefined, cpu: 8, memoryGiB: 16 }),
      diff: { gpus: "DELETE", cpu: "UPDATE", memoryGiB: "UPDATE" },
      calls: (id) => resizedWhileStopped(id("node-3"), { cpu: "8", memory: "16384", gpu: "0" }),
    },
  ],
  drifts: [
    {
      what: "key pair",
      by: (id) => [
        keyed("AttachKeyPairs", id, "node-3", "second-login"),
        keyed("DetachKeyPairs", id, "node-3", "login"),
      ],
      found: (id) => ({ keypairId: id("second-login") }),
      calls: (id) => [
        keyed("AttachKeyPairs", id, "node-3", "login"),
        keyed("DetachKeyPairs", id, "node-3", "second-login"),
      ],
    },
  ],
  imported: {
    finds: () => ({
      instanceType: "g2ntp100.4xlarge.r4",
      cpu: undefined,
      memoryGiB: undefined,
      gpus: undefined,
      osDiskGiB: 20,
    }),
    diff: {},
  },
  deleted: ceased("node-3"),
};

export const instancesBySize: readonly Entry[] = [node2, node3];
