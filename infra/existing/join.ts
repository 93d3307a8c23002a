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
    readonly name: string;
    readonly vpcNetwork: string;
    readonly securityGroupId?: string | undefined;
    /** The EIP that it has now. */
    readonly eip?: FoundEip;
  };
  readonly vxnet?: {
    readonly id: string;
    readonly name: string;
    readonly vpcId: string;
    readonly ipNetwork: string;
  };
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

/** By their names, and by the stack's state: what an earlier run of this stack has made or joined. */
export interface Own {
  /** Whether a name bears the stack's mark. */
  isMarked(name: string): boolean;
  /** Whether an EIP on the zone's router is the stack's own. */
  eip(name: string): boolean;
  /** Whether a router is the zone's own. */
  vpc(name: string): boolean;
  /** Another zone of the stack that has a router; undefined where none has. @param eip name of the EIP on it, or "" */
  otherZone(router: string, eip: string): string | undefined;
}

/** A setting below the zone, and what is wrong with it. */
export type JoinProblem = readonly [setting: string, message: string];

/** What keeps a zone from joining what was found; nothing if it can. */
export function joinProblems(settings: ZoneSettings, found: Found, own: Own): JoinProblem[] {
  return [
    ...ownProblems(found, own),
    ...zoneProblems(found, own),
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

/** A resource of the stack is deleted when the program no longer makes it: one that is joined would be lost. */
function ownProblems(found: Found, own: Own): JoinProblem[] {
  const given = [
    ["existing.vpcId", found.vpc],
    ["existing.vxnetId", found.vxnet],
    ["existing.eipId", found.eip],
  ] as const;
  return given.flatMap(([setting, thing]): JoinProblem[] =>
    thing === undefined || !own.isMarked(thing.name)
      ? []
      : [
          [
            setting,
            `is this stack's own, "${thing.name}": leave it out, the stack has it without that (given: "${thing.id}")`,
          ],
        ],
  );
}

/** Deletions come last, so the other zone's forwards on the router would still take this zone's ports. */
function zoneProblems({ vpc }: Found, own: Own): JoinProblem[] {
  const other = vpc === undefined ? undefined : own.otherZone(vpc.id, vpc.eip?.name ?? "");
  if (vpc === undefined || other === undefined) return [];
  return [
    [
      "existing.vpcId",
      `is zone "${other}"'s in this stack. If this is the same zone, say so by \`formerly: ${other}\`. If it is another one, run \`up\` once with no zone on that router, then with this one (given: "${vpc.id}")`,
    ],
  ];
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
