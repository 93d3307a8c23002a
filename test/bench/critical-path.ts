/** The shortest time that a stack can take: its longest chain of jobs. */
import type { Durations } from "../../local-cloud/services/jobs/jobs.ts";
import type { Stored } from "../harness/stack.ts";

/**
 * The jobs of a create, one after the other. Between two of them the router is in a transition in which it takes no
 * other job: so the EIP's UpdateRouters comes before the vxnet's JoinRouter. Statics that are made together share one
 * UpdateRouters. A lease is waited for only before a delete.
 */
const jobs: Readonly<Record<string, readonly string[]>> = {
  "qingcloud:state:StackMark": [],
  "qingcloud:state:PresharedKey": [],
  "qingcloud:state:SshKey": [],
  "qingcloud:cloud:Eip": [],
  "qingcloud:cloud:KeyPair": [],
  "qingcloud:cloud:SecurityGroup": ["ApplySecurityGroup"],
  "qingcloud:cloud:SecurityGroupRules": ["ApplySecurityGroup"],
  "qingcloud:cloud:Vpc": ["CreateRouters", "UpdateRouters"],
  "qingcloud:cloud:Vxnet": ["JoinRouter"],
  "qingcloud:cloud:Instance": ["RunInstances"],
  "qingcloud:cloud:PortForward": ["UpdateRouters"],
  "qingcloud:cloud:IpsecTunnel": ["UpdateRouters"],
};

interface Chain {
  readonly seconds: number;
  /** The jobs in their order. */
  readonly jobs: readonly string[];
}

/**
 * The longest chain through the dependencies that the stack's state records, each resource with its jobs. In the stack
 * that is measured it is a node's: firewall, router, vxnet, instance; the statics wait for the router only.
 * @throws Error for a type whose jobs are not known here
 */
export function criticalPath(
  resources: readonly Pick<Stored, "urn" | "type" | "dependencies">[],
  durations: Durations,
): Chain {
  const byUrn = new Map(resources.map((resource) => [resource.urn, resource]));
  const known = new Map<string, Chain>();
  const chainTo = (urn: string): Chain => {
    const resource = byUrn.get(urn);
    const found = known.get(urn);
    // What is not the provider's, e.g. a component, has no jobs.
    if (found !== undefined || resource === undefined) return found ?? { seconds: 0, jobs: [] };
    const before = longest((resource.dependencies ?? []).map(chainTo));
    const own = jobs[resource.type];
    if (own === undefined) throw new Error(`${urn}: the jobs of type ${resource.type} are not known.`);
    const seconds = own.reduce((sum, action) => sum + durations.of(action), before.seconds);
    const chain = { seconds, jobs: [...before.jobs, ...own] };
    known.set(urn, chain);
    return chain;
  };
  return longest(resources.map(({ urn }) => chainTo(urn)));
}

function longest(chains: readonly Chain[]): Chain {
  return chains.reduce((best, chain) => (chain.seconds > best.seconds ? chain : best), {
    seconds: 0,
    jobs: [],
  });
}
