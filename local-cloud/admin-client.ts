/** Questions to a running cloud of this machine, over HTTP on loopback. */
import { http } from "../qingcloud/http.ts";

/** Where it listens, and what opens `/_cloud/`. */
interface Address {
  readonly port: number;
  readonly token: string;
}

/**
 * @param signal ends it
 * @returns the answer's status and what its JSON says
 * @throws Error where there is no answer, or none in JSON
 */
export function send(
  { port, token }: Address,
  method: "GET" | "POST" | "DELETE",
  command: string,
  body?: object,
  signal?: AbortSignal,
): Promise<{ readonly status: number; readonly body: unknown }> {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(
      {
        host: "127.0.0.1",
        port,
        method,
        path: `/_cloud/${command}`,
        headers: { Authorization: `Bearer ${token}` },
        // A kept connection may have been closed by the server when it is used again.
        agent: false,
        ...(signal !== undefined && { signal }),
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("error", reject);
        response.on("end", () => {
          try {
            resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
