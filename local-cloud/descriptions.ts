/** What the commands print for people. */
import { clientCommands } from "./client-commands.ts";
import type { Home } from "./home.ts";
import type { CloudStatus } from "./status.ts";

export function describeRunning(found: CloudStatus, home: Home, ranBefore: boolean): string {
  const lines = [
    `The local cloud ${ranBefore ? "is already running" : "is running"}.`,
    `  API       ${found.endpoint}`,
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
  const tunnels = found.routers.flatMap(({ tunnels }) => tunnels);
  const established = tunnels.filter((tunnel) => tunnel.established).length;
  const plane = `  ${found.routers.length} routers, ${established} of ${tunnels.length} tunnels established, ${found.nodes.length} nodes`;
  return [head, ...zones, ...(found.running && found.dataPlane === "linux" ? [plane] : [])].join("\n");
}
