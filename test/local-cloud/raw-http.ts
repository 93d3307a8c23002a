/** HTTP/1.1 as bytes: requests are written as they are, answers are read as they come. */
import { connect, type Socket } from "node:net";

export interface RawAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** Sends bytes over a connection of its own, half-closes it, and reads until the other side closes it. */
export function exchange(port: number, bytes: Uint8Array, milliseconds = 10_000): Promise<RawAnswer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    const reader = new AnswerReader();
    socket.setTimeout(milliseconds, () => {
      socket.destroy();
      reject(new Error(`not closed within ${milliseconds} ms; so far: ${JSON.stringify(reader.answers)}`));
    });
    socket.on("data", (chunk: Buffer) => reader.feed(chunk));
    // A server that has answered may reset a connection on which more comes.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      reader.end();
      resolve(reader.answers);
    });
    socket.on("connect", () => socket.end(bytes));
  });
}

/** One connection on which requests follow each other without waiting: they are done in this order. */
export class Pipeline {
  private readonly socket: Socket;
  private readonly reader = new AnswerReader();
  private wake: () => void = () => undefined;
  private isClosed = false;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("data", (chunk: Buffer) => {
      this.reader.feed(chunk);
      this.wake();
    });
    const closed = (): void => {
      this.isClosed = true;
      this.wake();
    };
    this.socket.on("error", closed);
    this.socket.on("close", closed);
  }

  /** The answers to the requests; fewer where the server has closed the connection. */
  async send(requests: readonly string[]): Promise<RawAnswer[]> {
    this.socket.write(requests.join(""));
    while (this.reader.answers.length < requests.length && !this.isClosed) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.reader.answers.splice(0);
  }

  close(): void {
    this.socket.destroy();
  }
}

class AnswerReader {
  readonly answers: RawAnswer[] = [];
  private rest = Buffer.alloc(0);

  feed(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.take(false));
  }

  /** Nothing more comes: a body without a length is whole now. */
  end(): void {
    while (this.take(true));
    if (this.rest.length > 0) this.answers.push({ status: 0, type: "", body: this.rest.toString("latin1") });
  }

  private take(isEnd: boolean): boolean {
    const headEnd = this.rest.indexOf("\r\n\r\n");
    if (headEnd < 0) return false;
    const [line = "", ...fields] = this.rest.subarray(0, headEnd).toString("latin1").split("\r\n");
    const headers = new Map(
      fields.map((field) => [field.split(":")[0]?.toLowerCase(), field.replace(/^[^:]*: */, "")]),
    );
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1] ?? 0);
    const start = headEnd + 4;
    const length = status < 200 ? 0 : headers.get("content-length");
    if (length === undefined && !isEnd) return false;
    const end = length === undefined ? this.rest.length : start + Number(length);
    if (this.rest.length < end && !isEnd) return false;
    const body = this.rest.subarray(start, end).toString("utf8");
    this.rest = Buffer.from(this.rest.subarray(end));
    // 100 Continue is no answer yet.
    if (status !== 100) this.answers.push({ status, type: headers.get("content-type") ?? "", body });
    return true;
  }
}
