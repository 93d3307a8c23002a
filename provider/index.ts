/** The provider's resources and functions, for Pulumi programs. */
import { runtime } from "@pulumi/pulumi";
import type { z } from "zod";
import { eip } from "./cloud/eip.ts";
import { getPrices as getPricesFunction } from "./cloud/get-prices.ts";
import { getZones as getZonesFunction } from "./cloud/get-zones.ts";
import { instance } from "./cloud/instance.ts";
import { ipsecTunnel } from "./cloud/ipsec-tunnel.ts";
import { keyPair } from "./cloud/key-pair.ts";
import { portForward } from "./cloud/port-forward.ts";
import { securityGroup } from "./cloud/security-group.ts";
import { vpc } from "./cloud/vpc.ts";
import { vxnet } from "./cloud/vxnet.ts";
import { nodeReady } from "./link/node-ready.ts";
import { pathCheck } from "./link/path-check.ts";
import { resourceClass } from "./resource-class.ts";
import { presharedKey } from "./state/preshared-key.ts";
import { sshKey } from "./state/ssh-key.ts";
import { stackMark } from "./state/stack-mark.ts";

export const StackMark = resourceClass(stackMark);
export type StackMark = InstanceType<typeof StackMark>;
export const PresharedKey = resourceClass(presharedKey);
export type PresharedKey = InstanceType<typeof PresharedKey>;
export const SshKey = resourceClass(sshKey);
export type SshKey = InstanceType<typeof SshKey>;
export const Eip = resourceClass(eip);
export type Eip = InstanceType<typeof Eip>;
export const SecurityGroup = resourceClass(securityGroup);
export type SecurityGroup = InstanceType<typeof SecurityGroup>;
export const KeyPair = resourceClass(keyPair);
export type KeyPair = InstanceType<typeof KeyPair>;
export const Vpc = resourceClass(vpc);
export type Vpc = InstanceType<typeof Vpc>;
export const Vxnet = resourceClass(vxnet);
export type Vxnet = InstanceType<typeof Vxnet>;
export const PortForward = resourceClass(portForward);
export type PortForward = InstanceType<typeof PortForward>;
export const IpsecTunnel = resourceClass(ipsecTunnel);
export type IpsecTunnel = InstanceType<typeof IpsecTunnel>;
export const Instance = resourceClass(instance);
export type Instance = InstanceType<typeof Instance>;
export const NodeReady = resourceClass(nodeReady);
export type NodeReady = InstanceType<typeof NodeReady>;
export const PathCheck = resourceClass(pathCheck);
export type PathCheck = InstanceType<typeof PathCheck>;

/** The zones that the account can use now. */
export function getZones(): Promise<z.output<typeof getZonesFunction.result>> {
  return runtime.invoke(getZonesFunction.token, {});
}

/** What resources cost an hour, in their order; null where the API names no price. */
export function getPrices(
  given: z.input<typeof getPricesFunction.arguments>,
): Promise<z.output<typeof getPricesFunction.result>> {
  return runtime.invoke(getPricesFunction.token, given);
}
