/** Stands between the provider and a local cloud: a call is done, and something else is answered. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { parse, stringify } from "yaml";

export interface Answer {
  readonly status: number;
  readonly body: object;
}

export class Gateway {
  readonly #server: Server;
  readonly #answers = new Map<string, Answer>();
  readonly port: number;

  private constructor(server: Server, answers: Map<string, Answer>) {
    this.#server = server;
    this.#answers = answers;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param port of the cloud @param own where it listens; default any */
  static async start(port: number, own = 0): Promise<Gateway> {
    const answers = new Map<string, Answer>();
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? "", `http://127.0.0.1:${port}`);
      const action = url.searchParams.get("action") ?? "";
      fetch(url)
        .then(async (answer) => ({ status: answer.status, body: (await answer.json()) as object }))
        .then((real) => {
          const { status, body } = answers.get(action) ?? real;
          answers.delete(action);
          response.writeHead(status).end(JSON.stringify(body));
        })
        .catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve) => server.listen(own, "127.0.0.1", resolve));
    return new Gateway(server, answers);
  }

  /** What the next call of an action is answered once the cloud has done it. */
  answerNext(action: string, answer: Answer): void {
    this.#answers.set(action, answer);
  }

  /** A configuration of the cloud, with the gateway in its place. */
  through(config: string): string {
    return stringify({ ...(parse(config) as object), port: this.port });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
