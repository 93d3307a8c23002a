/** What can happen to a training of two zones, one node each: how it is brought about, and undone as its cause would be. */
import { join } from "node:path";
import { namespaceNumbers, processesOf } from "../../harness/machine.ts";
import { zonesOf } from "../../harness/outputs.ts";
import type { Place } from "../../harness/place.ts";
import { TestClient } from "../../local-cloud/support.ts";

export const zone = "gpu2a";
const between = ["--between", "gpu1a,gpu2a"];

export interface Happening {
  readonly name: string;
  /** What a user would call it. */
  readonly what: string;
  /** After so many seconds it is undone while the training goes on; absent where it stays until that has ended. */
  readonly seconds?: number;
  /** @returns undoes it */
  begin(place: Place): Promise<() => Promise<unknown>>;
}

/** A fault of the local cloud's own. */
const fault =
  (...args: readonly string[]) =>
  async (place: Place) => {
    await place.cloudOk("fault", "add", ...args);
    return () => place.cloudOk("fault", "clear");
  };

const nothing = async () => undefined;

/** Calls the API about the second zone. */
const ask = (place: Place, action: string, parameters: Readonly<Record<string, string>>) =>
  TestClient.ofHome(place.cloudHome).done(action, { zone, ...parameters });

const second = (place: Place) => zonesOf(place).find(({ zoneId }) => zoneId === zone);
const nodeOf = (place: Place) => second(place)?.nodes[0]?.instanceId ?? "";
const routerOf = (place: Place) => second(place)?.vpcId ?? "";

/** Kills what runs in a namespace of the second zone and whose command line fits. */
async function kill(place: Place, of: "node" | "router", pattern: RegExp): Promise<void> {
  const { nodes, routers } = await place.status();
  const id = of === "node" ? nodeOf(place) : routerOf(place);
  const namespace = [...nodes, ...routers].find((each) => each.id === id)?.namespace ?? "";
  const all = processesOf(namespaceNumbers([namespace]), join(place.directory, "nothing"));
  const meant = all.filter(({ commandLine }) => pattern.test(commandLine));
  if (meant.length === 0) throw new Error(`nothing like ${pattern} runs in ${namespace}`);
  for (const { pid } of meant) process.kill(pid, "SIGKILL");
}

export const happenings: readonly Happening[] = [
  {
    name: "cut-8s",
    what: "the link between the zones is cut for 8 s",
    seconds: 8,
    begin: fault("--kind", "cut-link", ...between),
  },
  {
    name: "cut",
    what: "the link between the zones is cut for good",
    begin: fault("--kind", "cut-link", ...between),
  },
  {
    name: "charon",
    what: "a router's IPSec daemon is killed",
    async begin(place) {
      await kill(place, "router", /charon/);
      return nothing;
    },
  },
  {
    name: "router",
    what: "a router is powered off and on",
    seconds: 0,
    async begin(place) {
      await ask(place, "PowerOffRouters", { "routers.1": routerOf(place) });
      return () => ask(place, "PowerOnRouters", { "routers.1": routerOf(place) });
    },
  },
  {
    name: "crash",
    what: "a node crashes; it is restarted before the next start",
    async begin(place) {
      await place.cloudOk("fault", "add", "--kind", "crash-node", "--resource", nodeOf(place));
      return () => ask(place, "RestartInstances", { "instances.1": nodeOf(place) });
    },
  },
  {
    name: "gone",
    what: "a node is deleted",
    async begin(place) {
      await ask(place, "TerminateInstances", { "instances.1": nodeOf(place) });
      return nothing;
    },
  },
  {
    name: "rank",
    what: "a rank is killed",
    async begin(place) {
      await kill(place, "node", /--epochs/);
      return nothing;
    },
  },
  ...[1, 5].map((percent) => ({
    name: `loss-${percent}`,
    what: `${percent} % of the packets between the zones are lost`,
    begin: fault("--kind", "lose-packets", ...between, "--loss", String(percent)),
  })),
];
