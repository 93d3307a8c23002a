/** Reading Terraform's outputs through `@pulumi/terraform`, which holds state readers only. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { state as terraform } from "@pulumi/terraform";
import packageJson from "../../package.json" with { type: "json" };
import { inProject } from "../training/local-files.ts";
import type { TerraformState } from "./schema.ts";

const version = packageJson.dependencies["@pulumi/terraform"];
const executable = "pulumi-resource-terraform";

/**
 * What keeps the state from being read, found before the engine is asked: a plugin that is missing ends the program
 * there, without a chance to say what to do.
 */
export function stateProblem(
  state: TerraformState,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  if (state.backend === "local" && !existsSync(inProject(state.path))) {
    return `no such file (given: "${state.path}"); relative paths start at the project`;
  }
  if (hasPlugin(environment)) return undefined;
  return `is read by Pulumi's plugin "terraform" ${version}, which is not on this machine. Where get.pulumi.com can be reached, get it by \`npm run pulumi -- plugin install resource terraform ${version}\`; elsewhere give the ids instead of terraformState and outputs, \`existing: {vpcId, vxnetId, eipId}\`: \`terraform output\` prints them`;
}

/** As the engine looks for it: on PATH, then in its home. Where it may download plugins, it gets it by itself. */
function hasPlugin(environment: NodeJS.ProcessEnv): boolean {
  if (!/^(1|t|true)$/i.test(environment.PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION ?? "")) return true;
  const home = environment.PULUMI_HOME ?? join(homedir(), ".pulumi");
  const places = [
    ...(environment.PATH ?? "").split(":").filter((directory) => directory !== ""),
    join(home, "plugins", `resource-terraform-v${version}`),
  ];
  return places.some((directory) => existsSync(join(directory, executable)));
}

/**
 * All outputs of a state; `stateProblem` has found none.
 * @throws Error with the plugin's words
 */
export async function readOutputs(
  state: TerraformState,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Readonly<Record<string, unknown>>> {
  switch (state.backend) {
    case "local":
      return (await terraform.getLocalReference({ path: inProject(state.path) })).outputs;
    case "s3": {
      const { backend: _, ...settings } = state;
      return (await terraform.getS3Reference(settings)).outputs;
    }
    case "remote": {
      const { backend: _, ...settings } = state;
      const token = environment[tokenVariable(settings.hostname)];
      const args = token === undefined ? settings : { ...settings, token };
      return (await terraform.getRemoteReference(args)).outputs;
    }
  }
}

/** As Terraform names it: https://developer.hashicorp.com/terraform/cli/config/config-file#environment-variable-credentials */
function tokenVariable(hostname: string): string {
  return `TF_TOKEN_${hostname.replaceAll("-", "__").replaceAll(".", "_")}`;
}
