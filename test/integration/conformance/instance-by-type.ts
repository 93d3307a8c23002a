/** Entry: an instance by its type, at a fixed address, with volumes. */
import type { Change, Entry, IdOf } from "./entry.ts";
import { named } from "./entry.ts";
import { ceased, disked, keyed, moved, ofOne, resizedWhileStopped } from "./instance-calls.ts";

const renamed = (id: IdOf, name: string): Change => [
  "ModifyInstanceAttributes",
  { instance: id("node-1"), instance_name: name },
];

export const instanceByType: Entry = {
  type: "cloud:Instance",
  name: "node-1",
  inputs: (id) => ({
    ...named("node-1"),
    imageId: "img-deeplearning",
    instanceType: "g2ntp100.4xlarge.r4",
    osDiskGiB: 30,
    vxnetId: id("subnet"),
    privateIp: "192.168.1.2",
    keypairId: id("login"),
    volumeIds: [id("disk-a")],
  }),
  unknowns: ["vxnetId", "keypairId"],
  outputs: () => ({
    name: "node-1",
    instanceType: "g2ntp100.4xlarge.r4",
    cpu: 16,
    memoryGiB: 64,
    privateIp: "192.168.1.2",
  }),
  created: (id) => [
    [
      "RunInstances",
      {
        instance_name: "node-1",
        image_id: "img-deeplearning",
        instance_type: "g2ntp100.4xlarge.r4",
        os_disk_size: "30",
        "vxnets.1": `${id("subnet")}|192.168.1.2`,
        "volumes.1": id("disk-a"),
        login_mode: "keypair",
        login_keypair: id("login"),
      },
    ],
  ],
  told: (id) => ({
    action: "DescribeInstances",
    set: "instance_set",
    parameters: { "instances.1": id("node-1"), verbose: "1" },
    expected: { status: "running", keypair_ids: [id("login")], volume_ids: [id("disk-a")] },
  }),
  steps: [
    {
      what: "another image, vxnet, host name and user data",
      to: (id) => ({ imageId: "img-bare", vxnetId: id("free-subnet"), hostname: "one", userData: "#!" }),
      diff: {
        imageId: "UPDATE_REPLACE",
        vxnetId: "UPDATE_REPLACE",
        hostname: "ADD_REPLACE",
        userData: "ADD_REPLACE",
      },
    },
    { what: "a smaller disk", to: () => ({ osDiskGiB: 20 }), diff: { osDiskGiB: "UPDATE_REPLACE" } },
    {
      what: "address, disk and volumes left to the cloud",
      to: () => ({ privateIp: undefined, osDiskGiB: undefined, volumeIds: undefined }),
      diff: {},
    },
    {
      what: "the same shape by its sizes",
      to: () => ({ instanceType: undefined, cpu: 16, memoryGiB: 64, gpus: 1 }),
      diff: {},
    },
    {
      what: "another name",
      to: () => ({ name: "node-1 2" }),
      diff: { name: "UPDATE" },
      calls: (id) => [renamed(id, "node-1 2")],
    },
    {
      what: "another key pair",
      to: (id) => ({ keypairId: id("second-login") }),
      diff: { keypairId: "UPDATE" },
      // The new key is let in before the old one is shut out.
      calls: (id) => [
        keyed("AttachKeyPairs", id, "node-1", "second-login"),
        keyed("DetachKeyPairs", id, "node-1", "login"),
      ],
    },
    {
      what: "another address",
      to: () => ({ privateIp: "192.168.1.20" }),
      diff: { privateIp: "UPDATE" },
      calls: (id) => moved(id, "node-1", "192.168.1.20"),
    },
    {
      what: "another volume",
      to: (id) => ({ volumeIds: [id("disk-b")] }),
      diff: { "volumeIds[0]": "UPDATE" },
      calls: (id) => [
        disked("DetachVolumes", id, "node-1", "disk-a"),
        disked("AttachVolumes", id, "node-1", "disk-b"),
      ],
    },
    {
      what: "another type while it runs",
      to: () => ({ instanceType: "c2m4" }),
      diff: { instanceType: "UPDATE" },
      calls: (id) => resizedWhileStopped(id("node-1"), { instance_type: "c2m4" }),
    },
    {
      what: "another type while it is stopped",
      by: (id) => [ofOne("StopInstances", id("node-1"))],
      to: () => ({ instanceType: "c4m8" }),
      diff: { instanceType: "UPDATE" },
      // Somebody has stopped it: after the change it runs, as every instance of a program does.
      calls: (id) => [
        ofOne("ResizeInstances", id("node-1"), { instance_type: "c4m8" }),
        ofOne("StartInstances", id("node-1")),
      ],
      told: (id) => ({
        action: "DescribeInstances",
        set: "instance_set",
        parameters: { "instances.1": id("node-1") },
        expected: { status: "running", vcpus_current: 4, memory_current: 8192 },
      }),
    },
    {
      what: "a larger disk",
      to: () => ({ osDiskGiB: 40 }),
      diff: { osDiskGiB: "UPDATE" },
      calls: (id) => resizedWhileStopped(id("node-1"), { os_disk_size: "40" }),
    },
    {
      what: "another type and a larger disk at once",
      to: () => ({ instanceType: "c2m4", osDiskGiB: 50 }),
      diff: { instanceType: "UPDATE", osDiskGiB: "UPDATE" },
      calls: (id) => resizedWhileStopped(id("node-1"), { instance_type: "c2m4", os_disk_size: "50" }),
    },
  ],
  drifts: [
    {
      what: "key pair and volume",
      by: (id) => [
        keyed("DetachKeyPairs", id, "node-1", "second-login"),
        disked("DetachVolumes", id, "node-1", "disk-b"),
      ],
      found: () => ({ keypairId: "", volumeIds: [] }),
      calls: (id) => [
        keyed("AttachKeyPairs", id, "node-1", "second-login"),
        disked("AttachVolumes", id, "node-1", "disk-b"),
      ],
    },
    {
      what: "address and name",
      by: (id) => [renamed(id, "by hand"), ...moved(id, "node-1", "192.168.1.21")],
      found: () => ({ name: "by hand", privateIp: "192.168.1.21" }),
      calls: (id) => [renamed(id, "node-1 2"), ...moved(id, "node-1", "192.168.1.20")],
    },
    {
      what: "type",
      by: (id) => resizedWhileStopped(id("node-1"), { instance_type: "c1m1" }),
      found: () => ({ instanceType: "c1m1" }),
      calls: (id) => resizedWhileStopped(id("node-1"), { instance_type: "c2m4" }),
    },
  ],
  deleted: ceased("node-1"),
};
