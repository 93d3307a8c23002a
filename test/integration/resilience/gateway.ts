/** Stands between the provider and a local cloud: a call is done, and answered later or by something else. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { parse, stringify } from "yaml";

export interface Answer {
  readonly status: number;
  readonly body: object;
}

interface Held {
  readonly arrived: PromiseWithResolvers<void>;
  readonly released: PromiseWithResolvers<void>;
}

export class Gateway {
  readonly #server: Server;
  readonly #answers: Map<string, Answer>;
  readonly #held: Map<string, Held>;
  readonly port: number;

  private constructor(server: Server, answers: Map<string, Answer>, held: Map<string, Held>) {
    this.#server = server;
    this.#answers = answers;
    this.#held = held;
    this.port = (server.address() as AddressInfo).port;
  }

  /** @param port of the cloud @param own where it listens; default any */
  static async start(port: number, own = 0): Promise<Gateway> {
    const answers = new Map<string, Answer>();
    const held = new Map<string, Held>();
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? "", `http://127.0.0.1:${port}`);
      const action = url.searchParams.get("action") ?? "";
      fetch(url)
        .then(async (answer) => ({ status: answer.status, body: (await answer.json()) as object }))
        .then(async (real) => {
          const holding = held.get(action);
          held.delete(action);
          holding?.arrived.resolve();
          await holding?.released.promise;
          const { status, body } = answers.get(action) ?? real;
          answers.delete(action);
          response.writeHead(status).end(JSON.stringify(body));
        })
        .catch((error: unknown) => response.destroy(error as Error));
    });
    await new Promise<void>((resolve) => server.listen(own, "127.0.0.1", resolve));
    return new Gateway(server, answers, held);
  }

  /** What the next call of an action is answered once the cloud has done it. */
  answerNext(action: string, answer: Answer): void {
    this.#answers.set(action, answer);
  }

  /** Keeps the next answer of an action, which `arrived` waits for, until `release`. */
  holdNext(action: string): { arrived: Promise<void>; release: () => void } {
    const holding = { arrived: Promise.withResolvers<void>(), released: Promise.withResolvers<void>() };
    this.#held.set(action, holding);
    return { arrived: holding.arrived.promise, release: () => holding.released.resolve() };
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
