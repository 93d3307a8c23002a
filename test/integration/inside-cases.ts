/** As cases.ts: what stands in or behind the router that is made there. */
import { applied, type Case, type IdOf, named } from "./cases.ts";

export const keys = ["hidden-preshared-key-1", "hidden-preshared-key-2"] as const;
export const userData = "#!/bin/sh\necho hidden-user-data\n";
const vxnet = (id: IdOf, address: string) => ({ "vxnets.1": `${id("subnet")}|${address}` });

/** The cloud's record shows nothing of a new static: some hold keys. What was made is proven by the read and the import. */
const hiddenStatic = Object.fromEntries(
  ["static_type", "router_static_name", "val1", "val2", "val3", "val4"].map((name) => [
    `statics.1.${name}`,
    "[secret]",
  ]),
);

export const insideCases: readonly Case[] = [
  {
    type: "qingcloud:cloud:PortForward",
    name: "ssh",
    inputs: (id) => ({
      ...named("ssh"),
      vpcId: id("router"),
      sourcePort: 2201,
      targetAddress: "192.168.1.2",
      targetPort: 22,
    }),
    defaults: { protocol: "tcp" },
    unknowns: ["vpcId", "targetAddress"],
    outputs: ["name"],
    created: (id) => [
      [
        "AddRouterStatics",
        {
          router: id("router"),
          ...hiddenStatic,
        },
      ],
      applied(id),
    ],
    update: {
      to: () => ({ name: "ssh 2", protocol: "udp", sourcePort: 2202, targetPort: 2022 }),
      calls: (id) => [
        [
          "ModifyRouterStaticAttributes",
          {
            router_static: id("ssh"),
            router_static_name: "ssh 2",
            // What a static holds is not known by its id alone: no value may show a key.
            val1: "[secret]",
            val2: "[secret]",
            val3: "[secret]",
            val4: "udp",
          },
        ],
        applied(id),
      ],
    },
    deleted: (id) => [["DeleteRouterStatics", { "router_statics.1": id("ssh") }], applied(id)],
  },
  {
    type: "qingcloud:cloud:IpsecTunnel",
    name: "tunnel",
    inputs: (id) => ({
      ...named("tunnel"),
      vpcId: id("router"),
      remoteAddress: "198.51.100.10",
      remoteId: "%any",
      presharedKey: keys[0],
      localNetworks: ["192.168.1.0/24", "192.168.3.0/24"],
      targetNetworks: ["192.168.2.0/24"],
    }),
    defaults: { algorithm: "aes", mode: "main" },
    unknowns: ["vpcId", "remoteAddress", "presharedKey"],
    outputs: ["name"],
    secrets: ["presharedKey"],
    created: (id) => [
      [
        "AddRouterStatics",
        {
          router: id("router"),
          ...hiddenStatic,
        },
      ],
      applied(id),
    ],
    update: {
      to: () => ({
        remoteAddress: "198.51.100.11",
        presharedKey: keys[1],
        localNetworks: ["192.168.1.0/24"],
        mode: "aggrmode",
      }),
      calls: (id) => [
        [
          "ModifyRouterStaticAttributes",
          {
            router_static: id("tunnel"),
            router_static_name: "tunnel",
            val1: "[secret]",
            val2: "[secret]",
            val3: "[secret]",
            val4: "aggrmode",
          },
        ],
        applied(id),
      ],
    },
    deleted: (id) => [["DeleteRouterStatics", { "router_statics.1": id("tunnel") }], applied(id)],
  },
  {
    type: "qingcloud:cloud:Instance",
    name: "node-1",
    inputs: (id) => ({
      ...named("node-1"),
      imageId: "img-deeplearning",
      instanceType: "g2ntp100.4xlarge.r4",
      vxnetId: id("subnet"),
      privateIp: "192.168.1.2",
      keypairId: id("login"),
    }),
    unknowns: ["vxnetId", "keypairId"],
    outputs: ["name"],
    created: (id) => [
      [
        "RunInstances",
        {
          instance_name: "node-1",
          image_id: "img-deeplearning",
          instance_type: "g2ntp100.4xlarge.r4",
          ...vxnet(id, "192.168.1.2"),
          login_mode: "keypair",
          login_keypair: id("login"),
        },
      ],
    ],
    update: {
      to: () => ({ name: "node-1 2" }),
      calls: (id) => [["ModifyInstanceAttributes", { instance: id("node-1"), instance_name: "node-1 2" }]],
    },
    deleted: (id) => [["TerminateInstances", { "instances.1": id("node-1"), direct_cease: "1" }]],
  },
  {
    type: "qingcloud:cloud:Instance",
    name: "node-2",
    inputs: (id) => ({
      ...named("node-2"),
      imageId: "img-bare",
      cpu: 2,
      memoryGiB: 4,
      osDiskGiB: 40,
      hostname: "node-two",
      vxnetId: id("subnet"),
      privateIp: "192.168.1.3",
      keypairId: id("login"),
      userData,
    }),
    unknowns: ["userData"],
    outputs: ["name"],
    secrets: ["userData"],
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
          ...vxnet(id, "192.168.1.3"),
          login_mode: "keypair",
          login_keypair: id("login"),
          need_userdata: "1",
          userdata_type: "exec",
          userdata_value: "[secret]",
        },
      ],
    ],
    // The API tells a type for every size, and neither host name nor disk nor user data.
    imported: {
      instanceType: "c2m4",
      cpu: undefined,
      memoryGiB: undefined,
      osDiskGiB: undefined,
      hostname: undefined,
      userData: undefined,
    },
    deleted: (id) => [["TerminateInstances", { "instances.1": id("node-2"), direct_cease: "1" }]],
  },
];
