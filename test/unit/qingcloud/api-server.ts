/** A tiny QingCloud API for a test of the client: it answers what the test says, and keeps what was asked. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Profile } from "../../../qingcloud/profile.ts";

export const secretAccessKey = "sEcReT-of-the-test";

export interface Asked {
  readonly path: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export type Answer = (response: ServerResponse, request: IncomingMessage) => void;

/** An answer as the API gives it. */
export const json =
  (body: object): Answer =>
  (response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(body));
  };

/** The connection ends without a word: the client cannot know whether it was done. */
export const lost: Answer = (_response, request) => request.socket.destroy();

export interface ApiServer {
  readonly profile: Profile;
  /** Every request, in order. */
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/** @param answers one for each request, in order; the last answers all later ones */
export async function startApi(...answers: readonly Answer[]): Promise<ApiServer> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "", "http://127.0.0.1");
    asked.push({ path: url.pathname, parameters: Object.fromEntries(url.searchParams) });
    answers[Math.min(asked.length, answers.length) - 1]?.(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    profile: profileAt(`http://127.0.0.1:${port}/iaas/`),
    asked,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function profileAt(endpoint: string): Profile {
  return {
    accessKeyId: "KEYOFTHETEST",
    secretAccessKey,
    endpoint: new URL(endpoint),
    zone: undefined,
    source: "/home/someone/config.yaml",
  };
}
