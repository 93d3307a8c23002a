import {
  ComponentResource,
  type ComponentResourceOptions,
  type CustomResourceOptions,
  type Input,
  interpolate,
  type Output,
  output,
} from "@pulumi/pulumi";
import {
  type Eip,
  Instance,
  KeyPair,
  NodeReady,
  PortForward,
  SecurityGroup,
  SshKey,
  Vpc,
  Vxnet,
} from "../../provider/index.ts";
import type { NodePlan, RulePlan, ZonePlan } from "../plan/plan.ts";
import { userDataScript } from "../plan/user-data.ts";

export interface ZoneArgs {
  readonly plan: ZonePlan;
  readonly vpcNetwork: string;
  /** Part of every physical name. */
  readonly mark: Input<string>;
  /** All zones' EIPs by zone name: the peers' addresses are let in. */
  readonly eips: ReadonlyMap<string, Eip>;
  /** The key that operators log in with. */
  readonly operatorKey: SshKey;
  readonly ssh: { readonly user: string; readonly proxy?: Proxy | undefined };
  /** What a node must have before anything runs on it; absent where nothing will. */
  readonly needs: readonly ("torch" | "gpu" | "sudo")[] | undefined;
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
  readonly instance: Instance;
  /** Nothing runs on the node before this; absent where nothing will. */
  readonly ready: NodeReady | undefined;
  readonly connection: Connection;
}

/** One zone: router with its EIP and firewall, vxnet, and the nodes in it. */
export class Zone extends ComponentResource {
  readonly plan: ZonePlan;
  readonly eip: Eip;
  readonly vpc: Vpc;
  readonly nodes: readonly Node[];
  readonly #args: ZoneArgs;
  readonly #child: CustomResourceOptions;

  constructor(name: string, args: ZoneArgs, options: ComponentResourceOptions = {}) {
    super("crosszone:network:Zone", name, {}, options);
    this.#args = args;
    this.#child = { parent: this };
    this.plan = args.plan;
    this.eip = eipOf(args.eips, args.plan.name);

    const own = { zone: args.plan.zoneId, mark: args.mark };
    const firewall = new SecurityGroup(
      `${name}-router`,
      { ...own, rules: args.plan.rules.map((rule) => this.#rule(rule)) },
      this.#child,
    );
    this.vpc = new Vpc(
      `${name}-router`,
      { ...own, vpcNetwork: args.vpcNetwork, eipId: this.eip.id, securityGroupId: firewall.id },
      this.#child,
    );
    const vxnet = new Vxnet(
      `${name}-vxnet`,
      { ...own, vpcId: this.vpc.id, ipNetwork: args.plan.network },
      this.#child,
    );
    const keyPair = new KeyPair(
      `${name}-operator`,
      { ...own, publicKey: args.operatorKey.publicKey },
      this.#child,
    );
    this.nodes = args.plan.nodes.map((node) => this.#node(node, vxnet, keyPair));
    this.registerOutputs({ vpcId: this.vpc.id, publicIp: this.eip.address });
  }

  #rule({ from, ...rule }: RulePlan) {
    const cidrBlock =
      "cidr" in from ? from.cidr : interpolate`${eipOf(this.#args.eips, from.zone).address}/32`;
    return { ...rule, cidrBlock };
  }

  #node(plan: NodePlan, vxnet: Vxnet, keyPair: KeyPair): Node {
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
        vxnetId: vxnet.id,
        privateIp: plan.privateIp,
        keypairId: keyPair.id,
        userData: hostKey.privateKey.apply((hostPrivateKey) =>
          userDataScript({ hostPrivateKey, gateway, routes }),
        ),
      },
      this.#child,
    );
    const sshForward = new PortForward(
      `${plan.name}-ssh`,
      { ...own, vpcId: this.vpc.id, sourcePort: plan.sshPort, targetAddress: plan.privateIp, targetPort: 22 },
      { ...this.#child, deletedWith: this.vpc },
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
    return { plan, instance, ready, connection };
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
      vpcId: this.vpc.id,
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

function eipOf(eips: ReadonlyMap<string, Eip>, zone: string): Eip {
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
