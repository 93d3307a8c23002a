/** The HTTP server on loopback: `/iaas` for the API, `/_cloud` for the local cloud's own commands. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Control } from "./control.ts";
import { type Api, answer } from "./dispatch.ts";

const host = "127.0.0.1";
/** Bytes; the longest documented parameter is a certificate or an archive of 2 MB that this cloud does not take. */
const maximumBody = 1024 * 1024;

class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Starts the server; resolves when it listens. Port 0 takes any free one. */
export async function listen(
  api: Api,
  control: Control,
  port: number,
): Promise<{ server: Server; port: number }> {
  const server = createServer((request, response) => {
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
  send(response, 200, answer(api, { method: request.method, path, parameters }));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maximumBody) throw new HttpError(413, `the body is larger than ${maximumBody} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": bytes.length });
  response.end(bytes);
  if (status === 413) response.socket?.end();
}
