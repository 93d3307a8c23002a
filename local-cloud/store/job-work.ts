/** What jobs will do, durable like the resources that they change. */
import type {
  Eip,
  Instance,
  InstanceLogin,
  Join,
  Nic,
  RouterConfiguration,
  SecurityGroup,
} from "./resources.ts";

/** What a job does when it ends, with everything it needs to know. */
export type JobWork =
  | { readonly action: "AssociateEip"; readonly eip: string; readonly instance: string }
  | { readonly action: "DissociateEips" | "ReleaseEips"; readonly eips: readonly string[] }
  | { readonly action: "ChangeEipsBandwidth"; readonly eips: readonly string[]; readonly bandwidth: number }
  | {
      readonly action: "ChangeEipsBillingMode";
      readonly eips: readonly string[];
      readonly billingMode: Eip["billingMode"];
    }
  | {
      readonly action: "ApplySecurityGroup";
      readonly securityGroup: string;
      readonly applied: SecurityGroup["applied"];
      readonly routers: readonly string[];
      readonly instances: readonly string[];
    }
  | {
      readonly action: "AttachKeyPairs" | "DetachKeyPairs";
      readonly keypairs: readonly string[];
      readonly instances: readonly string[];
    }
  | { readonly action: "CreateRouters"; readonly routers: readonly string[] }
  | {
      readonly action: "UpdateRouters";
      readonly routers: readonly { readonly id: string; readonly configuration: RouterConfiguration }[];
    }
  | {
      readonly action: "DeleteRouters" | "PowerOnRouters" | "PowerOffRouters";
      readonly routers: readonly string[];
    }
  | { readonly action: "JoinRouter"; readonly vxnet: string; readonly join: Join }
  | { readonly action: "LeaveRouter"; readonly router: string; readonly vxnets: readonly string[] }
  | {
      readonly action: "JoinVxnet";
      readonly nics: readonly { readonly instance: string; readonly nic: Nic }[];
    }
  | { readonly action: "LeaveVxnet"; readonly vxnet: string; readonly instances: readonly string[] }
  | { readonly action: InstanceJob; readonly instances: readonly string[] }
  | {
      readonly action: "RunInstances";
      readonly instances: readonly string[];
      /** Attached to the one instance when it runs. */
      readonly volumes?: readonly string[];
    }
  | { readonly action: "CreateVolumes" | "DeleteVolumes"; readonly volumes: readonly string[] }
  | {
      readonly action: "AttachVolumes" | "DetachVolumes";
      readonly volumes: readonly string[];
      readonly instance: string;
    }
  | { readonly action: "ResizeVolumes"; readonly volumes: readonly string[]; readonly size: number }
  | {
      readonly action: "TerminateInstances";
      readonly instances: readonly string[];
      readonly directCease: boolean;
    }
  | {
      readonly action: "CloneInstances";
      readonly instances: readonly string[];
      readonly volumes: readonly { readonly instance: string; readonly volumes: readonly string[] }[];
    }
  | ({
      readonly action: "ResetInstances";
      readonly instances: readonly string[];
    } & InstanceLogin)
  | {
      readonly action: "ResizeInstances";
      readonly resized: readonly {
        readonly id: string;
        readonly shape: Pick<Instance, "cpu" | "memory" | "gpu" | "gpuClass" | "instanceType">;
        readonly osDiskSize: number;
        readonly cpuModel?: string;
        readonly cpuTopology?: string;
      }[];
    };

type InstanceJob = "StartInstances" | "StopInstances" | "RestartInstances" | "CeaseInstances";

export type JobAction = JobWork["action"];
