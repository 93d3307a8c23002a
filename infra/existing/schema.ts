/** `zones[].existing`: what a zone has already, by ids or by the outputs of a Terraform state. */
import { z } from "zod";

export const kinds = ["vpcId", "vxnetId", "eipId"] as const;
export type Kind = (typeof kinds)[number];
/** Ids, or what stands for them, of what exists. */
export type ByKind = { readonly [kind in Kind]?: string | undefined };

/** Names of settings are those of `@pulumi/terraform`; keys and tokens are never configuration. */
const s3 = z.strictObject({
  backend: z.literal("s3"),
  bucket: z.string().min(1),
  key: z.string().min(1),
  region: z.string().min(1).exactOptional(),
  endpoint: z.url().exactOptional(),
  profile: z.string().min(1).exactOptional(),
  workspace: z.string().min(1).exactOptional(),
  workspaceKeyPrefix: z.string().min(1).exactOptional(),
  forcePathStyle: z.boolean().exactOptional(),
  skipCredentialsValidation: z.boolean().exactOptional(),
  skipMetadataApiCheck: z.boolean().exactOptional(),
  skipRegionValidation: z.boolean().exactOptional(),
});

const remote = z.strictObject({
  backend: z.literal("remote"),
  hostname: z.string().min(1).default("app.terraform.io"),
  organization: z.string().min(1),
  workspaces: z.union([
    z.strictObject({ name: z.string().min(1) }),
    z.strictObject({ prefix: z.string().min(1) }),
  ]),
});

const local = z.strictObject({ backend: z.literal("local"), path: z.string().min(1) });

const terraformState = z.preprocess(
  (value) => (typeof value === "string" ? { backend: "local", path: value } : value),
  z.discriminatedUnion("backend", [local, s3, remote], {
    error: "must be the path of a state file, or have backend: local, s3 or remote",
  }),
);
export type TerraformState = z.output<typeof terraformState>;

const id = (prefix: string, what: string) =>
  z.string().regex(new RegExp(`^${prefix}-[a-z0-9]+$`), {
    error: `must be the id of ${what}, e.g. ${prefix}-1a2b3c4d`,
  });

/** The form of each id. */
export const idForms = {
  vpcId: id("rtr", "a VPC router"),
  vxnetId: id("vxnet", "a vxnet"),
  eipId: id("eip", "an EIP"),
};

const allowed = kinds.join(", ");

export const existing = z
  .strictObject({
    vpcId: idForms.vpcId.optional(),
    vxnetId: idForms.vxnetId.optional(),
    eipId: idForms.eipId.optional(),
    terraformState: terraformState.optional(),
    outputs: z
      .strictObject({
        vpcId: z.string().min(1).optional(),
        vxnetId: z.string().min(1).optional(),
        eipId: z.string().min(1).optional(),
      })
      .optional(),
  })
  .superRefine(({ terraformState: state, outputs, ...ids }, context) => {
    const problem = (path: string[], message: string) =>
      context.addIssue({ code: "custom", path, message, input: ids });
    const given = kinds.filter((kind) => ids[kind] !== undefined);
    if (state === undefined && outputs === undefined) {
      if (given.length === 0) problem([], `must name at least one of ${allowed}`);
    } else {
      if (given.length > 0) problem([], "takes either ids, or terraformState with outputs, not both");
      if (state === undefined) problem(["terraformState"], "must say where the outputs are read");
      if (outputs === undefined || kinds.every((kind) => outputs[kind] === undefined)) {
        problem(["outputs"], `must name the Terraform output of at least one of ${allowed}`);
      }
    }
    for (const [path, of] of [
      [["vxnetId"], ids],
      [["outputs", "vxnetId"], outputs ?? {}],
    ] as const) {
      if (of.vxnetId !== undefined && of.vpcId === undefined) {
        problem(
          [...path],
          "needs vpcId beside it: a vxnet is reached through the router that it is joined to",
        );
      }
    }
  });
export type ExistingConfig = z.output<typeof existing>;

/** Whether the zone's router exists: its network is then the router's own. */
export function hasVpc(config: ExistingConfig | undefined): boolean {
  return (config?.vpcId ?? config?.outputs?.vpcId) !== undefined;
}
