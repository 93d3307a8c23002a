/** The table's resources in one local cloud, and how a test looks at what they do there. */
import { join } from "node:path";
import { expect } from "vitest";
import type { Properties } from "../../../provider/rpc/values.ts";
import { type Call, callsOf, changesAmong } from "../../harness/calls.ts";
import { idsInZone } from "../../harness/whole-cloud.ts";
import { firstId, startTestCloud, type TestCloud } from "../../local-cloud/support.ts";
import { Plugin, urnOf } from "../plugin.ts";
import type { Resource } from "../plugin-answers.ts";
import { type Change, type Entry, type IdOf, type Told, zone } from "./entry.ts";

export class Life {
  readonly cloud: TestCloud;
  /** Its provider's default zone is another one: entries name theirs. */
  readonly plugin: Plugin;
  readonly #made = new Map<string, Resource>();
  readonly #byHand: ReadonlyMap<string, string>;

  private constructor(cloud: TestCloud, plugin: Plugin, byHand: ReadonlyMap<string, string>) {
    this.cloud = cloud;
    this.plugin = plugin;
    this.#byHand = byHand;
  }

  static async start(): Promise<Life> {
    const cloud = await startTestCloud();
    try {
      const { client } = cloud;
      const made = await client.done("CreateRouters", { vpc_network: "172.20.0.0/16" });
      const group = await client.ok("CreateSecurityGroup", {});
      const byHand = new Map([
        ["their-router", firstId(made.routers)],
        ["their-group", String(group.security_group_id)],
      ]);
      const plugin = await Plugin.here();
      await plugin.configure({ configFile: join(cloud.home, "config.yaml"), zone: "gpu2a" });
      return new Life(cloud, plugin, byHand);
    } catch (error) {
      await cloud.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.plugin.stop();
    await this.cloud.stop();
  }

  readonly id: IdOf = (name) => this.#byHand.get(name) ?? this.of(name).id;

  /** The resource of an entry as state has it. */
  of(name: string): Resource {
    const resource = this.#made.get(name);
    if (resource === undefined) throw new Error(`"${name}" was not made`);
    return resource;
  }

  keep(name: string, resource: Resource): void {
    this.#made.set(name, resource);
  }

  async create(entry: Entry): Promise<Resource> {
    const resource = await this.plugin.create(urn(entry), entry.inputs(this.id));
    this.keep(entry.name, resource);
    return resource;
  }

  /** All calls of `work`, each of which must have been accepted. */
  async callsBy(work: () => Promise<unknown>): Promise<readonly Call[]> {
    const before = callsOf(this.cloud.home).length;
    await work();
    const calls = callsOf(this.cloud.home).slice(before);
    expect(calls.filter(({ ret_code }) => ret_code !== 0)).toEqual([]);
    return calls;
  }

  /** The calls of `work` that change something, each of which must have been accepted in the entries' zone. */
  async changesBy(work: () => Promise<unknown>): Promise<readonly Change[]> {
    const calls = await this.callsBy(work);
    const elsewhere = calls.filter((each) => each.zone !== zone);
    expect(changesAmong(elsewhere)).toEqual([]);
    return changesAmong(calls) as Change[];
  }

  /** The changes of `work` that the cloud has accepted: what is refused changes nothing. */
  async acceptedChangesBy(work: () => Promise<unknown>): Promise<readonly Change[]> {
    const before = callsOf(this.cloud.home).length;
    await work();
    const calls = callsOf(this.cloud.home).slice(before);
    return changesAmong(calls.filter(({ ret_code }) => ret_code === 0)) as Change[];
  }

  /** Does by hand what the table says, as a client of its own. */
  async byHand(changes: readonly Change[]): Promise<void> {
    for (const [action, parameters] of changes) {
      const sent = Object.fromEntries(
        Object.entries(parameters).map(([name, value]) => [name, String(value)]),
      );
      const { job_id } = await this.cloud.client.ok(action, sent);
      if (job_id === undefined) continue;
      expect((await this.cloud.client.ended(String(job_id))).status).toBe("successful");
    }
  }

  async expectTold({ action, set, parameters, expected }: Told): Promise<void> {
    expect(await this.cloud.client.one(action, set, parameters)).toMatchObject(expected);
  }

  /** A refresh finds what state has, and the next `up` has nothing to do; neither changes anything. */
  async expectNoDrift(entry: Entry): Promise<void> {
    const resource = this.of(entry.name);
    const changes = await this.changesBy(async () => {
      expect(await this.plugin.read(resource)).toEqual(resource);
      expect(await this.plugin.diff(resource, resource.inputs)).toEqual({});
    });
    expect(changes).toEqual([]);
  }

  /** Ids of all that is in the zone. */
  async inventory(): Promise<readonly string[]> {
    return await idsInZone(this.cloud.client, zone);
  }
}

export const urn = ({ type, name }: Entry) => urnOf(type, name);

/** The secrets among these properties, as the wire marks them. */
export function marked({ secrets = [] }: Entry, properties: Properties): string[] {
  return secrets.filter((name) => name in properties).toSorted();
}
