/**
 * `npm run bench -- recovery [NAME…] [--document]`: what a fault does to a training of two zones, how long it takes until
 * `up` says so or the steps go on, and whether it ends with the parameters of a run that nothing disturbed.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { markdownTable } from "../../../scripts/dev/markdown.ts";
import { outputsOf } from "../../harness/outputs.ts";
import { Place } from "../../harness/place.ts";
import { type Ended, root, waitFor, within } from "../../harness/process.ts";
import { stepsOnDisk } from "../../harness/ranks.ts";
import { writeBetween } from "../document.ts";
import { type Happening, happenings } from "./faults.ts";

/** A step of 0.3 s, so that a run of 12 epochs with 12 steps takes most of a minute. */
const settings = {
  "zones[0].bandwidthMbps": 5,
  "zones[1].bandwidthMbps": 5,
  "training.epochs": 12,
  "training.checkpointEverySteps": 10,
};
const stepsBefore = 30;
/** A training that hears nothing of its peers ends after 50 s. */
const longestSeconds = 240;

interface Measured {
  readonly what: string;
  readonly outcome: string;
  /** From the fault to the next step of all ranks, or to the end of `up`. */
  readonly seconds: number;
  /** From the next start to the first step of all ranks; undefined where training went on. */
  readonly again?: number;
  readonly isSame: boolean;
}

interface Order {
  readonly signal: AbortSignal;
  say(line: string): void;
}

/** @returns the exit status: 1 where a training did not end as one that nothing disturbed */
export async function runRecovery(args: string[], { signal, say }: Order): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { document: { type: "boolean" } },
  });
  const chosen = happenings.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  if (chosen.length < positionals.length)
    throw new Error(
      `recovery ${positionals.join(" ")}: allowed are ${happenings.map(({ name }) => name).join(", ")}`,
    );
  if (values.document === true && positionals.length > 0)
    throw new Error("--document writes the whole table: leave the names out");
  const place = new Place();
  try {
    await place.cloudOk("start", "--port", "0");
    place.configure(settings);
    say("recovery: a training that nothing disturbs");
    expectSuccess(await place.up());
    const undisturbed = parametersOf(place);
    const all: Measured[] = [];
    for (const each of chosen) {
      signal.throwIfAborted();
      say(`recovery: ${each.what}`);
      const measured = await measure(place, each, undisturbed);
      say(`  ${measured.outcome} after ${measured.seconds.toFixed(0)} s`);
      all.push(measured);
    }
    const table = tableOf(all);
    process.stdout.write(`${table}\n`);
    if (values.document === true) writeBetween(join(root, "docs", "reliability.md"), "recovery", table);
    return all.every(({ isSame }) => isSame) ? 0 : 1;
  } finally {
    await place.remove();
  }
}

const now = () => performance.now() / 1000;

async function measure(place: Place, each: Happening, undisturbed: string): Promise<Measured> {
  // Another run with the same parameters at its end.
  place.configure({ "training.script.env.DISTURBED_BY": each.name });
  const countBefore = counts(place);
  const running = await place.startUp("--refresh");
  await within(`${stepsBefore} steps`, stepsOf(place, countBefore, stepsBefore), longestSeconds);
  let undo = async (): Promise<unknown> => undefined;
  try {
    const begun = now();
    undo = once(await each.begin(place));
    if (each.seconds !== undefined) {
      const end = begun + each.seconds;
      await waitFor("the end of the fault", () => now() >= end, each.seconds + 60);
      await undo();
    }
    const before = counts(place);
    const goesOn = stepsOf(place, before, 2).then(() => undefined);
    goesOn.catch(() => {});
    const ended = await Promise.race([running.ended, goesOn]);
    const first = now() - begun;
    const last = ended ?? (await within("the end of the training", running.ended, longestSeconds));
    if (last.code === 0)
      return { ...said(each, "training goes on", first), isSame: parametersOf(place) === undisturbed };
    const seconds = now() - begun;
    await undo();
    const again = now();
    const earlier = counts(place);
    const next = await place.startUp("--refresh");
    // Ranks that nothing had ended may have trained to the end meanwhile.
    const firstSteps = Promise.race([stepsOf(place, earlier, 1), next.ended]);
    await within("the first steps", firstSteps, longestSeconds);
    const resumed = now() - again;
    expectSuccess(await within("the end of the training", next.ended, longestSeconds));
    const isSame = parametersOf(place) === undisturbed;
    return { ...said(each, causeIn(last), seconds), again: resumed, isSame };
  } finally {
    await undo();
  }
}

function once(work: () => Promise<unknown>): () => Promise<unknown> {
  let done: Promise<unknown> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

const said = ({ what }: Happening, outcome: string, seconds: number) => ({ what, outcome, seconds });

/** How many steps each rank of the last run has noted. */
const counts = (place: Place): readonly number[] => stepsOnDisk(place).map((steps) => steps.length);

/** Waits for so many steps more of both ranks than there were. */
async function stepsOf(place: Place, before: readonly number[], more: number): Promise<void> {
  // Another run begins from nothing.
  const wanted = (rank: number, count: number) => {
    const earlier = before[rank] ?? 0;
    return count >= (count < earlier ? 0 : earlier) + more;
  };
  const isThere = () => {
    const found = counts(place);
    return found.length === 2 && found.every((count, rank) => wanted(rank, count));
  };
  await waitFor(`${more} steps`, isThere, longestSeconds, 100);
}

/** The rank that failed first, in the words of `up`: others name it. */
function causeIn({ text }: Ended): string {
  const lines = text.split("\n").map((line) => line.trim());
  const causes = lines.filter((line) => /^rank \d+ (failed|is lost)/.test(line));
  const [first] = causes.toSorted((one, other) => one.length - other.length);
  return first === undefined ? "`up` fails" : `\`${first.split(": the node has")[0]?.slice(0, 160)}\``;
}

function expectSuccess({ code, text }: Ended): void {
  if (code !== 0) throw new Error(`up ended with ${code}:\n${text}`);
}

function parametersOf(place: Place): string {
  const found = new Set(outputsOf(place).training.ranks.map(({ parametersSha256 }) => parametersSha256));
  return [...found].join(" ");
}

function tableOf(all: readonly Measured[]): string {
  const head = [
    "what happens",
    "what `up` says",
    "seconds until then",
    "seconds of the next start until steps go on",
    "the same parameters",
  ];
  const rows = all.map(({ what, outcome, seconds, again, isSame }) => [
    ...[what, outcome, seconds.toFixed(0), again?.toFixed(0) ?? "-", isSame ? "yes" : "no"],
  ]);
  return markdownTable([head, ...rows]);
}
