/** HTTP over connections that stay open, with as little of a client as can be: the server is what is measured. */
import { connect, type Socket } from "node:net";

const head = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\ncontent-length: (\d+)[\s\S]*?\r\n\r\n/i;

/** One request at a time on one connection. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => this.#take(bytes));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () => this.#waiting?.reject(new Error("the connection was closed")));
  }

  static async open(port: number): Promise<Connection> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Connection(socket);
  }

  get(path: string): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    const [whole, status, length] = head.exec(this.#received.toString("latin1", 0, 512)) ?? [];
    if (whole === undefined) return;
    const end = whole.length + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.subarray(whole.length, end);
    this.#received = this.#received.subarray(end);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (status === "200") waiting?.resolve(body);
    else waiting?.reject(new Error(`HTTP status ${status}: ${body.toString()}`));
  }
}

/**
 * Sends requests over some connections at once, each as soon as the one before is answered.
 * @param pathOf the path of a request by its number; undefined ends
 * @param take is given every body
 */
export async function sendAll(
  port: number,
  connections: number,
  pathOf: (number: number) => string | undefined,
  take: (body: Buffer) => void,
): Promise<void> {
  let number = 0;
  await Promise.all(
    Array.from({ length: connections }, async () => {
      const connection = await Connection.open(port);
      try {
        for (;;) {
          const path = pathOf(number++);
          if (path === undefined) return;
          take(await connection.get(path));
        }
      } finally {
        connection.close();
      }
    }),
  );
}
