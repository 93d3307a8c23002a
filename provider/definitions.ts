/** Every resource and function of the provider. */

import { eip } from "./cloud/eip.ts";
import { getEipHolder } from "./cloud/get-eip-holder.ts";
import { getImages } from "./cloud/get-images.ts";
import { getInstanceTypes } from "./cloud/get-instance-types.ts";
import { getIntranetAddress } from "./cloud/get-intranet-address.ts";
import { getPrices } from "./cloud/get-prices.ts";
import { getQuotaLeft } from "./cloud/get-quota-left.ts";
import { getResourceLimit } from "./cloud/get-resource-limit.ts";
import { getZones } from "./cloud/get-zones.ts";
import { greTunnel } from "./cloud/gre-tunnel.ts";
import { instance } from "./cloud/instance.ts";
import { ipsecTunnel } from "./cloud/ipsec-tunnel.ts";
import { keyPair } from "./cloud/key-pair.ts";
import { lookupFunction } from "./cloud/lookup.ts";
import { portForward } from "./cloud/port-forward.ts";
import { routerStatic } from "./cloud/router-static.ts";
import { securityGroup } from "./cloud/security-group.ts";
import { securityGroupRule } from "./cloud/security-group-rule.ts";
import { securityGroupRules } from "./cloud/security-group-rules.ts";
import { tag } from "./cloud/tag.ts";
import { tagAttachment } from "./cloud/tag-attachment.ts";
import { volume } from "./cloud/volume.ts";
import { volumeAttachment } from "./cloud/volume-attachment.ts";
import { vpc } from "./cloud/vpc.ts";
import { vpcEip } from "./cloud/vpc-eip.ts";
import { vxnet } from "./cloud/vxnet.ts";
import type { AnyFunction } from "./function.ts";
import { nodeReady } from "./link/node-ready.ts";
import { pathCheck } from "./link/path-check.ts";
import { reachCheck } from "./link/reach-check.ts";
import type { AnyResource } from "./resource.ts";
import { presharedKey } from "./state/preshared-key.ts";
import { sshKey } from "./state/ssh-key.ts";
import { stackMark } from "./state/stack-mark.ts";

export const definitions: readonly AnyResource[] = [
  stackMark,
  presharedKey,
  sshKey,
  eip,
  securityGroup,
  securityGroupRule,
  securityGroupRules,
  keyPair,
  vpc,
  vpcEip,
  vxnet,
  portForward,
  ipsecTunnel,
  greTunnel,
  routerStatic,
  instance,
  volume,
  volumeAttachment,
  tag,
  tagAttachment,
  nodeReady,
  pathCheck,
  reachCheck,
];

export const functions: readonly AnyFunction[] = [
  getEipHolder,
  getIntranetAddress,
  getImages,
  getInstanceTypes,
  getPrices,
  getQuotaLeft,
  getResourceLimit,
  getZones,
  ...definitions.filter(({ search }) => search !== undefined).map(lookupFunction),
];
