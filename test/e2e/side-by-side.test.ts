/** Two clouds on one machine, started at the same moment: they do not meet. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Settings } from "../../local-cloud/home.ts";
import { namespacesOf } from "../harness/machine.ts";
import { Place } from "../harness/place.ts";
import { makeNetwork, TestClient } from "../local-cloud/support.ts";

let places: Place[];

beforeAll(() => {
  places = [new Place(), new Place()];
});

afterAll(() => Promise.all(places.map((place) => place.remove())));

test("two clouds that start at once have ports, keys and namespaces of their own", async () => {
  await Promise.all(places.map((place) => place.cloudOk("start")));
  const settings = places.map(
    ({ cloudHome }) => JSON.parse(readFileSync(join(cloudHome, "settings.json"), "utf8")) as Settings,
  );
  const ports = settings.flatMap(({ apiPort, bastionPort }) => [apiPort, bastionPort]);
  expect(new Set(ports).size).toBe(4);
  expect(settings[0]?.prefix).not.toBe(settings[1]?.prefix);

  const clients = places.map(({ cloudHome }) => TestClient.ofHome(cloudHome));
  expect(clients[0]?.keys.qy_access_key_id).not.toBe(clients[1]?.keys.qy_access_key_id);
  await Promise.all(clients.map((client) => makeNetwork(client)));
  const [one, other] = await Promise.all(places.map((place) => place.status()));
  expect([one?.running, other?.running]).toEqual([true, true]);
  expect([one?.routers.length, other?.routers.length]).toEqual([1, 1]);
  expect(one?.pid).not.toBe(other?.pid);

  const names = settings.map(({ prefix }) => namespacesOf(`${prefix}-`));
  expect(names.map((each) => each.length)).toEqual([4, 4]);
  await places[0]?.cloudOk("reset");
  await places[0]?.cloudOk("stop");
  expect(settings.map(({ prefix }) => namespacesOf(`${prefix}-`))).toEqual([[], names[1]]);
  expect((await places[1]?.status())?.routers.length).toBe(1);
});
