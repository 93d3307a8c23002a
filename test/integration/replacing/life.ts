/** The life of one stack with each kind of resource: what its replacements leave is compared with the whole cloud. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { stateFile } from "../../../scripts/dev/state-file.ts";
import { readCheckpoint, type Stored } from "../../harness/checkpoint.ts";
import { type Ended, root } from "../../harness/process.ts";
import { Stack, up } from "../../harness/stack.ts";
import { differencesOf, idsInZone } from "../../harness/whole-cloud.ts";
import { firstId } from "../../local-cloud/support.ts";

const zone = "gpu1a";

/** Resources inside the router, which are deleted with it. */
export const ofRouter = ["dns", "forward", "gre", "ipsec", "node", "tagged", "vxnet"];

/** Each can go and be made again. */
export const replaceable = [
  ...ofRouter,
  ...["attachment", "front", "router", "rule", "spare", "tag", "volume"],
].toSorted();

export class Replacing {
  readonly stack: Stack;
  /** Ids in the zone before the stack. */
  readonly before: readonly string[];
  #choice: Readonly<Record<string, unknown>>;

  private constructor(stack: Stack, before: readonly string[], choice: Readonly<Record<string, unknown>>) {
    this.stack = stack;
    this.before = before;
    this.#choice = choice;
  }

  static async start(): Promise<Replacing> {
    const stack = await Stack.here();
    try {
      stack.useProgram(join(import.meta.dirname, "program.ts"));
      const { client } = stack.cloud;
      const theirs = await client.done("CreateRouters", { zone, vpc_network: "172.16.0.0/16" });
      const choice = { zone, vpcId: firstId(theirs.routers) };
      const life = new Replacing(stack, await idsInZone(client, zone), choice);
      life.choose({});
      await life.pulumi(...up);
      await life.expectWhole();
      return life;
    } catch (error) {
      await stack.remove();
      throw error;
    }
  }

  /** The command on this folder's program instead of the project's. */
  async run(...args: readonly string[]): Promise<Ended> {
    return await this.stack.run(...args, ...this.here(args[0] !== "state"));
  }

  /** Options by which a command is for this folder's program. */
  here(isConfigured = true): string[] {
    const config = ["--config-file", join(this.stack.workspace.pulumi, "Pulumi.dev.yaml")];
    return ["-C", join(root, "test", "integration", "replacing"), ...(isConfigured ? config : [])];
  }

  /** As `run`, and must succeed; what it printed. */
  async pulumi(...args: readonly string[]): Promise<string> {
    const { code, text } = await this.run(...args);
    if (code !== 0) throw new Error(`pulumi ${args.join(" ")} ended with ${code}:\n${text}`);
    return text;
  }

  /** Changes what the program makes. */
  choose(more: object): void {
    this.#choice = { ...this.#choice, ...more };
    this.stack.configure({ choice: this.#choice });
  }

  urnOf(name: string): string {
    const [found, ...others] = this.#stored.filter(({ urn }) => urn.endsWith(`::${name}`));
    if (found === undefined || others.length > 0) throw new Error(`${others.length} others named ${name}`);
    return found.urn;
  }

  byForce(...names: readonly string[]): string[] {
    return names.flatMap((name) => ["--replace", this.urnOf(name)]);
  }

  editState(edit: (resources: readonly Stored[]) => readonly object[]): void {
    const file = JSON.parse(readFileSync(stateFile(this.stack.workspace), "utf8"));
    const { latest } = file.checkpoint;
    latest.resources = edit(latest.resources);
    writeFileSync(stateFile(this.stack.workspace), JSON.stringify(file));
  }

  async expectWhole(): Promise<void> {
    const { client } = this.stack.cloud;
    expect(await differencesOf(client, [zone], this.#stored, [...this.before])).toEqual([]);
  }

  idsByName(): Record<string, string> {
    return Object.fromEntries(this.#stored.map(({ urn, id = "" }) => [urn.split("::").at(-1) ?? "", id]));
  }

  /** Names of what has another id afterwards; the same names are there, each once, and the cloud agrees. */
  async replacedBy(work: () => Promise<unknown>): Promise<string[]> {
    const ids = this.idsByName();
    await work();
    await this.expectWhole();
    const after = this.idsByName();
    expect(this.#stored).toHaveLength(Object.keys(ids).length);
    expect(Object.keys(after).toSorted()).toEqual(Object.keys(ids).toSorted());
    return Object.keys(after)
      .filter((name) => after[name] !== ids[name])
      .toSorted();
  }

  async idsInCloud(): Promise<string[]> {
    return await idsInZone(this.stack.cloud.client, zone);
  }

  get #stored(): Stored[] {
    return readCheckpoint(this.stack.workspace).resources.filter(({ type }) => type.startsWith("qingcloud:"));
  }
}
