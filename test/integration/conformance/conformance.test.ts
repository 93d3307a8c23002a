/** What every resource has to do, proven of each by the same tests: the provider against a local cloud. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { definitions } from "../../../provider/definitions.ts";
import { callsOf } from "../../harness/calls.ts";
import { Plugin } from "../plugin.ts";
import { type Drift, defined, type Entry, type Step, zone } from "./entry.ts";
import { userData } from "./instances-by-size.ts";
import { Life, marked, urn } from "./life.ts";
import { staticSecrets } from "./statics.ts";
import { entries } from "./table.ts";
import { tunnelSecrets } from "./tunnels.ts";

vi.mock("../../../qingcloud/delay.ts", () => import("../brisk-delay.ts"));

let life: Life;
let inventory: readonly string[] = [];
beforeAll(async () => {
  life = await Life.start();
  inventory = await life.inventory();
});
afterAll(() => life?.stop());

const definitionOf = ({ type }: Entry) => {
  const definition = definitions.find((each) => each.type === `qingcloud:${type}`);
  if (definition === undefined) throw new Error(`there is no ${type}`);
  return definition;
};
const inCloud = entries.filter(({ type }) => type.startsWith("cloud:"));
const inState = entries.filter(({ type }) => type.startsWith("state:"));
const title = "$type $name";

describe("create", () => {
  test.each(entries)(`${title}: makes exactly these calls; secrets are marked on the wire`, async (each) => {
    const changes = await life.changesBy(async () => {
      const { id, inputs, properties, secrets } = await life.create(each);
      expect(id).toMatch(/./);
      expect(inputs).toEqual({ ...each.defaults, ...each.inputs(life.id) });
      expect(properties).toEqual({ ...inputs, ...each.outputs(life.id) });
      expect(secrets).toEqual({ inputs: marked(each, inputs), properties: marked(each, properties) });
    });
    expect(changes).toEqual(each.created(life.id));
    if (each.told !== undefined) await life.expectTold(each.told(life.id));
  });

  test.each(entries)(
    `${title}: the next check, diff and refresh find nothing and change nothing`,
    async (each) => {
      await life.expectNoDrift(each);
    },
  );
});

describe("import", () => {
  let local: Plugin;
  beforeAll(async () => {
    // A process: what the wire carries is the same.
    local = await Plugin.start();
    await local.configure({ configFile: join(life.cloud.home, "config.yaml"), zone });
  });
  afterAll(() => local?.stop());

  test.each(inCloud)(
    `${title}: by zone/id, or by id alone in the provider's zone, finds the program's inputs`,
    async (each) => {
      const resource = life.of(each.name);
      const found = each.imported === "nothing" ? undefined : each.imported;
      const imports = [
        await life.plugin.import(urn(each), `${zone}/${resource.id}`),
        await local.import(urn(each), resource.id),
      ];
      for (const imported of imports) {
        if (imported === undefined) throw new Error("it found nothing");
        const inputs = defined({ ...resource.inputs, ...found?.finds(life.id) });
        expect(imported.inputs).toEqual(inputs);
        expect(imported.id).toBe(resource.id);
        expect(imported.secrets?.inputs).toEqual(marked(each, imported.inputs));
        expect(await life.plugin.diff(imported, resource.inputs)).toEqual(found?.diff ?? {});
      }
      // In the provider's other zone there is none of that id.
      expect(await life.plugin.import(urn(each), resource.id)).toBeUndefined();
    },
  );

  test.each(inState)(`${title}: has no copy outside of state; only a mark is its own id`, async (each) => {
    const { id, properties } = life.of(each.name);
    const imported = await life.plugin.import(urn(each), id);
    expect(imported?.properties).toEqual(each.imported === "nothing" ? undefined : properties);
  });
});

describe("diff", () => {
  const all = entries.flatMap((each) => each.steps.map((step) => ({ ...each, what: step.what, step })));
  test.each(all)(`${title}: $what is told by path and kind`, async ({ step, ...each }) => {
    const resource = life.of(each.name);
    const news = defined({ ...resource.inputs, ...step.to(life.id) });
    expect(
      await life.callsBy(async () => expect(await life.plugin.diff(resource, news)).toEqual(step.diff)),
    ).toEqual([]);
    const kinds = Object.values(step.diff);
    // What is not to be done in place forces a replacement, or is no difference.
    if (step.calls === undefined && kinds.length > 0) {
      expect(kinds.filter((kind) => kind.endsWith("_REPLACE"))).not.toEqual([]);
    }
  });

  test.each(inCloud)(`${title}: another zone forces a replacement`, async (each) => {
    const resource = life.of(each.name);
    const news = { ...resource.inputs, zone: "gpu2a" };
    expect(await life.plugin.diff(resource, news)).toEqual({ zone: "UPDATE_REPLACE" });
  });

  test.each(inCloud.filter((each) => "mark" in definitionOf(each).inputs.shape))(
    `${title}: another name is an update, a mark beside a given name is nothing`,
    async (each) => {
      const resource = life.of(each.name);
      const news = { ...resource.inputs, mark: "0badcafe" };
      expect(await life.plugin.diff(resource, news)).toEqual({});
      expect(await life.plugin.diff(resource, { ...news, name: "other" })).toEqual({
        name: "UPDATE",
        mark: "ADD",
      });
      // Without one it gets the name that its mark makes.
      const unnamed = defined({ ...news, name: undefined });
      expect(await life.plugin.diff(resource, unnamed)).toEqual({ name: "DELETE", mark: "ADD" });
    },
  );
});

describe("update", () => {
  const inPlace = entries.flatMap((each) =>
    each.steps.filter(({ calls }) => calls !== undefined).map((step) => ({ ...each, what: step.what, step })),
  );
  test.each(inPlace)(`${title}: $what is done in place by exactly these calls`, async ({ step, ...each }) => {
    await life.byHand(step.by?.(life.id) ?? []);
    await change(each, step);
    await life.expectNoDrift(each);
  });

  const changeable = new Set(inPlace.map(({ type }) => type));
  test.each(entries.filter(({ type }) => !changeable.has(type)))(
    `${title}: no input can be changed in place`,
    (each) => expect(definitionOf(each).update).toBeUndefined(),
  );

  async function change(each: Entry, step: Step): Promise<void> {
    const resource = life.of(each.name);
    const news = defined({ ...resource.inputs, ...step.to(life.id) });
    const preview = () => life.plugin.update(resource, news, { preview: true });
    expect(await life.callsBy(preview)).toEqual([]);
    const changes = await life.changesBy(async () => {
      const updated = await life.plugin.update(resource, news);
      expect(updated.inputs).toEqual(news);
      expect(updated.properties).toMatchObject(news);
      const { inputs, properties } = updated;
      expect(updated.secrets).toEqual({ inputs: marked(each, inputs), properties: marked(each, properties) });
      life.keep(each.name, updated);
    });
    expect(changes).toEqual(step.calls?.(life.id));
    if (step.told !== undefined) await life.expectTold(step.told(life.id));
  }
});

describe("drift", () => {
  const all = entries.flatMap((each) => each.drifts.map((drift) => ({ ...each, what: drift.what, drift })));
  test.each(all)(`${title}: a changed $what is found, and brought back`, async ({ drift, ...each }) => {
    const resource = life.of(each.name);
    await life.byHand(drift.by(life.id));
    const found = await life.plugin.read(resource);
    if (found === undefined) throw new Error("it found nothing");
    expect(found.inputs).toEqual(defined({ ...resource.inputs, ...drift.found(life.id) }));
    const kinds = await life.plugin.diff(found, resource.inputs);
    const properties = Object.keys(kinds).map((path) => path.replace(/[.[].*/, ""));
    expect([...new Set(properties)].sort()).toEqual(Object.keys(drift.found(life.id)).sort());
    await bringBack(each, drift, kinds);
    await life.expectNoDrift(each);
  });

  async function bringBack(each: Entry, drift: Drift, kinds: Record<string, string>): Promise<void> {
    const resource = life.of(each.name);
    if (drift.calls === undefined) {
      expect(Object.values(kinds).every((kind) => kind.endsWith("_REPLACE"))).toBe(true);
      await life.byHand(drift.back?.(life.id) ?? []);
      return;
    }
    const found = await life.plugin.read(resource);
    if (found === undefined) throw new Error("it found nothing");
    const changes = await life.changesBy(async () => {
      life.keep(each.name, await life.plugin.update(found, resource.inputs));
    });
    expect(changes).toEqual(drift.calls(life.id));
  }

  test.each(inCloud.filter(({ drifts }) => drifts.length === 0))(
    `${title}: has no property that could drift, only whether it is there`,
    (each) => expect(definitionOf(each).update).toBeUndefined(),
  );

  test.each(inState)(`${title}: is in state alone, and a refresh asks the cloud nothing`, async (each) => {
    const calls = await life.callsBy(async () => {
      expect(await life.plugin.read(life.of(each.name))).toEqual(life.of(each.name));
    });
    expect(calls).toEqual([]);
  });
});

describe("delete", () => {
  test.each(entries.toReversed())(
    `${title}: makes exactly these calls; once more, none that changes anything`,
    async (each) => {
      const resource = life.of(each.name);
      await life.byHand(each.beforeDeletion?.(life.id) ?? []);
      expect(await life.changesBy(() => life.plugin.delete(resource))).toEqual(each.deleted(life.id));
      await expectGone(each);
    },
  );

  test("all of it is gone from the cloud", async () => {
    expect(await life.inventory()).toEqual(inventory);
  });
});

describe("deleted by hand", () => {
  test.each(entries)(`${title}: is made once more`, async (each) => {
    const before = life.of(each.name).id;
    expect(await life.changesBy(() => life.create(each))).toEqual(each.created(life.id));
    // An EIP on a router that lives on has that router's id, a list of rules its group's.
    const hasIdOfAnother = ["cloud:VpcEip", "cloud:SecurityGroupRules"].includes(each.type);
    expect(life.of(each.name).id === before).toBe(hasIdOfAnother);
  });

  test.each(entries.toReversed())(
    `${title}: is found missing, and its deletion changes nothing`,
    async (each) => {
      await life.byHand(each.beforeDeletion?.(life.id) ?? []);
      const { client } = life.cloud;
      await life.byHand((await each.deletedByHand?.(client, life.id)) ?? each.deleted(life.id));
      await expectGone(each);
    },
  );

  test("all of it is gone from the cloud", async () => {
    expect(await life.inventory()).toEqual(inventory);
  });
});

async function expectGone(each: Entry): Promise<void> {
  const resource = life.of(each.name);
  const found = await life.plugin.read(resource);
  expect(found).toEqual(each.type.startsWith("state:") ? resource : undefined);
  const changes = await life.acceptedChangesBy(() => life.plugin.delete(resource));
  expect(changes).toEqual(each.deletedAgain?.(life.id) ?? []);
}

describe("the cloud's record of calls", () => {
  test("holds neither keys nor user data in clear", () => {
    const record = JSON.stringify(callsOf(life.cloud.home));
    const hidden = [...staticSecrets, ...tunnelSecrets, userData];
    for (const secret of [...hidden, ...hidden.map((text) => Buffer.from(text).toString("base64"))]) {
      expect(record).not.toContain(secret);
    }
    expect(record).toContain("[secret]");
  });

  test("has the zones asked for once by each provider in each run", () => {
    const asked = callsOf(life.cloud.home).filter(({ action }) => action === "DescribeZones");
    expect(asked).toHaveLength(1 + life.plugin.runs);
  });
});
