/** What the commands print for people. */
import { clientCommands } from "./client-commands.ts";
import type { Home } from "./home.ts";
import type { CloudStatus } from "./status.ts";
import { table } from "./table.ts";

export function describeRunning(found: CloudStatus, home: Home, ranBefore: boolean): string {
  const lines = [
    `The local cloud ${ranBefore ? "is already running" : "is running"}.`,
    `  API       ${found.endpoint}`,
    `  plane     ${found.dataPlane === "linux" ? "linux: routers, tunnels and nodes run on this machine" : "none: the API alone"}`,
    `  home      ${home.path}`,
    `  zones     ${found.zones.map(({ id }) => id).join(", ")}`,
  ];
  if (found.bastion !== undefined) {
    lines.push(
      `  bastion   ssh -J ${found.bastion.user}@${found.bastion.host}:${found.bastion.port} -p PORT root@EIP`,
    );
  }
  const clients = clientCommands(home.config);
  lines.push(
    `  config    ${home.config}, for QingCloud's own clients:`,
    `    CLI     ${clients.cli}`,
    `    Python  ${clients.python}`,
    `    Go      ${clients.go}`,
    `  calls     ${home.calls}`,
    `  log       ${home.log}`,
  );
  return lines.join("\n");
}

export function describeStatus(found: CloudStatus): string {
  const head = found.running
    ? `The local cloud is running (process ${found.pid}) at ${found.endpoint}, data plane ${found.dataPlane}.`
    : "The local cloud is not running.";
  const zones = found.zones.map(({ id, resources, jobs }) => {
    const counts = Object.entries({ ...resources, "unfinished job": jobs }).filter(([, count]) => count > 0);
    const words = counts.map(
      ([kind, count]) => `${count} ${kind.replace("_", " ")}${count === 1 ? "" : "s"}`,
    );
    return `  ${id}  ${words.join(", ") || "no resources"}`;
  });
  const { routers, nodes, faults } = found;
  return [
    [head, ...zones].join("\n"),
    ...section(
      ["ROUTER", "ZONE", "NAME", "EIP", "RECEIVED", "SENT"],
      routers.map(({ id, zone, name, eip, received, sent }) => [
        ...[id, zone, name, eip === undefined ? "" : `${eip.address} (${eip.bandwidthMbps} Mbit/s)`],
        ...[bytes(received), bytes(sent)],
      ]),
    ),
    ...section(
      ["TUNNEL", "KIND", "ROUTER", "PEER", "STATE"],
      routers.flatMap((router) =>
        router.tunnels.map(({ id, kind, peer, established }) => [
          ...[id, kind, router.id, peer],
          established ? (kind === "gre" ? "set up" : "established") : "down",
        ]),
      ),
    ),
    ...section(
      ["NODE", "ZONE", "NAME", "IMAGE", "ADDRESS", "PROCESS"],
      nodes.map(({ id, zone, name, image, addresses, pid }) => [
        ...[id, zone, name, image, addresses.join(" ")],
        pid > 0 ? String(pid) : "down",
      ]),
    ),
    ...(faults.length === 0
      ? []
      : [["FAULTS", ...faults.map(({ id, text }) => `${id}  ${text}`)].join("\n")]),
  ].join("\n\n");
}

function section(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return rows.length === 0 ? [] : [table([heads, ...rows])];
}

const units = ["B", "kB", "MB", "GB", "TB"] as const;

function bytes(count: number): string {
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  return `${power === 0 ? count : (count / 1000 ** power).toFixed(1)} ${units[power]}`;
}
