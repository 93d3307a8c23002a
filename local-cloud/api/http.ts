/** The HTTP server on loopback: `/iaas` for the API, `/_cloud` for the local cloud's own commands. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { http } from "../../qingcloud/http.ts";
import type { SignedRequest } from "./authentication.ts";
import { HttpError, readBody } from "./body.ts";
import type { Control } from "./control.ts";
import { type Api, answer } from "./dispatch.ts";

const host = "127.0.0.1";

/** Starts the server; resolves when it listens. Port 0 takes any free one. */
export async function listen(
  api: Api,
  control: Control,
  port: number,
): Promise<{ server: Server; port: number }> {
  const server = http.createServer((request, response) => {
    respond(api, control, request, response).catch((error: unknown) => {
      const status = error instanceof HttpError ? error.status : 500;
      if (status === 500) api.log(`${request.method} ${request.url}: ${String(error)}`);
      send(response, status, { message: error instanceof Error ? error.message : String(error) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.on("error", (error) => api.log(`server: ${error.message}`));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the server has no port");
  return { server, port: address.port };
}

async function respond(
  api: Api,
  control: Control,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? "";
  const queryStart = url.indexOf("?");
  const path = queryStart < 0 ? url : url.slice(0, queryStart);
  if (path.startsWith("/_cloud/")) {
    send(response, 200, await control.answer(path.slice("/_cloud/".length), request));
    return;
  }
  if (path !== "/iaas" && path !== "/iaas/")
    throw new HttpError(404, `no such path: ${path}, the API is at /iaas/`);
  if (request.method !== "GET" && request.method !== "POST") {
    throw new HttpError(405, `method ${request.method} is not allowed, allowed: GET, POST`);
  }
  const form =
    request.method === "POST" ? await readBody(request) : queryStart < 0 ? "" : url.slice(queryStart + 1);
  const parameters = Object.fromEntries(new URLSearchParams(form));
  await respondToCall(api, { method: request.method, path, parameters }, response);
}

/** Answers a call of the API, or lets it meet a fault. */
async function respondToCall(api: Api, call: SignedRequest, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  // An abort costs as much as a small answer.
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const { action = "", zone = "" } = call.parameters;
  const fate = await api.faults.meet(
    { action, zone, parameters: call.parameters },
    (beforeWork) => answer(api, call, beforeWork),
    gone.signal,
  );
  if (fate === "lost") response.destroy();
  else if ("status" in fate) send(response, fate.status, { message: `a fault: HTTP status ${fate.status}` });
  else send(response, 200, fate.answer);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": bytes.length });
  response.end(bytes);
  if (status === 413) response.socket?.end();
}
