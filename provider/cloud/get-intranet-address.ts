import { z } from "zod";
import { DescribeRouters } from "../../qingcloud/actions.ts";
import { defineFunction } from "../function.ts";
import { isThere } from "./listing.ts";
import { zoneInput } from "./naming.ts";

export const getIntranetAddress = defineFunction({
  token: "qingcloud:cloud:getIntranetAddress",
  description:
    "The address of a VPC router in the intranet of its zone: what the peer of a tunnel sees whose `remoteAddress` is a router's id.",
  arguments: z.strictObject({ zone: zoneInput, vpcId: z.string().min(1).describe("The VPC router.") }),
  result: z.object({ address: z.string().describe("IPv4 address.") }),
  async call(context, { zone, vpcId }) {
    const { router_set } = await context.session.call(DescribeRouters, zone, { routers: [vpcId] }, context);
    const found = router_set.find(isThere);
    if (found === undefined) {
      throw new Error(
        `There is no VPC router "${vpcId}" in zone ${zone} of this account. Correct vpcId or zone; where someone deleted it by hand, \`pulumi refresh\`.`,
      );
    }
    if (!found.private_ip) {
      throw new Error(
        `VPC router ${vpcId} in zone ${zone} has no address in the zone's intranet. Give its tunnels the EIP of their peer instead (crosszone:tunnel.intranet: off).`,
      );
    }
    return { address: found.private_ip };
  },
});
