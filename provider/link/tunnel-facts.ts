/** What the API tells of a tunnel's two ends: looked at where packets do not pass. */
import { z } from "zod";
import {
  DescribeEips,
  DescribeRouterStatics,
  DescribeRouters,
  DescribeRouterVxnets,
  DescribeSecurityGroups,
} from "../../qingcloud/actions.ts";
import { greType, readGre } from "../cloud/gre-tunnel.ts";
import { ipsecType, readIpsec } from "../cloud/ipsec-tunnel.ts";
import { isThere, listAll } from "../cloud/listing.ts";
import { describeRules, type Rule } from "../cloud/security-rules.ts";
import type { Context } from "../resource.ts";

const end = z.strictObject({
  zone: z.string().min(1).describe("Zone of the router."),
  vpcId: z.string().min(1).describe("The VPC router."),
  staticId: z.string().min(1).describe("Its side of the tunnel."),
  networks: z.array(z.cidrv4()).min(1).describe("What lies behind this router, as the tunnel carries it."),
  bandwidthMbps: z
    .number()
    .optional()
    .describe("What its EIP should carry, Mbit/s; absent over an intranet."),
});

/** A tunnel on the way between two nodes. */
export const tunnelInput = z.strictObject({
  kind: z.enum(["ipsec", "gre"]).describe("ipsec or gre."),
  over: z.enum(["internet", "intranet"]).describe("internet: from EIP to EIP; intranet: inside one zone."),
  ends: z.array(end).length(2).describe("Its two ends."),
});
export type TunnelWanted = z.output<typeof tunnelInput>;
export type EndWanted = TunnelWanted["ends"][number];

interface Static {
  readonly id: string;
  readonly isApplied: boolean;
  readonly targetNetworks: readonly string[];
}

export type TunnelStatic = Static &
  (
    | ({ readonly kind: "ipsec" } & ReturnType<typeof readIpsec>)
    | ({ readonly kind: "gre" } & ReturnType<typeof readGre>)
  );

/** One end as it is; what is undefined is not there. */
export interface EndFacts extends EndWanted {
  readonly router: { readonly status: string; readonly privateIp?: string } | undefined;
  readonly eip:
    | {
        readonly id: string;
        readonly address: string;
        readonly status: string;
        readonly bandwidthMbps: number;
      }
    | undefined;
  readonly tunnel: TunnelStatic | undefined;
  /** Other tunnels of the router. */
  readonly others: readonly TunnelStatic[];
  readonly vxnets: readonly { readonly id: string; readonly network: string; readonly gateway: string }[];
  readonly group:
    | { readonly id: string; readonly isApplied: boolean; readonly rules: readonly Rule[] }
    | undefined;
}

export interface TunnelFacts {
  readonly kind: TunnelWanted["kind"];
  readonly over: TunnelWanted["over"];
  readonly ends: readonly EndFacts[];
}

export async function lookAtTunnel(
  context: Context,
  { kind, over, ends }: TunnelWanted,
): Promise<TunnelFacts> {
  return { kind, over, ends: await Promise.all(ends.map((each) => lookAtEnd(context, each))) };
}

async function lookAtEnd(context: Context, wanted: EndWanted): Promise<EndFacts> {
  const { zone, vpcId, staticId } = wanted;
  const [routers, statics, vxnets] = await Promise.all([
    listAll(context, DescribeRouters, zone, { routers: [vpcId] }, "router_set"),
    listAll(context, DescribeRouterStatics, zone, { router: vpcId }, "router_static_set"),
    listAll(context, DescribeRouterVxnets, zone, { router: vpcId }, "router_vxnet_set"),
  ]);
  const router = routers.find(isThere);
  const tunnels = statics.flatMap((found): TunnelStatic[] => {
    const common = { id: found.router_static_id, isApplied: (found.is_applied ?? router?.is_applied) !== 0 };
    if (found.static_type === ipsecType) return [{ ...common, kind: "ipsec", ...readIpsec(found) }];
    return found.static_type === greType ? [{ ...common, kind: "gre", ...readGre(found) }] : [];
  });
  const [eip, group] = await Promise.all([
    lookAtEip(context, zone, router?.eip.eip_id),
    lookAtGroup(context, zone, router?.security_group_id),
  ]);
  return {
    ...wanted,
    router: router && {
      status: router.transition_status || router.status,
      ...(router.private_ip ? { privateIp: router.private_ip } : {}),
    },
    eip,
    tunnel: tunnels.find(({ id }) => id === staticId),
    others: tunnels.filter(({ id }) => id !== staticId),
    vxnets: vxnets.map((found) => ({
      id: found.vxnet_id,
      network: found.ip_network,
      gateway: found.manager_ip,
    })),
    group,
  };
}

async function lookAtEip(context: Context, zone: string, id: string | undefined): Promise<EndFacts["eip"]> {
  if (!id) return undefined;
  const [found] = await listAll(context, DescribeEips, zone, { eips: [id] }, "eip_set");
  return (
    found && {
      id,
      address: found.eip_addr,
      status: found.transition_status || found.status,
      bandwidthMbps: found.bandwidth,
    }
  );
}

async function lookAtGroup(
  context: Context,
  zone: string,
  id: string | null | undefined,
): Promise<EndFacts["group"]> {
  if (!id) return undefined;
  const [groups, rules] = await Promise.all([
    listAll(context, DescribeSecurityGroups, zone, { security_groups: [id] }, "security_group_set"),
    describeRules(context, zone, id),
  ]);
  const [group] = groups;
  return group && { id, isApplied: group.is_applied !== 0, rules: rules.map(({ rule }) => rule) };
}
