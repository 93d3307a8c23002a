import {
  ComponentResource,
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  type Output,
  output,
} from "@pulumi/pulumi";
import { Instance, KeyPair, NodeReady, PortForward, SshKey, Vxnet } from "../../provider/index.ts";
import type { Existing } from "../existing/join.ts";
import type { Need } from "../plan/needs.ts";
import type { NodePlan, ZonePlan } from "../plan/plan.ts";
import type { Carrier } from "../plan/tunnels.ts";
import { userDataScript } from "../plan/user-data.ts";
import { joinedRouter, ownRouter, type PublicAddress, type Router } from "./router.ts";

export interface ZoneArgs {
  readonly plan: ZonePlan;
  /** What the zone has already: it is joined, not made. */
  readonly existing: Existing;
  readonly vpcNetwork: string;
  /** Part of every physical name. */
  readonly mark: Input<string>;
  /** All zones' EIPs by zone name: the peers' addresses are let in. */
  readonly eips: ReadonlyMap<string, PublicAddress>;
  /** Of routers with a peer in the intranet, by zone name, their address there; known when all zones are made. */
  readonly intranet: ReadonlyMap<string, Output<string>>;
  /** The key that operators log in with. */
  readonly operatorKey: SshKey;
  readonly ssh: { readonly user: string; readonly proxy?: Proxy | undefined };
  /** What a node must have before anything runs on it; absent where nothing will. */
  readonly needs: readonly Need[] | undefined;
}

interface Proxy {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly hostKey: string;
}

/** How a node is reached, as `@pulumi/command` and the provider's link resources take it. */
export interface Connection {
  readonly host: Output<string>;
  readonly port: number;
  readonly user: string;
  readonly privateKey: Output<string>;
  readonly hostKey: Output<string>;
  readonly proxy?: Proxy & { readonly privateKey: Output<string> };
}

export interface Node {
  readonly plan: NodePlan;
  /** Name of its zone. */
  readonly zone: string;
  readonly instance: Instance;
  /** Nothing runs on the node before this; absent where nothing will. */
  readonly ready: NodeReady | undefined;
  readonly connection: Connection;
}

/** One zone: router with its EIP and firewall, vxnet, and the nodes in it. */
export class Zone extends ComponentResource {
  readonly plan: ZonePlan;
  readonly eip: PublicAddress;
  readonly router: Router;
  readonly nodes: readonly Node[];
  readonly existing: Existing;
  readonly #args: ZoneArgs;
  readonly #child: CustomResourceOptions;

  constructor(name: string, args: ZoneArgs, options: ComponentResourceOptions = {}) {
    super("crosszone:network:Zone", name, {}, options);
    this.#args = args;
    this.existing = args.existing;
    this.#child = { parent: this };
    this.plan = args.plan;
    this.eip = eipOf(args.eips, args.plan.name);

    const own = { zone: args.plan.zoneId, mark: args.mark };
    const routerArgs = {
      ...own,
      rules: args.plan.rules.map(({ from, ...rule }) => ({
        ...rule,
        from: "cidr" in from ? from : { ...from, address: peerAddress(args, from) },
      })),
      eipId: this.eip.id,
    };
    const { vpc, vxnetId: joinedVxnetId, eip } = args.existing;
    this.router =
      vpc === undefined
        ? ownRouter(name, { ...routerArgs, vpcNetwork: args.vpcNetwork }, this.#child)
        : joinedRouter(name, { ...routerArgs, vpc, isEipOwn: eip === undefined }, this.#child);
    const vpcId = this.router.id;
    const vxnetId =
      joinedVxnetId ??
      new Vxnet(`${name}-vxnet`, { ...own, vpcId, ipNetwork: args.plan.network }, this.#child).id;
    const keyPair = new KeyPair(
      `${name}-operator`,
      { ...own, publicKey: args.operatorKey.publicKey },
      this.#child,
    );
    this.nodes = args.plan.nodes.map((node) => this.#node(node, vxnetId, keyPair));
    this.registerOutputs({ vpcId, publicIp: this.eip.address });
  }

  #node(plan: NodePlan, vxnetId: Input<string>, keyPair: KeyPair): Node {
    const { plan: zone, mark, ssh, needs } = this.#args;
    const own = { zone: zone.zoneId, mark };
    const hostKey = new SshKey(`${plan.name}-host`, {}, this.#child);
    const { routes, gateway } = zone;
    const instance = new Instance(
      plan.name,
      {
        ...own,
        ...shapeOf(zone),
        imageId: zone.imageId,
        hostname: plan.name,
        vxnetId,
        privateIp: plan.privateIp,
        keypairId: keyPair.id,
        userData: hostKey.privateKey.apply((hostPrivateKey) =>
          userDataScript({ hostPrivateKey, gateway, routes }),
        ),
      },
      // Another would be made of them, without the files of training. Launchers set routes, and no name inside is needed.
      {
        ...this.#child,
        ignoreChanges: ["hostname", "userData"],
        // Another host key takes another node: who logs in expects that key. A state of version 0.2.0 has no trigger
        // to compare with; after a run that ended between the two, the trigger alone says that the key is another one.
        replaceWith: [hostKey],
        replacementTrigger: hostKey.id,
      },
    );
    const sshForward = new PortForward(
      `${plan.name}-ssh`,
      {
        ...own,
        vpcId: this.router.id,
        sourcePort: plan.sshPort,
        targetAddress: plan.privateIp,
        targetPort: 22,
      },
      { ...this.#child, ...this.router.ofStatics },
    );
    const connection = this.#connection(plan, hostKey, ssh);
    const ready =
      needs === undefined
        ? undefined
        : new NodeReady(
            plan.name,
            { connection, needs: [...needs], triggers: [instance.id] },
            { ...this.#child, dependsOn: [sshForward], deletedWith: instance },
          );
    return { plan, zone: zone.name, instance, ready, connection };
  }

  #connection(plan: NodePlan, hostKey: SshKey, ssh: ZoneArgs["ssh"]): Connection {
    const { privateKey } = this.#args.operatorKey;
    return {
      host: this.eip.address,
      port: plan.sshPort,
      user: ssh.user,
      privateKey,
      hostKey: hostKey.publicKey,
      ...(ssh.proxy === undefined ? {} : { proxy: { ...ssh.proxy, privateKey } }),
    };
  }

  /** As `outputs.zones[]` shows it. */
  output() {
    const { name, zoneId, network } = this.plan;
    return {
      name,
      zoneId,
      vpcId: this.router.id,
      publicIp: this.eip.address,
      bandwidthMbps: this.eip.bandwidth,
      network,
      nodes: this.nodes.map(({ plan, instance, ready, connection }) => ({
        name: plan.name,
        instanceId: instance.id,
        privateIp: plan.privateIp,
        gpus: output(ready?.gpus ?? null),
        ssh: connection.host.apply((host) => sshCommand(connection, host)),
      })),
    };
  }
}

function peerAddress(
  { eips, intranet }: ZoneArgs,
  { zone, over }: { readonly zone: string; readonly over: Carrier },
): Output<string> {
  const address = over === "internet" ? eipOf(eips, zone).address : intranet.get(zone);
  if (address === undefined) throw new Error(`Zone "${zone}" has no address in the intranet.`);
  return address;
}

function eipOf(eips: ReadonlyMap<string, PublicAddress>, zone: string): PublicAddress {
  const eip = eips.get(zone);
  if (eip === undefined)
    throw new Error(`Zone "${zone}" has no EIP; there are EIPs for ${[...eips.keys()].join(", ")}.`);
  return eip;
}

function shapeOf({ shape }: ZonePlan) {
  if ("instanceType" in shape) return shape;
  const { gpus, ...rest } = shape;
  return gpus === 0 ? rest : { ...rest, gpus };
}

/** What a person types; the key is in the stack's state (`pulumi stack output --show-secrets operatorKey`). */
function sshCommand({ port, user, proxy }: Connection, host: string): string {
  const jump = proxy === undefined ? "" : ` -J ${proxy.user}@${proxy.host}:${proxy.port}`;
  return `ssh${jump} -p ${port} ${user}@${host}`;
}
