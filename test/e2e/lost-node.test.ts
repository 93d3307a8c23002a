/** Nodes that are lost: in mid-training, and after it. The next `npm start` goes on, and ends as a run that never lost one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { followedOf, type Outputs, outputsOf, zonesOf } from "../harness/outputs.ts";
import { Place } from "../harness/place.ts";
import { waitFor, waitForText, within } from "../harness/process.ts";
import { logsOnDisk, ranksOnDisk } from "../harness/ranks.ts";
import { TestClient } from "../local-cloud/support.ts";

const epochs = 5;
let place: Place;
/** What a run that was never disturbed ends with. */
let undisturbed: Outputs["training"]["ranks"];
/** The node that crashes. */
let crashed: string;

beforeAll(() => {
  place = new Place();
  place.configure({ "training.epochs": epochs, "training.checkpointEverySteps": 10 });
});

afterAll(() => place.remove());

const zones = { beijing: "gpu1a", shanghai: "gpu2a" } as const;
type Zone = keyof typeof zones;

function nodeOf(zone: Zone): string {
  return zonesOf(place).find(({ name }) => name === zone)?.nodes[0]?.instanceId ?? "";
}

/** Does something by hand to a node of a zone. */
async function byHand(action: string, zone: Zone, node = nodeOf(zone), more = {}): Promise<void> {
  const client = TestClient.ofHome(place.cloudHome);
  await client.done(action, { zone: zones[zone], "instances.1": node, ...more });
}

function keyPairOf(zone: Zone): string {
  const isIts = ({ urn }: { urn: string }) => urn.endsWith(`cloud:KeyPair::${zone}-operator`);
  return place.checkpoint().resources.find(isIts)?.id ?? "";
}

/** What the ranks have learnt, as `up` shows it. */
function learnt(ranks: Outputs["training"]["ranks"]) {
  return ranks.map(({ rank, exitCode, parametersSha256, accuracy }) => ({
    ...{ rank, exitCode, parametersSha256, accuracy },
  }));
}

/** What `npm start` has the CLI do, without the report. */
const startUp = () => place.startUp("--refresh");

async function up(): Promise<void> {
  const { code, text } = await (await startUp()).ended;
  expect(code, text).toBe(0);
}

test("a run that nothing disturbs", async () => {
  await place.cloudOk("start", "--port", "0");
  await up();
  undisturbed = outputsOf(place).training.ranks;
  expect(followedOf(place).map(({ attempt }) => attempt)).toEqual([1, 1]);
});

test("a node terminated after it is made again and all train again; one that crashes meanwhile ends that, with the cause", async () => {
  await byHand("TerminateInstances", "shanghai");
  const before = [nodeOf("beijing"), nodeOf("shanghai")];
  const running = await startUp();
  for (const rank of [0, 1])
    await waitForText(running, new RegExp(`\\brank ${rank} \\| epoch 2/${epochs} loss`));
  crashed = (await place.status()).nodes.find(({ id }) => !before.includes(id))?.id ?? "";
  await place.cloudOk("fault", "add", "--kind", "crash-node", "--resource", crashed);
  const { code, text } = await within("the end of a training whose node crashed", running.ended, 60);
  expect(code, text).not.toBe(0);
  expect(text).toMatch(
    /^ +rank 0 failed with exit code 1: rank 1 on shanghai-1 was not heard of by then: its node crashed, /m,
  );
  expect(text).toMatch(/error: (the connection to \S+ was lost|\S+ has not answered for 20 s)/);
});

test("once it runs again the next start goes on from the newest checkpoint, and ends as the run that nothing disturbed", async () => {
  await byHand("RestartInstances", "shanghai", crashed);
  await up();
  expect(learnt(outputsOf(place).training.ranks)).toEqual(learnt(undisturbed));
  for (const log of logsOnDisk(place)) expect(log.join("\n")).toMatch(/goes on after step [1-9]0, in epoch/);
});

test("without wait too: a node whose system was installed again gets the agent and the files, and all ranks train again", async () => {
  place.configure({ "training.wait": false });
  const login = { login_mode: "keypair", login_keypair: keyPairOf("beijing") };
  await byHand("ResetInstances", "beijing", nodeOf("beijing"), login);
  await up();
  const states = () => ranksOnDisk(place).map(({ state }) => state);
  await waitFor("end of both ranks", () => !states().includes("running"));
  expect(states()).toEqual(["succeeded", "succeeded"]);
  for (const log of logsOnDisk(place))
    expect(log.at(-1)).toContain(`"parametersSha256": "${undisturbed[0]?.parametersSha256}"`);
});
