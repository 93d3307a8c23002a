import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtime } from "@pulumi/pulumi";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readOutputs, stateProblem } from "../../../infra/existing/terraform.ts";
import { inProject } from "../../../infra/training/local-files.ts";
import packageJson from "../../../package.json" with { type: "json" };
import { answer, declared, stateWith } from "./terraform-plugin.ts";

let directory: string;
let file: string;
const calls: { token: string; inputs: unknown }[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "terraform-"));
  file = join(directory, "terraform.tfstate");
  writeFileSync(file, stateWith({ vpc_id: "rtr-1a2b3c4d", subnets: ["vxnet-1"] }));
  await runtime.setMocks({
    call(given) {
      calls.push({ token: given.token, inputs: given.inputs });
      return answer(given);
    },
    newResource: ({ name, inputs }) => ({ id: name, state: inputs as Record<string, unknown> }),
  });
});
beforeEach(() => {
  calls.length = 0;
});
afterAll(() => rmSync(directory, { recursive: true }));

describe("the package, pinned exactly", () => {
  test("is of version 6, which reads states and nothing else", () => {
    expect(packageJson.dependencies["@pulumi/terraform"]).toMatch(/^6\.\d+\.\d+$/);
  });

  test("is the one whose plugin the documentation says to install", () => {
    const page = readFileSync(inProject("docs/existing-networks.md"), "utf8");
    const version = packageJson.dependencies["@pulumi/terraform"];
    expect(page).toContain(`npm run pulumi -- plugin install resource terraform ${version}\n`);
    expect(page).toContain(`plugins/resource-terraform-v${version}\``);
  });

  test.each(["getLocalReference", "getS3Reference", "getRemoteReference"])(
    "%s answers outputs alone",
    (name) => {
      expect(declared(name).result).toEqual(["outputs"]);
    },
  );
});

describe("the outputs of a state", () => {
  test("in a file are read by its absolute path", async () => {
    expect(await readOutputs({ backend: "local", path: file })).toEqual({
      vpc_id: "rtr-1a2b3c4d",
      subnets: ["vxnet-1"],
    });
    expect(calls).toEqual([{ token: "terraform:state:getLocalReference", inputs: { path: file } }]);
  });

  test("in S3 are read with the settings as they are given", async () => {
    const settings = {
      bucket: "states",
      key: "network.tfstate",
      endpoint: "https://s3.pek3b.qingstor.com",
      skipCredentialsValidation: true,
    };
    expect(await readOutputs({ backend: "s3", ...settings })).toEqual({});
    expect(calls).toEqual([{ token: "terraform:state:getS3Reference", inputs: settings }]);
  });

  test("in HCP Terraform are read with the token that Terraform itself would take", async () => {
    const settings = { hostname: "tf.my-company.cn", organization: "us", workspaces: { name: "network" } };
    await readOutputs({ backend: "remote", ...settings }, { TF_TOKEN_tf_my__company_cn: "secret" });
    await readOutputs({ backend: "remote", ...settings }, { TF_TOKEN_app_terraform_io: "another host's" });
    const token = "terraform:state:getRemoteReference";
    expect(calls).toEqual([
      { token, inputs: { ...settings, token: "secret" } },
      { token, inputs: settings },
    ]);
  });
});

describe("before the engine is asked", () => {
  const version = packageJson.dependencies["@pulumi/terraform"];
  const offline = () => ({
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_HOME: join(directory, "home"),
    PATH: "/nonexistent",
  });
  const place = (...parts: string[]) => {
    mkdirSync(join(directory, ...parts), { recursive: true });
    const path = join(directory, ...parts, "pulumi-resource-terraform");
    writeFileSync(path, "#!/bin/sh\n");
    chmodSync(path, 0o755);
    return join(directory, ...parts);
  };

  test("a state file that is not there is told", () => {
    expect(stateProblem({ backend: "local", path: "no/such.tfstate" }, {})).toBe(
      'no such file (given: "no/such.tfstate"); relative paths start at the project',
    );
  });

  test("a plugin that is not there is told, with how to get it and how to do without", () => {
    const message = stateProblem({ backend: "local", path: file }, offline());
    expect(message).toContain(`Pulumi's plugin "terraform" ${version}, which is not on this machine`);
    expect(message).toContain(`\`npm run pulumi -- plugin install resource terraform ${version}\``);
    expect(message).toContain("`existing: {vpcId, vxnetId, eipId}`");
    expect(message).toContain("`terraform output`");
    expect(stateProblem({ backend: "s3", bucket: "b", key: "k" }, offline())).toBe(message);
  });

  test("the plugin of another version does not count", () => {
    place("home", "plugins", "resource-terraform-v5.0.0");
    expect(stateProblem({ backend: "local", path: file }, offline())).toContain("is not on this machine");
  });

  test("a plugin on PATH, in Pulumi's home, or that the engine may download is enough", () => {
    expect(
      stateProblem({ backend: "local", path: file }, { ...offline(), PATH: `/nonexistent:${place("bin")}` }),
    ).toBeUndefined();
    expect(stateProblem({ backend: "local", path: file }, { PATH: "/nonexistent" })).toBeUndefined();
    place("home", "plugins", `resource-terraform-v${version}`);
    expect(stateProblem({ backend: "local", path: file }, offline())).toBeUndefined();
  });
});
