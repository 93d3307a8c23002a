/** Security associations of a running IKE daemon. */

import { type ViciMessage, ViciSession } from "./vici.ts";

/** Names of the child SAs that are up in the daemon behind a control socket. */
export async function installedChildren(socket: string): Promise<Set<string>> {
  const session = await ViciSession.open(socket);
  try {
    const ikeSas = (await session.collect("list-sas", "list-sa")).flatMap((message) =>
      Object.values(message),
    );
    const children = ikeSas.flatMap((ike) => Object.values(section(section(ike)["child-sas"]))).map(section);
    const up = children.filter(
      ({ state }) => state === "INSTALLED" || state === "REKEYING" || state === "REKEYED",
    );
    return new Set(up.map(({ name }) => String(name)));
  } finally {
    session.close();
  }
}

/** Sets up one child SA, with its IKE SA if need be; throws when it is not up in time. */
export async function initiateChild(
  socket: string,
  ike: string,
  child: string,
  timeoutMs: number,
): Promise<void> {
  const session = await ViciSession.open(socket);
  try {
    await session.request("initiate", { ike, child, timeout: String(timeoutMs) }, timeoutMs + 1000);
  } finally {
    session.close();
  }
}

/** Drops an IKE SA with its children, without asking the peer. */
export async function terminate(socket: string, ike: string): Promise<void> {
  const session = await ViciSession.open(socket);
  try {
    // Refused when there is no such SA: that is what is wanted.
    await session.request("terminate", { ike, force: "yes", timeout: "-1" }).catch(() => {});
  } finally {
    session.close();
  }
}

function section(value: string | readonly string[] | ViciMessage | undefined): ViciMessage {
  return typeof value === "object" && !Array.isArray(value) ? (value as ViciMessage) : {};
}
