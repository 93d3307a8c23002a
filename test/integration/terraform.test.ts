/** Joining by Terraform's outputs, with Pulumi's own plugin where this machine has it, and without it where not. */
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { root } from "../harness/process.ts";
import { Stack, up } from "../harness/stack.ts";
import { makeNetwork } from "../local-cloud/support.ts";
import { stateWith } from "../unit/infra/terraform-plugin.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const version = packageJson.dependencies["@pulumi/terraform"];
const executable = "pulumi-resource-terraform";

/** The folder that holds the plugin: of the user's Pulumi, of this checkout, or of PATH. */
function findPlugin(): string | undefined {
  const name = join("plugins", `resource-terraform-v${version}`);
  return [
    join(process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"), name),
    join(root, ".pulumi", "home", name),
    ...(process.env.PATH ?? "").split(":").filter((directory) => directory !== ""),
  ].find((directory) => existsSync(join(directory, executable)));
}

let stack: Stack;
let network: Awaited<ReturnType<typeof makeNetwork>>;

beforeAll(async () => {
  stack = await Stack.here();
  network = await makeNetwork(stack.cloud.client);
  const state = join(stack.cloud.directory, "terraform.tfstate");
  writeFileSync(state, stateWith({ vpc_id: network.router, subnet_id: network.vxnet }));
  stack.configure({
    "zones[0].existing": { terraformState: state, outputs: { vpcId: "vpc_id", vxnetId: "subnet_id" } },
    "zones[0].bandwidthMbps": undefined,
  });
});
afterAll(async () => await stack?.remove());

test("the plugin reads the ids and the zone joins; where it cannot be had, up says how to get it and makes nothing", async () => {
  const plugin = findPlugin();
  if (plugin === undefined) {
    const changes = await stack.cloud.changesBy(async () => {
      // The project's language host knows which plugins the program needs.
      const { code, text } = await stack.start(...up).ended;
      expect(code, text).not.toBe(0);
      const words = text.replace(/\s+/g, " ");
      expect(words).toContain("The configuration has a problem; nothing was made:");
      expect(words).toContain(
        `crosszone:zones[0].existing.terraformState: is read by Pulumi's plugin "terraform" ${version}`,
      );
      expect(words).toContain(`npm run pulumi -- plugin install resource terraform ${version}`);
      expect(words).not.toContain("no resource plugin");
    });
    expect(changes).toEqual([]);
    return;
  }
  const place = join(stack.cloud.directory, ".pulumi", "home", "plugins", `resource-terraform-v${version}`);
  // The engine skips a folder that is a link.
  cpSync(plugin, place, { recursive: true });
  await stack.ok(...up);
  const { zones } = stack.outputs<{ zones: { vpcId: string }[] }>();
  expect(zones[0]?.vpcId).toBe(network.router);
  const made = stack
    .resources()
    .filter(({ type, inputs }) => /:(Vpc|Vxnet|Eip)$/.test(type) && inputs?.zone === "gpu1a");
  expect(made).toEqual([]);
  await stack.ok("destroy", "--yes", "--skip-preview");
  expect(
    await stack.cloud.client.one("DescribeRouters", "router_set", { "routers.1": network.router }),
  ).toMatchObject({ status: "active", eip: { eip_id: network.eip } });
});
