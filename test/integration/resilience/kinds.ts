/** Every resource that works on the cloud: how it is made and changed, and by which calls. */
import type { Properties } from "../../../provider/rpc/values.ts";
import { own, zone } from "../../harness/account.ts";
import { publicKey } from "../../local-cloud/support.ts";

/** Ids of what exists beside the resource. */
export interface Surroundings {
  readonly router: string;
  readonly vxnet: string;
  readonly group: string;
  readonly otherGroup: string;
  readonly keyPair: string;
  readonly otherKeyPair: string;
  readonly instance: string;
  readonly tag: string;
  /** Made anew for each resource, as each is on one thing at most. */
  readonly eip: string;
  readonly otherEip: string;
  readonly volume: string;
  readonly otherVolume: string;
  readonly bareRouter: string;
  /** Of the resource, for what must be unique. */
  readonly number: number;
}

export interface Kind {
  readonly type: string;
  inputs(around: Surroundings): Properties;
  /** Inputs of an update in place; absent where there is none. */
  changed?(around: Surroundings): Properties;
  /** Calls that change something, in their order; the first is the one that makes the resource. */
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly deleted: readonly string[];
  /** How the cloud lists it by name; absent where it has none. */
  readonly listed?: Listed;
}

interface Listed {
  readonly action: string;
  readonly set: string;
  readonly name: string;
}

const listed = (action: string, set: string, name: string): Listed => ({ action, set, name });
const ofStatic = {
  created: ["AddRouterStatics", "UpdateRouters"],
  updated: ["ModifyRouterStaticAttributes", "UpdateRouters"],
  deleted: ["DeleteRouterStatics", "UpdateRouters"],
  listed: listed("DescribeRouterStatics", "router_static_set", "router_static_name"),
};
const ssh = { protocol: "tcp", fromPort: 22, toPort: 22, priority: 0, action: "accept", direction: 0 };
const esp = { protocol: "esp", priority: 1, action: "accept", direction: 0 };
const vpcNetwork = "192.168.0.0/16";

const forward = ({ router, number }: Surroundings) => ({
  ...own,
  vpcId: router,
  protocol: "tcp",
  sourcePort: 2200 + number,
  targetAddress: "192.168.1.2",
  targetPort: 22,
});
const ipsec = ({ router, number }: Surroundings) => ({
  ...own,
  vpcId: router,
  remoteAddress: `198.51.100.${number}`,
  algorithm: "aes",
  presharedKey: "first-hidden-key",
  localNetworks: ["192.168.1.0/24"],
  targetNetworks: [`10.7.${number}.0/24`],
  mode: "main",
});
const gre = ({ router, number }: Surroundings) => ({
  ...own,
  vpcId: router,
  remoteAddress: `198.51.100.${number}`,
  key: 7,
  localAddress: `10.254.${number}.1`,
  peerAddress: `10.254.${number}.2`,
  targetNetworks: [`10.6.${number}.0/24`],
});
const dns = ({ router, number }: Surroundings) => ({
  ...own,
  vpcId: router,
  type: 8,
  val1: `host-${number}`,
  val2: "192.168.1.2",
});

export const kinds: readonly Kind[] = [
  {
    type: "Eip",
    inputs: () => ({ ...own, bandwidth: 1, billingMode: "bandwidth" }),
    changed: () => ({ ...own, name: "renamed-eip", bandwidth: 2, billingMode: "traffic" }),
    created: ["AllocateEips"],
    updated: ["ModifyEipAttributes", "ChangeEipsBandwidth", "ChangeEipsBillingMode"],
    deleted: ["ReleaseEips"],
    listed: listed("DescribeEips", "eip_set", "eip_name"),
  },
  {
    type: "SecurityGroup",
    inputs: () => ({ ...own, rules: [ssh] }),
    changed: () => ({ ...own, name: "renamed-group", rules: [esp] }),
    created: ["CreateSecurityGroup", "AddSecurityGroupRules", "ApplySecurityGroup"],
    updated: [
      "ModifySecurityGroupAttributes",
      "AddSecurityGroupRules",
      "DeleteSecurityGroupRules",
      "ApplySecurityGroup",
    ],
    deleted: ["DeleteSecurityGroups"],
    listed: listed("DescribeSecurityGroups", "security_group_set", "security_group_name"),
  },
  {
    type: "SecurityGroupRule",
    inputs: ({ group, number }) => ({ ...own, securityGroupId: group, ...ssh, toPort: 22 + number }),
    changed: ({ group, number }) => ({
      ...own,
      securityGroupId: group,
      ...ssh,
      toPort: 22 + number,
      priority: 7,
    }),
    created: ["AddSecurityGroupRules", "ApplySecurityGroup"],
    updated: ["ModifySecurityGroupRuleAttributes", "ApplySecurityGroup"],
    deleted: ["DeleteSecurityGroupRules", "ApplySecurityGroup"],
    listed: listed("DescribeSecurityGroupRules", "security_group_rule_set", "security_group_rule_name"),
  },
  {
    type: "SecurityGroupRules",
    inputs: ({ otherGroup, number }) => ({
      ...own,
      securityGroupId: otherGroup,
      rules: [{ ...ssh, toPort: 22 + number }],
    }),
    changed: ({ otherGroup, number }) => ({
      ...own,
      name: `renamed-rules-${number}`,
      securityGroupId: otherGroup,
      rules: [{ ...ssh, toPort: 23 + number }],
    }),
    created: ["AddSecurityGroupRules", "ApplySecurityGroup"],
    updated: [
      "ModifySecurityGroupRuleAttributes",
      "AddSecurityGroupRules",
      "DeleteSecurityGroupRules",
      "ApplySecurityGroup",
    ],
    deleted: ["DeleteSecurityGroupRules", "ApplySecurityGroup"],
    listed: listed("DescribeSecurityGroupRules", "security_group_rule_set", "security_group_rule_name"),
  },
  {
    type: "KeyPair",
    inputs: () => ({ ...own, publicKey }),
    changed: () => ({ ...own, name: "renamed-key-pair", publicKey }),
    created: ["CreateKeyPair"],
    updated: ["ModifyKeyPairAttributes"],
    deleted: ["DeleteKeyPairs"],
    listed: listed("DescribeKeyPairs", "keypair_set", "keypair_name"),
  },
  {
    type: "Vpc",
    inputs: ({ eip, group }) => ({
      ...own,
      vpcNetwork,
      type: 1,
      eipId: eip,
      securityGroupId: group,
    }),
    changed: ({ otherEip, otherGroup }) => ({
      ...own,
      name: "renamed-vpc",
      vpcNetwork,
      type: 1,
      eipId: otherEip,
      securityGroupId: otherGroup,
    }),
    created: ["CreateRouters", "ModifyRouterAttributes", "UpdateRouters"],
    updated: [
      "ModifyRouterAttributes",
      "UpdateRouters",
      "ModifyRouterAttributes",
      "UpdateRouters",
      "ApplySecurityGroup",
    ],
    deleted: ["ModifyRouterAttributes", "UpdateRouters", "DeleteRouters"],
    listed: listed("DescribeRouters", "router_set", "router_name"),
  },
  {
    type: "Vxnet",
    inputs: ({ router, number }) => ({ ...own, vpcId: router, ipNetwork: `192.168.${100 + number}.0/24` }),
    changed: ({ router, number }) => ({
      ...own,
      name: "renamed-vxnet",
      vpcId: router,
      ipNetwork: `192.168.${150 + number}.0/24`,
    }),
    created: ["CreateVxnets", "JoinRouter"],
    updated: ["ModifyVxnetAttributes", "LeaveRouter", "JoinRouter"],
    deleted: ["LeaveRouter", "DeleteVxnets"],
    listed: listed("DescribeVxnets", "vxnet_set", "vxnet_name"),
  },
  {
    type: "PortForward",
    inputs: forward,
    changed: (around) => ({ ...forward(around), protocol: "udp", targetPort: 23 }),
    ...ofStatic,
  },
  {
    type: "IpsecTunnel",
    inputs: ipsec,
    changed: (around) => ({ ...ipsec(around), presharedKey: "second-hidden-key", mode: "aggrmode" }),
    ...ofStatic,
  },
  { type: "GreTunnel", inputs: gre, changed: (around) => ({ ...gre(around), key: 8 }), ...ofStatic },
  {
    type: "RouterStatic",
    inputs: dns,
    changed: (around) => ({ ...dns(around), val2: "192.168.1.3" }),
    ...ofStatic,
  },
  {
    type: "Instance",
    inputs: ({ vxnet, keyPair, volume, number }) => ({
      ...own,
      imageId: "img-bare",
      instanceType: "c1m1",
      vxnetId: vxnet,
      privateIp: `192.168.1.${100 + number}`,
      keypairId: keyPair,
      volumeIds: [volume],
    }),
    changed: ({ vxnet, otherKeyPair, otherVolume, number }) => ({
      ...own,
      name: "renamed-instance",
      imageId: "img-bare",
      instanceType: "c2m2",
      vxnetId: vxnet,
      privateIp: `192.168.1.${150 + number}`,
      keypairId: otherKeyPair,
      volumeIds: [otherVolume],
    }),
    created: ["RunInstances"],
    updated: [
      "ModifyInstanceAttributes",
      "AttachKeyPairs",
      "DetachKeyPairs",
      "DetachVolumes",
      "AttachVolumes",
      "LeaveVxnet",
      "JoinVxnet",
      "StopInstances",
      "ResizeInstances",
      "StartInstances",
    ],
    deleted: ["TerminateInstances"],
    listed: listed("DescribeInstances", "instance_set", "instance_name"),
  },
  {
    type: "Volume",
    inputs: () => ({ ...own, sizeGiB: 10, type: 0 }),
    changed: () => ({ ...own, name: "renamed-volume", sizeGiB: 20, type: 0 }),
    created: ["CreateVolumes"],
    updated: ["ModifyVolumeAttributes", "ResizeVolumes"],
    deleted: ["DeleteVolumes"],
    listed: listed("DescribeVolumes", "volume_set", "volume_name"),
  },
  {
    type: "VolumeAttachment",
    inputs: ({ volume, instance }) => ({ zone, volumeId: volume, instanceId: instance }),
    created: ["AttachVolumes"],
    updated: [],
    deleted: ["DetachVolumes"],
  },
  {
    type: "Tag",
    inputs: () => ({ ...own, color: "#123456" }),
    changed: () => ({ ...own, name: "renamed-tag", color: "#654321" }),
    created: ["CreateTag"],
    updated: ["ModifyTagAttributes"],
    deleted: ["DeleteTags"],
    listed: listed("DescribeTags", "tag_set", "tag_name"),
  },
  {
    type: "TagAttachment",
    inputs: ({ tag, router }) => ({ zone, tagId: tag, resourceType: "router", resourceId: router }),
    created: ["AttachTags"],
    updated: [],
    deleted: ["DetachTags"],
  },
  {
    type: "VpcEip",
    inputs: ({ bareRouter, eip }) => ({ zone, vpcId: bareRouter, eipId: eip, keepFound: false }),
    created: ["ModifyRouterAttributes", "UpdateRouters"],
    updated: [],
    deleted: ["ModifyRouterAttributes", "UpdateRouters"],
  },
];

export function kindOf(type: string): Kind {
  const kind = kinds.find((each) => each.type === type);
  if (kind === undefined) throw new Error(`no kind ${type}`);
  return kind;
}
