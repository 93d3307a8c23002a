/** Every resource and function of the provider. */

import { eip } from "./cloud/eip.ts";
import { getPrices } from "./cloud/get-prices.ts";
import { getZones } from "./cloud/get-zones.ts";
import { instance } from "./cloud/instance.ts";
import { ipsecTunnel } from "./cloud/ipsec-tunnel.ts";
import { keyPair } from "./cloud/key-pair.ts";
import { portForward } from "./cloud/port-forward.ts";
import { securityGroup } from "./cloud/security-group.ts";
import { vpc } from "./cloud/vpc.ts";
import { vxnet } from "./cloud/vxnet.ts";
import type { AnyFunction } from "./function.ts";
import { nodeReady } from "./link/node-ready.ts";
import { pathCheck } from "./link/path-check.ts";
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
  keyPair,
  vpc,
  vxnet,
  portForward,
  ipsecTunnel,
  instance,
  nodeReady,
  pathCheck,
];

export const functions: readonly AnyFunction[] = [getPrices, getZones];
