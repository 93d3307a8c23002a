/** The documents of the durable state, one type per kind of resource. Documents are never changed in place. */

import type { RulePicture } from "../network/picture.ts";
import type { FaultRecord } from "./faults.ts";
import type { JobWork } from "./job-work.ts";
import type { LinkRecord } from "./links.ts";

export type { JobAction, JobWork } from "./job-work.ts";

interface Common {
  readonly id: string;
  readonly zone: string;
  readonly name: string;
  readonly description: string;
  /** Milliseconds since the epoch. */
  readonly createTime: number;
}

interface Taggable extends Common {
  /** In the order of their attachment. */
  readonly tagIds: readonly string[];
}

interface Living extends Taggable {
  readonly statusTime: number;
  /** `""` while nothing is being done to it. */
  readonly transition: string;
}

/** How often something was done on a day, the last on which it was. */
export interface TimesOnDay {
  /** Since the epoch. */
  readonly day: number;
  readonly times: number;
}

export interface Eip extends Living {
  readonly kind: "eip";
  readonly status: "available" | "associated" | "released" | "ceased";
  readonly address: string;
  readonly bandwidth: number;
  readonly billingMode: "bandwidth" | "traffic";
  readonly associateMode: number;
  readonly needIcp: number;
  /** How often its bandwidth was lowered, and its billing mode changed. */
  readonly lowered?: TimesOnDay;
  readonly rebilled?: TimesOnDay;
}

export interface SecurityGroupRule extends Omit<RulePicture, "from" | "to" | "network"> {
  readonly id: string;
  readonly name: string;
  readonly direction: 0 | 1;
  readonly val1: string;
  readonly val2: string;
  readonly val3: string;
}

export interface SecurityGroup extends Taggable {
  readonly kind: "security_group";
  readonly isDefault: boolean;
  readonly rules: readonly SecurityGroupRule[];
  /** Grows with every change of the rules. */
  readonly revision: number;
  /** What ApplySecurityGroup last put into effect. */
  readonly applied: { readonly revision: number; readonly rules: readonly SecurityGroupRule[] };
}

export interface KeyPair extends Taggable {
  readonly kind: "keypair";
  readonly encryptMethod: string;
  /** The base64 body of the OpenSSH public key. */
  readonly body: string;
}

/** How a vxnet is joined to a router. */
export interface Join {
  readonly routerId: string;
  readonly network: string;
  readonly managerIp: string;
  readonly dynIpStart: string;
  readonly dynIpEnd: string;
  readonly features: number;
  readonly createTime: number;
}

export interface Vxnet extends Taggable {
  readonly kind: "vxnet";
  readonly vxnetType: 0 | 1 | 2;
  readonly join?: Join;
  /** A job is joining it to this router or taking it out of it. */
  readonly busyWithRouter?: string;
}

/** What UpdateRouters puts into effect. */
export interface RouterConfiguration {
  readonly revision: number;
  readonly eipId?: string;
  readonly statics: readonly RouterStatic[];
}

/** For clients of a router's OpenVPN, in PEM. */
export interface VpnCertificates {
  readonly authority: string;
  readonly authorityKey: string;
  readonly client: string;
  readonly clientKey: string;
  readonly staticKey: string;
}

export interface Router extends Living {
  readonly kind: "router";
  readonly status: "pending" | "active" | "poweroffed" | "deleted";
  readonly routerType: 0 | 1 | 2 | 3;
  readonly vpcNetwork: string;
  /** Its address in the zone's intranet; every router has one from the cloud's next start on. */
  readonly privateIp?: string;
  readonly securityGroupId: string;
  /** The security group in effect; ApplySecurityGroup makes it the one above. */
  readonly appliedSecurityGroupId: string;
  readonly eipId?: string;
  /** Grows with every change that UpdateRouters has to put into effect. */
  readonly revision: number;
  readonly applied: RouterConfiguration;
  /** From the first GetVPNCerts on. */
  readonly vpnCertificates?: VpnCertificates;
}

export type StaticValues = { readonly [Name in `val${1 | 2 | 3 | 4 | 5 | 6}`]?: string };

/** A network of a tunnel or an account of a VPN, see AddRouterStaticEntries. */
export interface RouterStaticEntry {
  readonly id: string;
  readonly name: string;
  readonly val1: string;
  readonly val2: string;
}

export interface RouterStatic extends Omit<Common, "description"> {
  readonly kind: "router_static";
  readonly routerId: string;
  readonly vxnetId: string;
  readonly staticType: number;
  /** Of a tunnel its networks are those of its entries. */
  readonly values: StaticValues;
  readonly entries?: readonly RouterStaticEntry[];
  readonly disabled: boolean;
}

export interface Nic {
  readonly vxnetId: string;
  /** `""` while its vxnet is in no router. */
  readonly address: string;
  readonly mac: string;
}

export interface InstanceLogin {
  readonly keypairIds: readonly string[];
  /** In the form of crypt(3); the password itself is kept nowhere. */
  readonly passwordHash?: string | undefined;
}

export interface Instance extends Living, InstanceLogin {
  readonly kind: "instance";
  readonly status: "pending" | "running" | "stopped" | "terminated" | "ceased";
  readonly imageId: string;
  readonly instanceType: string;
  readonly instanceClass: number;
  readonly cpu: number;
  readonly memory: number;
  readonly gpu: number;
  readonly gpuClass: number;
  readonly osDiskSize: number;
  readonly cpuModel?: string;
  readonly cpuTopology?: string;
  readonly hostname: string;
  readonly nicMqueue: number;
  readonly securityGroupId: string;
  readonly nics: readonly Nic[];
  /** The EIP that AssociateEip put on it. */
  readonly eipId?: string;
  readonly userdata?: {
    readonly type: "plain" | "exec" | "tar";
    /** Of type exec. */
    readonly file: string;
    /** Where it is not the usual one. */
    readonly folder?: string;
    /** The content, but of type tar. */
    readonly base64?: string;
    readonly attachmentId?: string;
  };
  /** Grows with every start and restart. */
  readonly boot: number;
  /** Grows each time the OS disk is made anew; absent while it is the first. */
  readonly disk?: number;
  /** Its first disk began as a copy of this instance's. */
  readonly clonedFrom?: string;
}

/** An archive for the disks of instances. */
export interface UserdataAttachment extends Common {
  readonly kind: "userdata_attachment";
  readonly base64: string;
}

export interface Volume extends Living {
  readonly kind: "volume";
  readonly status: "pending" | "available" | "in-use" | "deleted";
  /** GB. */
  readonly size: number;
  readonly volumeType: number;
  /** It began as a copy of this volume. */
  readonly clonedFrom?: string;
  /** While it is in use. */
  readonly attachment?: { readonly instanceId: string; readonly device: string };
}

export interface Tag extends Common {
  readonly kind: "tag";
  readonly color: string;
}

export interface JobError {
  /** A ret_code. */
  readonly code: number;
  readonly message: string;
}

export interface Job {
  readonly kind: "job";
  readonly id: string;
  readonly zone: string;
  readonly createTime: number;
  readonly statusTime: number;
  readonly status: "pending" | "working" | "failed" | "successful";
  readonly resourceIds: readonly string[];
  /** When its work is done and takes effect. */
  readonly dueTime: number;
  readonly error?: JobError;
  /** It ends failed like this, whatever its work. */
  readonly mustFail?: JobError;
  /** A fault that does not let it end: its id, while it is there. */
  readonly heldBy?: string;
  readonly work: JobWork;
}

export interface ResourceOfKind {
  eip: Eip;
  security_group: SecurityGroup;
  keypair: KeyPair;
  vxnet: Vxnet;
  router: Router;
  router_static: RouterStatic;
  instance: Instance;
  userdata_attachment: UserdataAttachment;
  volume: Volume;
  tag: Tag;
  job: Job;
  fault: FaultRecord;
  link: LinkRecord;
}
export type Kind = keyof ResourceOfKind;
export type Resource = ResourceOfKind[Kind];
