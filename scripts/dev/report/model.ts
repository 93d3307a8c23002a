/** What a report says, in its order; the page and the picture show the same. Pure. */
import { type LaunchData, periodOf, type RankData, type RunData } from "./data.ts";
import { bytes, count, duration, fixed, milliseconds, nothing, ranges, utc } from "./format.ts";
import { isEmpty, mean, meanStep, type Result, readMetrics } from "./metrics.ts";
import { trafficPanels, trainingPanels } from "./panels.ts";
import type { Panel } from "./series.ts";
import { stepName } from "./traffic.ts";

export type Block =
  | { readonly kind: "facts"; readonly items: readonly (readonly [label: string, value: string])[] }
  | {
      readonly kind: "table";
      readonly head: readonly string[];
      readonly rows: readonly (readonly string[])[];
    }
  | { readonly kind: "charts"; readonly panels: readonly Panel[] }
  | { readonly kind: "topology" }
  /** In lines and columns as they are. */
  | { readonly kind: "text"; readonly lines: readonly string[] }
  | { readonly kind: "notes"; readonly lines: readonly string[] };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

export interface Report {
  readonly title: string;
  readonly state: string;
  readonly subtitle: string;
  readonly sections: readonly Section[];
}

const mostCommands = 4;
/** Of a mesh of ten zones. */
const mostTunnels = 45;

export function describe(data: RunData): Report {
  const period = periodOf(data);
  const took =
    period === undefined ? [] : [`started ${utc(period.from)}`, `took ${duration(period.to - period.from)}`];
  const panels = trainingPanels(data);
  const failures = failed(data);
  const traffic = trafficPanels(data);
  const sections: Section[] = [
    { title: "Result", blocks: [{ kind: "facts", items: facts(data) }] },
    ...(failures.length > 0 ? [{ title: "What went wrong", blocks: failures }] : []),
    ...(panels.length > 0 ? [{ title: "Training", blocks: [{ kind: "charts", panels } as const] }] : []),
    { title: "Ranks", blocks: [ranksTable(data), ...linkText(data)] },
    ...(traffic.length > 0
      ? [
          {
            title: "Traffic at the EIPs",
            blocks: [{ kind: "charts", panels: traffic } as const, trafficTable(data)],
          },
        ]
      : []),
    { title: "Topology", blocks: [{ kind: "topology" }, ...tunnelsTable(data)] },
    { title: "Run it again", blocks: [{ kind: "text", lines: settings(data) }] },
  ];
  const remarks = notes(data);
  if (remarks.length > 0)
    sections.push({ title: "What is not here", blocks: [{ kind: "notes", lines: remarks }] });
  return {
    title: `Training run ${data.runId}`,
    state: stateOf(data),
    subtitle: [`stack ${data.stack}`, ...took, `report made ${utc(data.madeAt)}`].join(" · "),
    sections,
  };
}

/** Of the run: the worst of its parts'. */
export function stateOf({ launches }: Pick<RunData, "launches">): string {
  const states = launches.map(({ summary }) => summary?.state ?? "unknown");
  const [worst] = ["failed", "stopped", "unknown", "absent", "running"].filter((state) =>
    states.some((each) => each === state),
  );
  return worst ?? "succeeded";
}

/** What a rank ended with, by its metrics or else by the last line of its log. */
function resultOf({ rank, metrics }: RankData, launches: readonly LaunchData[]): Result | undefined {
  if (metrics.result !== undefined) return metrics.result;
  const results = launches.flatMap(({ summary }) => summary?.results ?? []);
  const told = results.find((each) => each.rank === rank);
  return told && readMetrics([{ ...told, event: "result" }]).result;
}

function facts(data: RunData): [string, string][] {
  const { ranks, launches } = data;
  const results = ranks.flatMap((rank) => resultOf(rank, launches) ?? []);
  const [start] = ranks.flatMap(({ metrics }) => metrics.starts.slice(-1));
  const epochs = ranks.flatMap(({ metrics }) => metrics.epochs.slice(-1));
  const steps = ranks.flatMap(({ metrics }) => metrics.steps.slice(-1)).map(({ step }) => step);
  const means = ranks.map(({ metrics }) => meanStep(metrics));
  const sent = mean(ranks.map(meanSent));
  const done = mean(results.map((each) => each.epochs)) ?? epochs[0]?.epoch;
  const planned = start?.epochs ?? done;
  const [seconds, waited] = [
    mean(means.map((each) => each.seconds)),
    mean(means.map((each) => each.communication)),
  ];
  const share = seconds && waited !== undefined ? `${((100 * waited) / seconds).toFixed(0)} %` : nothing;
  return [
    ["accuracy", fixed(results[0]?.accuracy ?? epochs[0]?.accuracy, 4)],
    ["loss", fixed(results[0]?.finalLoss ?? epochs[0]?.loss, 4)],
    ["epochs", done === planned ? count(done) : `${count(done ?? 0)} of ${count(planned)}`],
    ["steps", steps.length === 0 ? nothing : count(steps.reduce((most, step) => Math.max(most, step)))],
    ["time of a step", milliseconds(mean(results.map((each) => each.secondsPerStep)) ?? seconds)],
    ["communication", share],
    ["sent a step", bytes(sent)],
    ["ranks", count(ranks.length)],
    ["parameters", count(start?.parameters)],
  ];
}

function meanSent({ metrics }: RankData): number | undefined {
  return mean(metrics.steps.map(({ sentBytes }) => sentBytes));
}

function failed({ launches }: RunData): Block[] {
  return launches.flatMap(({ node, ranks, summary }): Block[] => {
    if (summary?.state !== "failed") return [];
    const code = summary.exitCode == null ? "" : ` with exit code ${summary.exitCode}`;
    const reason = summary.reason ? `: ${summary.reason}` : "";
    const head = `${namesOf(ranks)} on ${node} failed${code}${reason}`;
    return [{ kind: "text", lines: [head, ...summary.lines.slice(-10).map((line) => `  ${line}`)] }];
  });
}

function ranksTable(data: RunData): Block {
  const head = [
    ["rank", "node", "device", "backend", "PyTorch", "state", "epochs", "loss", "accuracy"],
    ["a step", "compute", "communication", "sent a step", "received a step", "parameters"],
  ].flat();
  const rows = data.ranks.map((rank) => {
    const { metrics } = rank;
    const result = resultOf(rank, data.launches);
    const start = metrics.starts.at(-1);
    const epoch = metrics.epochs.at(-1);
    const step = meanStep(metrics);
    const launch =
      data.launches.find(({ ranks }) => ranks.includes(rank.rank)) ??
      data.launches.find(({ node }) => node === rank.node);
    const summary = launch?.summary;
    const attempt = (summary?.attempt ?? 1) > 1 ? `, attempt ${summary?.attempt}` : "";
    return [
      String(rank.rank),
      rank.node,
      start?.device ?? nothing,
      start?.backend ?? nothing,
      start?.torch ?? nothing,
      `${summary?.state ?? "unknown"}${attempt}`,
      count(result?.epochs ?? epoch?.epoch),
      fixed(result?.finalLoss ?? epoch?.loss, 4),
      fixed(result?.accuracy ?? epoch?.accuracy, 4),
      milliseconds(result?.secondsPerStep ?? step.seconds),
      milliseconds(step.compute),
      milliseconds(step.communication),
      bytes(meanSent(rank)),
      bytes(mean(metrics.steps.map(({ receivedBytes }) => receivedBytes))),
      result?.parametersSha256?.slice(0, 12) ?? nothing,
    ];
  });
  return { kind: "table", head, rows };
}

function linkText({ link }: RunData): Block[] {
  return link === undefined ? [] : [{ kind: "text", lines: [link] }];
}

function trafficTable({ traffic, trafficStep }: RunData): Block {
  const mbps = (values: readonly number[]) =>
    values.length === 0 ? nothing : `${(Math.max(...values) / 1e6).toFixed(2)} Mbit/s`;
  const most = `highest mean of ${stepName(trafficStep)}`;
  return {
    kind: "table",
    head: ["zone", "EIP", "address", "rate", "received", "sent", `received, ${most}`, `sent, ${most}`],
    rows: traffic.map((each) => [
      each.zone,
      each.eipId,
      each.address,
      `${each.rateMbps} Mbit/s`,
      bytes(each.receivedBytes),
      bytes(each.sentBytes),
      mbps(each.intervals.map(({ received }) => received)),
      mbps(each.intervals.map(({ sent }) => sent)),
    ]),
  };
}

function tunnelsTable({ network }: RunData): Block[] {
  if (network.tunnels.length === 0) return [];
  const shown = network.tunnels.slice(0, mostTunnels);
  const more = network.tunnels.length - shown.length;
  const rows = shown.map(({ zones, kind, over, rttMs, goodputMbps, mtu }) => [
    zones.join(" – "),
    kind === "ipsec" ? "IPSec" : "GRE",
    kind === "ipsec" ? "yes" : "no",
    over,
    rttMs === undefined ? "not checked" : `${rttMs.toFixed(1)} ms`,
    goodputMbps === undefined ? "not checked" : `${goodputMbps.toFixed(1)} Mbit/s`,
    mtu === undefined ? nothing : String(mtu),
  ]);
  const head = ["tunnel", "kind", "encrypted", "over", "round trip", "carries", "MTU"];
  if (more > 0) rows.push([`and ${more} more`, ...head.slice(1).map(() => "")]);
  return [{ kind: "table", head, rows }];
}

function settings({ stack, settings: { yaml, version }, files, launches }: RunData): string[] {
  const command = stack === "dev" ? "npm start" : `npm run pulumi -- up --stack ${stack}`;
  const shown = launches.slice(0, mostCommands);
  const rest = launches.slice(mostCommands).flatMap(({ ranks }) => ranks);
  return [
    `${version}; with this in Pulumi.${stack}.yaml, beside your own operatorCidrs: ${command}`,
    "",
    ...yaml.split("\n"),
    "",
    ...files.map(({ name, sha256 }) => `${name}  SHA-256 ${sha256 ?? "not known"}`),
    "",
    ...shown.map(({ ranks, node, argv }) => `${namesOf(ranks)} on ${node}: ${argv.join(" ")}`),
    ...(rest.length > 0 ? [`${namesOf(rest)}: the same, each with its own rank`] : []),
  ];
}

function namesOf(ranks: readonly number[]): string {
  return `${ranks.length === 1 ? "rank" : "ranks"} ${ranges(ranks)}`;
}

function notes({ launches, ranks, traffic, problems }: RunData): string[] {
  const silent = ranks.filter(({ metrics }) => isEmpty(metrics)).map(({ rank }) => rank);
  const unreadable = ranks.filter(({ metrics }) => metrics.unreadable > 0);
  return [
    ...launches.flatMap(({ problem }) => problem ?? []),
    ...(silent.length > 0
      ? [
          `Loss, accuracy and step times of ${namesOf(silent)}: the script has written no metrics to the folder METRICS_DIR of its environment, as scripts/train/metrics.py does.`,
        ]
      : []),
    ...unreadable.map(
      ({ rank, metrics }) =>
        `${count(metrics.unreadable)} lines of the metrics of rank ${rank}: they have another form.`,
    ),
    ...traffic
      .filter(({ intervals }) => intervals.length === 0)
      .map(
        ({ zone }) => `Traffic at the EIP of ${zone}: the cloud has not counted any in the run's time yet.`,
      ),
    ...problems,
  ];
}
