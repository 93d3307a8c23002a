/** The VPC router of a zone with its EIP and firewall: made, or joined where it exists. */
import { type CustomResourceOptions, type Input, interpolate, type Output, output } from "@pulumi/pulumi";
import { SecurityGroup, SecurityGroupRule, SecurityGroupRules, Vpc, VpcEip } from "../../provider/index.ts";
import type { Existing } from "../existing/join.ts";
import type { RulePlan } from "../plan/plan.ts";

/** An EIP, the stack's own or an existing one. */
export interface PublicAddress {
  readonly id: Output<string>;
  readonly address: Output<string>;
  /** Mbit/s. */
  readonly bandwidth: Output<number>;
}

export interface RouterArgs {
  readonly zone: string;
  readonly mark: Input<string>;
  readonly eipId: Output<string>;
  /** Who is let in. */
  readonly rules: readonly Rule[];
}

/** An inbound rule with its peer's address. */
type Rule = Omit<RulePlan, "from"> & {
  readonly from: Exclude<RulePlan["from"], { readonly zone: string }> | PeerAddress;
};
type PeerAddress = Extract<RulePlan["from"], { readonly zone: string }> & {
  readonly address: Output<string>;
};

export interface Router {
  readonly id: Output<string>;
  /** Options of its port forwards and tunnels: they carry nothing before the EIP is on and the rules let in. */
  readonly ofStatics: Pick<CustomResourceOptions, "dependsOn" | "deletedWith">;
}

export function ownRouter(
  name: string,
  { rules, eipId, vpcNetwork, ...own }: RouterArgs & { readonly vpcNetwork: string },
  options: CustomResourceOptions,
): Router {
  const vpcArgs = { ...own, vpcNetwork, eipId };
  if (rules.some(isOfIntranet)) return ownRouterInIntranet(name, { ...vpcArgs, rules }, options);
  const firewall = new SecurityGroup(`${name}-router`, { ...own, rules: rules.map(inList) }, options);
  const vpc = new Vpc(`${name}-router`, { ...vpcArgs, securityGroupId: firewall.id }, options);
  // They go with the router, without a call each.
  return { id: vpc.id, ofStatics: { deletedWith: vpc } };
}

/**
 * Two routers that let each other in by their intranet addresses have these only when both are made: here those rules
 * are a list that comes after the routers, and the group is another one than a group that manages all its rules.
 */
function ownRouterInIntranet(
  name: string,
  { rules, ...vpcArgs }: RouterArgs & { readonly vpcNetwork: string },
  options: CustomResourceOptions,
): Router {
  const { zone, mark } = vpcArgs;
  const all = [...byName(name, rules).values()];
  const ofIntranet = all.filter(isOfIntranet);
  // A router that had another group is not closed by the exchange: the others are let in before.
  const early = all.filter((rule) => !isOfIntranet(rule));
  const firewall = new SecurityGroup(
    `${name}-firewall`,
    { zone, mark, rules: early.map(inList), keepOthers: true },
    options,
  );
  const withGroup = { ...options, deletedWith: firewall };
  const left = (rules: readonly Rule[]) =>
    addRules(name, { zone, mark }, firewall.id, rules.filter(isLeft(name)), withGroup);
  const vpc = new Vpc(
    `${name}-router`,
    { ...vpcArgs, securityGroupId: firewall.id },
    { ...options, dependsOn: left(early) },
  );
  const peers = new SecurityGroupRules(
    `${name}-peers`,
    { zone, mark, securityGroupId: firewall.id, rules: ofIntranet.map(inList) },
    withGroup,
  );
  const dependsOn = [peers, ...left(ofIntranet)];
  return { id: vpc.id, ofStatics: { deletedWith: vpc, dependsOn } };
}

/** Whether version 0.2.0 has left a resource of this rule that a command with --target must keep. */
function isLeft(name: string): (rule: Rule) => boolean {
  const names = new Set(process.env.CROSSZONE_SINGLE_RULES?.split(" "));
  return (rule) => names.has(nameOfSingle(name, rule));
}

function nameOfSingle(name: string, rule: Rule): string {
  return `${name}-${nameOf(rule)}`;
}

/** The router keeps its security group: rules are added to it and taken away again. */
export function joinedRouter(
  name: string,
  args: RouterArgs & { readonly vpc: NonNullable<Existing["vpc"]>; readonly isEipOwn: boolean },
  options: CustomResourceOptions,
): Router {
  const { vpc, eipId, isEipOwn, rules, ...own } = args;
  const { zone } = own;
  const eip = new VpcEip(`${name}-router`, { zone, vpcId: vpc.id, eipId, keepFound: !isEipOwn }, options);
  const added = addRules(name, own, vpc.securityGroupId, rules, options);
  return { id: output(vpc.id), ofStatics: { dependsOn: [eip, ...added] } };
}

function addRules(
  name: string,
  own: Pick<RouterArgs, "zone" | "mark">,
  securityGroupId: Input<string>,
  rules: readonly Rule[],
  options: CustomResourceOptions,
): SecurityGroupRule[] {
  return [...byName(name, rules)].map(
    ([ruleName, { from, ...rule }]) =>
      new SecurityGroupRule(ruleName, { ...own, securityGroupId, ...rule, cidrBlock: cidrOf(from) }, options),
  );
}

/** By their names: an address that is listed twice is let in once. */
function byName(name: string, rules: readonly Rule[]): Map<string, Rule> {
  return new Map(rules.map((rule) => [nameOfSingle(name, rule), rule]));
}

function inList({ from, ...rule }: Rule) {
  return { ...rule, cidrBlock: cidrOf(from) };
}

function isOfIntranet({ from }: Rule): boolean {
  return "over" in from && from.over === "intranet";
}

function cidrOf(from: Rule["from"]): Input<string> {
  return "cidr" in from ? from.cidr : interpolate`${from.address}/32`;
}

/** E.g. `tcp-2201-from-203.0.113.1/32`, `esp-from-shanghai`. */
function nameOf({ protocol, fromPort, from }: Rule): string {
  return [protocol, fromPort, "from", "cidr" in from ? from.cidr : from.zone]
    .filter((part) => part !== undefined)
    .join("-");
}
