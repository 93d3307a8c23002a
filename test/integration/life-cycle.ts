/** The life of a resource through the provider's RPCs, the same for every kind. */
import { expect } from "vitest";
import type { Properties } from "../../provider/rpc/values.ts";
import type { Change, Cloud } from "./cloud.ts";
import { type Plugin, type Resource, urnOf } from "./plugin.ts";

interface Life {
  readonly type: string;
  readonly name?: string;
  readonly inputs: Properties;
  /** The changes of each step; `ID` stands for the resource's id, `NAME` for its physical name. */
  readonly created: readonly Change[];
  readonly deleted: readonly Change[];
  /** Changed in place, by which calls. */
  readonly updates?: readonly { readonly to: Properties; readonly by: readonly Change[] }[];
  /** Inputs that make it anew. */
  readonly replacedBy?: Properties;
  /** What an import cannot know. */
  readonly lostByImport?: readonly string[];
}

/**
 * check, create, read without drift, no difference, updates in place, read by import id, delete, delete again.
 * @returns the names that a create and the updates gave back
 */
export async function live(cloud: Cloud, plugin: Plugin, life: Life): Promise<void> {
  const resource = await begin(cloud, plugin, life);
  const last = await change(cloud, plugin, life, resource);
  await end(cloud, plugin, life, last);
}

export async function begin(cloud: Cloud, plugin: Plugin, life: Life): Promise<Resource> {
  const urn = urnOf(life.type, life.name ?? "one");
  let made: Resource | undefined;
  const changes = await cloud.changesBy(async () => {
    made = await plugin.create(urn, life.inputs);
  });
  if (made === undefined) throw new Error("nothing was made");
  expect(changes).toEqual(filled(life.created, made));
  expect(made.properties).toMatchObject(made.inputs);
  await expectNoDrift(plugin, made, life.inputs);
  for (const [property, value] of Object.entries(life.replacedBy ?? {})) {
    const differences = await plugin.diff(made, { ...life.inputs, [property]: value });
    expect(differences).toEqual({ [property]: expect.stringMatching(/_REPLACE$/) });
  }
  return made;
}

async function change(cloud: Cloud, plugin: Plugin, life: Life, from: Resource): Promise<Resource> {
  let now = from;
  for (const { to, by } of life.updates ?? []) {
    const news = { ...life.inputs, ...to };
    const differences = await plugin.diff(now, news);
    expect(Object.keys(differences).length).toBeGreaterThan(0);
    expect(Object.values(differences).join()).not.toContain("REPLACE");
    let updated: Resource | undefined;
    const changes = await cloud.changesBy(async () => {
      updated = await plugin.update(now, news);
    });
    if (updated === undefined) throw new Error("nothing was updated");
    expect(changes).toEqual(filled(by, updated));
    now = updated;
    await expectNoDrift(plugin, now, news);
  }
  return now;
}

export async function end(cloud: Cloud, plugin: Plugin, life: Life, resource: Resource): Promise<void> {
  const imported = await plugin.import(resource.urn, `${life.inputs.zone}/${resource.id}`);
  expect(imported?.id).toBe(resource.id);
  const lost = new Set(["mark", ...(life.lostByImport ?? [])]);
  const kept = Object.entries(resource.inputs).filter(([name]) => !lost.has(name));
  expect(imported?.inputs).toEqual({ name: resource.properties.name, ...Object.fromEntries(kept) });

  const changes = await cloud.changesBy(() => plugin.delete(resource));
  expect(changes).toEqual(filled(life.deleted, resource));
  expect(await plugin.read(resource)).toBeUndefined();
  expect(await plugin.import(resource.urn, `${life.inputs.zone}/${resource.id}`)).toBeUndefined();
  expect(await cloud.changesBy(() => plugin.delete(resource))).toEqual([]);
}

async function expectNoDrift(plugin: Plugin, resource: Resource, news: Properties): Promise<void> {
  const read = await plugin.read(resource);
  expect(read).toEqual(resource);
  expect(await plugin.diff(read ?? resource, news)).toEqual({});
}

function filled(changes: readonly Change[], { id, properties }: Resource): Change[] {
  const text = JSON.stringify(changes).replaceAll('"ID"', JSON.stringify(id));
  return JSON.parse(text.replaceAll('"NAME"', JSON.stringify(properties.name ?? ""))) as Change[];
}
