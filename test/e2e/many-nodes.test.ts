/** 24 nodes in four VPCs, two in each zone: a mesh of tunnels, then a star on the same nodes, then training on eight. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { namespacesOf } from "../harness/machine.ts";
import { outputsOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import type { Ended } from "../harness/process.ts";

const zones = [
  { name: "beijing", zoneId: "gpu1a" },
  { name: "tianjin", zoneId: "gpu1a" },
  { name: "shanghai", zoneId: "gpu2a" },
  { name: "suzhou", zoneId: "gpu2a" },
];
const nodesPerZone = 6;

let place: Place;
let first: Ended;

beforeAll(async () => {
  place = new Place();
  const settings = zones.flatMap((zone, index) =>
    Object.entries({
      ...zone,
      network: `192.168.${index + 1}.0/24`,
      imageId: "img-deeplearning",
      bandwidthMbps: 20,
      nodes: nodesPerZone,
    }).map(([key, value]) => ["--plaintext", `crosszone:zones[${index}].${key}=${value}`]),
  );
  await place.pulumiOk("config", "set-all", "--path", ...settings.flat());
  place.configure({ "training.mode": "none" });
  first = await place.start();
}, 600_000);

afterAll(() => place.remove());

const tunnelsOf = async () =>
  z
    .object({
      tunnels: z.array(
        z.object({
          zones: z.tuple([z.string(), z.string()]).transform((ends) => ends.join("-")),
          over: z.string(),
          up: z.boolean(),
        }),
      ),
    })
    .parse(place.outputs()).tunnels;

/** What was checked, by type: pairs of zones by both ends, nodes by the addresses that they reached. */
async function checksOf() {
  const { resources } = place.checkpoint();
  const of = (type: string) => resources.filter(({ urn }) => urn.includes(`qingcloud:link:${type}::`));
  const named = (urn: string) => urn.split("::").at(-1) ?? "";
  return {
    paths: of("PathCheck").map(({ urn, outputs }) => [named(urn), outputs?.up, outputs?.mtu]),
    reached: Object.fromEntries(
      of("ReachCheck").map(({ urn, outputs }) => {
        const peers = z.array(z.object({ address: z.string(), mtu: z.number() })).parse(outputs?.peers);
        return [named(urn), peers.map(({ address, mtu }) => `${address} ${mtu}`)];
      }),
    ),
  };
}

/** Every pair of zones is checked in both directions, and every other node with every other zone. */
async function expectAllChecked(): Promise<void> {
  const { paths, reached } = await checksOf();
  const names = zones.map(({ name }) => name);
  const pairs = names.flatMap((one, index) => names.slice(index + 1).map((other) => `${one}-${other}`));
  expect(paths.sort()).toEqual(pairs.map((pair) => [pair, true, 1400]).sort());
  const expected = names.flatMap((name, zone) =>
    Array.from({ length: nodesPerZone - 1 }, (_, index) => [
      `${name}-${index + 2}`,
      names.flatMap((_other, other) => (other === zone ? [] : [`192.168.${other + 1}.2 1400`])),
    ]),
  );
  expect(reached).toEqual(Object.fromEntries(expected));
}

test("a mesh of six tunnels joins them, over the intranet inside a zone; every node reaches every zone", async () => {
  expect(first.code, first.text).toBe(0);
  expect(await tunnelsOf()).toEqual([
    { zones: "beijing-tianjin", over: "intranet", up: true },
    { zones: "beijing-shanghai", over: "internet", up: true },
    { zones: "beijing-suzhou", over: "internet", up: true },
    { zones: "tianjin-shanghai", over: "internet", up: true },
    { zones: "tianjin-suzhou", over: "internet", up: true },
    { zones: "shanghai-suzhou", over: "intranet", up: true },
  ]);
  expect((await place.status()).nodes).toHaveLength(zones.length * nodesPerZone);
  await expectAllChecked();
});

test("a star of three tunnels on the same routers and nodes does too", async () => {
  const before = await place.status();
  place.configure({ "tunnel.topology": "star" });
  const changes = await place.changesBy(async () => {
    const { code, text } = await place.start();
    expect(code, text).toBe(0);
  });
  expect(changes.filter((action) => /Instances|Routers$/.test(action) && action !== "UpdateRouters")).toEqual(
    [],
  );
  expect((await tunnelsOf()).map((tunnel) => [tunnel.zones, tunnel.over, tunnel.up])).toEqual([
    ["beijing-tianjin", "intranet", true],
    ["beijing-shanghai", "internet", true],
    ["beijing-suzhou", "internet", true],
  ]);
  const ids = ({ nodes }: typeof before) => nodes.map(({ id }) => id).sort();
  expect(ids(await place.status())).toEqual(ids(before));
  await expectAllChecked();
});

test("eight of them train, two of each zone, through the star's hub", async () => {
  const settings = { mode: "cross-zone", worldSize: 8, epochs: 2 };
  for (const [key, value] of Object.entries(settings)) place.configure({ [`training.${key}`]: value });
  const changes = await place.changesBy(async () => {
    const { code, text } = await place.start();
    expect(code, text).toBe(0);
  });
  expect(changes).toEqual([]);
  const { training } = outputsOf(place);
  expect(training).toMatchObject({ state: "succeeded", worldSize: 8, masterAddr: "192.168.1.2" });
  expect(training.ranks.map(({ node, exitCode }) => [node, exitCode])).toEqual(
    zones.flatMap(({ name }) => [
      [`${name}-1`, 0],
      [`${name}-2`, 0],
    ]),
  );
  expect(new Set(training.ranks.map(({ parametersSha256 }) => parametersSha256)).size).toBe(1);
});

test("destroy leaves none of them", async () => {
  const prefix = `${(await place.status()).routers[0]?.namespace.split("-")[0]}-`;
  expect(namespacesOf(prefix).length).toBeGreaterThanOrEqual(28);
  await place.pulumiOk("destroy", "--yes", "--non-interactive");
  expect(await place.status()).toMatchObject({ routers: [], nodes: [] });
  expect(namespacesOf(prefix)).toEqual([]);
  expect(place.checkpoint().resources).toEqual([]);
});
