/** Wrong inputs of every resource, and what is told of them: each problem with its property path. */
import { zone } from "./entry.ts";

export interface WrongInputs {
  readonly given: Readonly<Record<string, unknown>>;
  /** Property path and reason of each problem, which says what was given and what is allowed. */
  readonly told: readonly (readonly [path: string, reason: string])[];
}

/** By type without the package. */
export const wrongInputs: Readonly<Record<string, WrongInputs>> = {
  "state:StackMark": {
    given: { value: "0badcafe", sweep: "yes" },
    told: [
      ["value", '"value" is not a property; allowed: sweep'],
      ["sweep", 'sweep: Invalid input: expected boolean, received string (given: "yes")'],
    ],
  },
  "state:PresharedKey": {
    given: { bytes: 8, value: "mine" },
    told: [
      ["value", '"value" is not a property; allowed: bytes'],
      ["bytes", "bytes: Too small: expected number to be >=16 (given: 8)"],
    ],
  },
  "state:SshKey": {
    given: { comment: "two words", bits: 2048 },
    told: [
      ["bits", '"bits" is not a property; allowed: comment'],
      ["comment", 'comment: Invalid string: must match pattern /^[\\w.@-]*$/ (given: "two words")'],
    ],
  },
  "cloud:Eip": {
    given: { zone: "", name: "", bandwidth: 1001, billingMode: "month", address: "203.0.113.9" },
    told: [
      ["address", '"address" is not a property; allowed: zone, name, mark, bandwidth, billingMode'],
      ["zone", 'zone: Too small: expected string to have >=1 characters (given: "")'],
      ["name", 'name: Too small: expected string to have >=1 characters (given: "")'],
      ["bandwidth", "bandwidth: Too big: expected number to be <=1000 (given: 1001)"],
      ["billingMode", 'billingMode: Invalid option: expected one of "bandwidth"|"traffic" (given: "month")'],
    ],
  },
  "cloud:SecurityGroup": {
    given: {
      zone,
      rules: [
        { protocol: "tcp", fromPort: 22 },
        { protocol: "sctp", fromPort: 65536, priority: 101, ports: "1-2" },
        { protocol: "udp", cidrBlock: "10.0.0.0/33", direction: 2, action: "reject" },
      ],
    },
    told: [
      [
        "rules[1].protocol",
        'rules[1].protocol: Invalid option: expected one of "tcp"|"udp"|"icmp"|"gre"|"esp"|"ah"|"ipip" (given: "sctp")',
      ],
      ["rules[1].priority", "rules[1].priority: Too big: expected number to be <=100 (given: 101)"],
      ["rules[1].fromPort", "rules[1].fromPort: Too big: expected number to be <=65535 (given: 65536)"],
      [
        "rules[1].ports",
        'rules[1].ports: is not a property; allowed: protocol, priority, action, direction, fromPort, toPort, cidrBlock (given: "1-2")',
      ],
      [
        "rules[2].action",
        'rules[2].action: Invalid option: expected one of "accept"|"drop" (given: "reject")',
      ],
      ["rules[2].direction", "rules[2].direction: must be one of 0, 1 (given: 2)"],
      [
        "rules[2].cidrBlock",
        'rules[2].cidrBlock: must be an IPv4 address or network, e.g. 203.0.113.0/24 (given: "10.0.0.0/33")',
      ],
    ],
  },
  "cloud:SecurityGroupRule": {
    given: {
      zone,
      securityGroupId: "sg-x",
      protocol: "udp",
      fromPort: 3,
      toPort: 2,
      priority: -1,
      cidrBlock: "any",
    },
    told: [
      ["priority", "priority: Too small: expected number to be >=0 (given: -1)"],
      ["cidrBlock", 'cidrBlock: must be an IPv4 address or network, e.g. 203.0.113.0/24 (given: "any")'],
      ["toPort", "toPort: must be 3 (fromPort) or more (given: 2)"],
    ],
  },
  "cloud:SecurityGroupRules": {
    given: { zone, securityGroupId: "sg-x", rules: [], keepOthers: true },
    told: [
      ["keepOthers", '"keepOthers" is not a property; allowed: zone, name, mark, securityGroupId, rules'],
      ["rules", "rules: Too small: expected array to have >=1 items (given: [])"],
    ],
  },
  "cloud:KeyPair": {
    given: { zone, name: "x".repeat(256), publicKey: "ssh-ed448 AAAA", comment: "mine" },
    told: [
      ["comment", '"comment" is not a property; allowed: zone, name, mark, publicKey, generation'],
      ["name", `name: Too big: expected string to have <=255 characters (given: "${"x".repeat(256)}")`],
      [
        "publicKey",
        'publicKey: must be a public key in OpenSSH\'s form, e.g. `ssh-ed25519 AAAA…` (given: "ssh-ed448 AAAA")',
      ],
    ],
  },
  "cloud:Vpc": {
    given: { zone, vpcNetwork: "10.0.0.0/16", type: 4, eipId: 1 },
    told: [
      [
        "vpcNetwork",
        'vpcNetwork: must be 192.168.0.0/16 or one of 172.16.0.0/16 to 172.31.0.0/16 (given: "10.0.0.0/16")',
      ],
      ["type", "type: must be one of 0, 1, 2, 3 (given: 4)"],
      ["eipId", "eipId: Invalid input: expected string, received number (given: 1)"],
    ],
  },
  "cloud:Vxnet": {
    given: { zone, vpcId: 1, ipNetwork: "192.168.1.0/25", size: 9 },
    told: [
      ["size", '"size" is not a property; allowed: zone, name, mark, vpcId, ipNetwork'],
      ["vpcId", "vpcId: Invalid input: expected string, received number (given: 1)"],
      ["ipNetwork", 'ipNetwork: must be a /24, e.g. 192.168.1.0/24 (given: "192.168.1.0/25")'],
    ],
  },
  "cloud:VpcEip": {
    given: { zone, vpcId: 1, keepFound: "yes" },
    told: [
      ["vpcId", "vpcId: Invalid input: expected string, received number (given: 1)"],
      ["eipId", "eipId: Invalid input: expected string, received undefined (given: nothing)"],
      ["keepFound", 'keepFound: Invalid input: expected boolean, received string (given: "yes")'],
    ],
  },
  "cloud:Tag": {
    given: { zone, name: "longer than 14 ", color: "red" },
    told: [
      ["name", 'name: Too big: expected string to have <=14 characters (given: "longer than 14 ")'],
      ["color", 'color: must be #rgb or #rrggbb, e.g. #9f9bb7 (given: "red")'],
    ],
  },
  "cloud:TagAttachment": {
    given: { zone, resourceType: "disk", resourceId: 7 },
    told: [
      ["tagId", "tagId: Invalid input: expected string, received undefined (given: nothing)"],
      [
        "resourceType",
        'resourceType: Invalid option: expected one of "eip"|"router"|"vxnet"|"instance"|"keypair"|"security_group"|"volume" (given: "disk")',
      ],
      ["resourceId", "resourceId: Invalid input: expected string, received number (given: 7)"],
    ],
  },
  "cloud:PortForward": {
    given: {
      zone,
      vpcId: "rtr-x",
      protocol: "icmp",
      sourcePort: 0,
      targetAddress: "node-1",
      targetPort: 65536,
    },
    told: [
      ["protocol", 'protocol: Invalid option: expected one of "tcp"|"udp" (given: "icmp")'],
      ["sourcePort", "sourcePort: Too small: expected number to be >=1 (given: 0)"],
      ["targetAddress", 'targetAddress: Invalid IPv4 address (given: "node-1")'],
      ["targetPort", "targetPort: Too big: expected number to be <=65535 (given: 65536)"],
    ],
  },
  "cloud:IpsecTunnel": {
    given: {
      zone,
      vpcId: "rtr-x",
      remoteAddress: "",
      remoteId: "a|b",
      algorithm: "aes|sha",
      presharedKey: "short",
      localNetworks: ["192.168.1.0/24", "192.168.0.0/16"],
      targetNetworks: ["10.0.0.0/8", "192.168.1.128/25"],
      mode: "quick",
    },
    told: [
      ["remoteAddress", 'remoteAddress: Too small: expected string to have >=1 characters (given: "")'],
      ["remoteId", 'remoteId: must not contain `|` (given: "a|b")'],
      ["algorithm", 'algorithm: must not contain `|` (given: "aes|sha")'],
      ["presharedKey", "presharedKey: Too small: expected string to have >=8 characters"],
      ["mode", 'mode: Invalid option: expected one of "main"|"aggrmode" (given: "quick")'],
      [
        "targetNetworks[1]",
        "targetNetworks[1]: 192.168.1.128/25 overlaps 192.168.1.0/24 of localNetworks; every network is at one side",
      ],
    ],
  },
  "cloud:GreTunnel": {
    given: {
      zone,
      vpcId: "rtr-x",
      remoteAddress: "a|b",
      key: 4294967296,
      localAddress: "10.254.1.2",
      peerAddress: "10.254.1.2",
      targetNetworks: [],
    },
    told: [
      ["remoteAddress", 'remoteAddress: must not contain `|` (given: "a|b")'],
      ["key", "key: Too big: expected number to be <=4294967295 (given: 4294967296)"],
      ["targetNetworks", "targetNetworks: Too small: expected array to have >=1 items (given: [])"],
      ["peerAddress", 'peerAddress: must be another address than localAddress (given: "10.254.1.2")'],
    ],
  },
  "cloud:RouterStatic": {
    given: { zone, vpcId: "rtr-x", type: 7, val1: "", val2: 9, val7: "" },
    told: [
      [
        "val7",
        '"val7" is not a property; allowed: zone, name, mark, vpcId, type, vxnetId, val1, val2, val3, val4, val5, val6',
      ],
      [
        "type",
        "type: must be 2, 3, 4, 5 or 8; 1, 6 and 7 are PortForward, GreTunnel and IpsecTunnel (given: 7)",
      ],
      ["val1", 'val1: Too small: expected string to have >=1 characters (given: "")'],
      // It may be a password of another type.
      ["val2", "val2: Invalid input: expected string, received number"],
    ],
  },
  "cloud:Volume": {
    given: { zone, sizeGiB: 0, type: 1.5, format: "ext4" },
    told: [
      ["format", '"format" is not a property; allowed: zone, name, mark, sizeGiB, type'],
      ["sizeGiB", "sizeGiB: Too small: expected number to be >=1 (given: 0)"],
      ["type", "type: Invalid input: expected int, received number (given: 1.5)"],
    ],
  },
  "cloud:Instance": {
    given: {
      zone,
      imageId: "",
      instanceType: "c2m4",
      cpu: 2,
      osDiskGiB: 101,
      vxnetId: "vxnet-x",
      privateIp: "192.168.1",
      keypairId: "kp-x",
      volumeIds: ["vol-x", 7],
      userData: "x".repeat(4097),
      publicIp: true,
    },
    told: [
      [
        "publicIp",
        '"publicIp" is not a property; allowed: zone, name, mark, imageId, instanceType, cpu, memoryGiB, gpus, gpuClass, osDiskGiB, vxnetId, privateIp, keypairId, hostname, volumeIds, userData',
      ],
      ["imageId", 'imageId: Too small: expected string to have >=1 characters (given: "")'],
      ["osDiskGiB", "osDiskGiB: Too big: expected number to be <=100 (given: 101)"],
      ["privateIp", 'privateIp: Invalid IPv4 address (given: "192.168.1")'],
      ["volumeIds[1]", "volumeIds[1]: Invalid input: expected string, received number (given: 7)"],
      ["userData", "userData: must be at most 4 KB"],
      [
        "instanceType",
        'instanceType: give the type, or cpu and memoryGiB with gpus; of both the API ignores the type (given: "c2m4" and cpu)',
      ],
    ],
  },
  "cloud:VolumeAttachment": {
    given: { zone, volumeId: 1, device: "/dev/sdz" },
    told: [
      ["device", '"device" is not a property; allowed: zone, volumeId, instanceId'],
      ["volumeId", "volumeId: Invalid input: expected string, received number (given: 1)"],
      ["instanceId", "instanceId: Invalid input: expected string, received undefined (given: nothing)"],
    ],
  },
};
