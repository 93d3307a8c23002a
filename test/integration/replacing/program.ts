/** One resource of each kind that the cloud holds, as users of the provider's classes write them. */
import { Config, CustomResource, type Inputs } from "@pulumi/pulumi";
import * as qingcloud from "../../../provider/index.ts";

interface Choice {
  readonly zone: string;
  /** A router that is not the program's. */
  readonly vpcId: string;
  /** Inputs that are others, by the resource's name. */
  readonly changed?: Readonly<Record<string, Inputs>>;
  /** The instance by a class of one's own, which does not say that the old one must go first. */
  readonly isPlain?: boolean;
}

const {
  zone,
  vpcId,
  changed = {},
  isPlain = false,
} = new Config("crosszone").requireObject<Choice>("choice");

const { value: mark } = new qingcloud.StackMark("mark", {});
const own = { zone, mark };
const ssh = {
  protocol: "tcp",
  fromPort: 22,
  toPort: 22,
  priority: 0,
  action: "accept",
  direction: 0,
} as const;
const network = "192.168.1.0/24";
/** The inputs, with what is to be changed. */
const of = <Args extends object>(name: string, args: Args): Args => ({ ...args, ...changed[name] });

const operator = new qingcloud.SshKey("operator", {});
const key = new qingcloud.PresharedKey("key", {});
const front = new qingcloud.Eip("front", of("front", { ...own, bandwidth: 10 }));
const spare = new qingcloud.Eip("spare", of("spare", { ...own, bandwidth: 5 }));
const group = new qingcloud.SecurityGroup("group", of("group", { ...own, rules: [ssh] }));
const open = new qingcloud.SecurityGroup("open", of("open", own));
new qingcloud.SecurityGroupRule("rule", { ...own, securityGroupId: open.id, ...ssh });
new qingcloud.SecurityGroupRules(
  "rules",
  { ...own, securityGroupId: open.id, rules: [{ ...ssh, fromPort: 80, toPort: 80 }] },
  // The group is kept when it is to be replaced by force, and so its rules must stay.
  { deletedWith: open },
);
const vpcNetwork = "192.168.0.0/16";
const router = new qingcloud.Vpc(
  "router",
  of("router", { ...own, vpcNetwork, eipId: front.id, securityGroupId: group.id }),
);
new qingcloud.VpcEip("on-theirs", { zone, vpcId, eipId: spare.id });
const vxnet = new qingcloud.Vxnet("vxnet", { ...own, vpcId: router.id, ipNetwork: network });
const keyPair = new qingcloud.KeyPair("key-pair", of("key-pair", { ...own, publicKey: operator.publicKey }));
class PlainInstance extends CustomResource {
  constructor(name: string, args: Inputs) {
    super("qingcloud:cloud:Instance", name, args);
  }
}
const node = new (isPlain ? PlainInstance : qingcloud.Instance)(
  "node",
  of("node", {
    ...own,
    imageId: "img-deeplearning",
    cpu: 2,
    memoryGiB: 4,
    vxnetId: vxnet.id,
    privateIp: "192.168.1.2",
    keypairId: keyPair.id,
  }),
);
new qingcloud.PortForward("forward", {
  ...own,
  vpcId: router.id,
  sourcePort: 2201,
  targetAddress: "192.168.1.2",
  targetPort: 22,
});
new qingcloud.IpsecTunnel("ipsec", {
  ...own,
  vpcId: router.id,
  remoteAddress: "198.51.100.7",
  presharedKey: key.value,
  localNetworks: [network],
  targetNetworks: ["10.7.0.0/24"],
});
new qingcloud.GreTunnel("gre", {
  ...own,
  vpcId: router.id,
  remoteAddress: "198.51.100.8",
  key: 8,
  localAddress: "10.254.0.1",
  peerAddress: "10.254.0.2",
  targetNetworks: ["10.8.0.0/24"],
});
new qingcloud.RouterStatic("dns", { ...own, vpcId: router.id, type: 8, val1: "host", val2: "192.168.1.2" });
const volume = new qingcloud.Volume("volume", of("volume", { ...own, sizeGiB: 10 }));
new qingcloud.VolumeAttachment("attachment", { zone, volumeId: volume.id, instanceId: node.id });
const tag = new qingcloud.Tag("tag", of("tag", own));
new qingcloud.TagAttachment("tagged", {
  zone,
  tagId: tag.id,
  resourceType: "router",
  resourceId: router.id,
});
