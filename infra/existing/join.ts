/** What a zone joins: found things against the zone's settings. Pure. */
import { overlaps } from "../../qingcloud/networks.ts";

/** What a zone has already; what is absent is made. */
export interface Existing {
  readonly vpc?: { readonly id: string; readonly securityGroupId: string };
  readonly vxnetId?: string;
  readonly eip?: { readonly id: string; readonly address: string; readonly bandwidth: number };
}

export interface FoundEip {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly bandwidth: number;
}

/** What the lookups answered for the ids of a zone. */
export interface Found {
  readonly vpc?: {
    readonly id: string;
    readonly vpcNetwork: string;
    readonly securityGroupId?: string | undefined;
    /** The EIP that it has now. */
    readonly eip?: FoundEip;
  };
  readonly vxnet?: { readonly id: string; readonly vpcId: string; readonly ipNetwork: string };
  /** With the router or instance that it is on; neither where it is free. */
  readonly eip?: FoundEip & {
    readonly holderId?: string | undefined;
    readonly holderName?: string | undefined;
  };
}

export interface ZoneSettings {
  readonly network: string;
  /** As the configuration has it, before defaults. */
  readonly bandwidthMbps?: unknown;
}

/** By their names: which EIP and which router an earlier run of this stack has made. */
export interface Own {
  eip(name: string): boolean;
  vpc(name: string): boolean;
}

/** A setting below the zone, and what is wrong with it. */
export type JoinProblem = readonly [setting: string, message: string];

/** What keeps a zone from joining what was found; nothing if it can. */
export function joinProblems(settings: ZoneSettings, found: Found, own: Own): JoinProblem[] {
  return [
    ...vpcProblems(settings, found),
    ...vxnetProblems(settings, found),
    ...eipProblems(found, own),
    ...bandwidthProblems(settings, joinedEip(found, own)),
  ];
}

/** `joinProblems` has found none. */
export function join(found: Found, own: Own): Existing {
  const { vpc, vxnet } = found;
  const eip = joinedEip(found, own);
  return {
    ...(vpc?.securityGroupId === undefined
      ? {}
      : { vpc: { id: vpc.id, securityGroupId: vpc.securityGroupId } }),
    ...(vxnet === undefined ? {} : { vxnetId: vxnet.id }),
    ...(eip === undefined ? {} : { eip: { id: eip.id, address: eip.address, bandwidth: eip.bandwidth } }),
  };
}

/** The EIP that is given, else the router's; but one that an earlier run put on the router is this stack's own. */
function joinedEip({ vpc, eip }: Found, own: Own): FoundEip | undefined {
  return eip ?? (vpc?.eip === undefined || own.eip(vpc.eip.name) ? undefined : vpc.eip);
}

function vpcProblems({ network }: ZoneSettings, { vpc }: Found): JoinProblem[] {
  if (vpc === undefined) return [];
  const problems: JoinProblem[] = [];
  if (!overlaps(network, vpc.vpcNetwork)) {
    const message = `must lie inside ${vpc.vpcNetwork}, the network of ${vpc.id} (given: "${network}")`;
    problems.push(["network", message]);
  }
  if (vpc.securityGroupId === undefined) {
    problems.push([
      "existing.vpcId",
      `${vpc.id} has no security group, so nothing can be let in: give it one in the console`,
    ]);
  }
  return problems;
}

function vxnetProblems({ network }: ZoneSettings, { vpc, vxnet }: Found): JoinProblem[] {
  if (vpc === undefined || vxnet === undefined) return [];
  if (vxnet.vpcId !== vpc.id) {
    const joined = vxnet.vpcId === "" ? "no router" : vxnet.vpcId;
    return [
      [
        "existing.vxnetId",
        `must be a vxnet of ${vpc.id}; ${vxnet.id} is joined to ${joined}: correct vpcId or vxnetId`,
      ],
    ];
  }
  if (vxnet.ipNetwork === network) return [];
  return [["network", `must be ${vxnet.ipNetwork}, the network of ${vxnet.id} (given: "${network}")`]];
}

function eipProblems({ vpc, eip }: Found, own: Own): JoinProblem[] {
  if (eip === undefined) return [];
  const present = vpc?.eip;
  if (present !== undefined && present.id !== eip.id && !own.eip(present.name)) {
    const message = `${vpc?.id} has ${present.id}: leave eipId out to use that, or take it from the router first (given: "${eip.id}")`;
    return [["existing.eipId", message]];
  }
  const isFree = eip.holderId === undefined || eip.holderId === vpc?.id || own.vpc(eip.holderName ?? "");
  if (isFree) return [];
  return [
    [
      "existing.eipId",
      `${eip.id} is on ${eip.holderId}: take it from there first, or give a free one (given: "${eip.id}")`,
    ],
  ];
}

function bandwidthProblems({ bandwidthMbps }: ZoneSettings, eip: FoundEip | undefined): JoinProblem[] {
  if (eip === undefined || bandwidthMbps === undefined || bandwidthMbps === eip.bandwidth) return [];
  return [
    [
      "bandwidthMbps",
      `must be left out or be ${eip.bandwidth}: ${eip.id} exists, so its bandwidth is not changed (given: ${JSON.stringify(bandwidthMbps)})`,
    ],
  ];
}
