/** Live output of commands, shown by the engine behind their resource. */
import { setTimeout as delay } from "node:timers/promises";
import { credentials } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";

const flushSeconds = 5;

export interface LineLog {
  line(text: string): void;
  /** Resolves when the engine has all lines, so that none shows after the resource is done. */
  flush(): Promise<void>;
}

/** Opens the log of one resource. */
export type OpenLog = (urn: string) => LineLog;

/** Connects to the engine; without an address (a provider that is attached to for debugging) lines are dropped. */
export function connectEngine(address: string | undefined): OpenLog {
  if (address === undefined) return () => ({ line() {}, flush: async () => {} });
  const client = new engineService.EngineClient(address, credentials.createInsecure());

  function send(urn: string, message: string): Promise<void> {
    const request = new engineMessages.LogRequest();
    request.setSeverity(engineMessages.LogSeverity.INFO);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(true);
    // An engine that is gone has nobody to show the line to.
    return new Promise((resolve) => client.log(request, () => resolve()));
  }

  return (urn) => {
    // One call after the other: the engine serves calls concurrently, and lines would change places.
    let sent = Promise.resolve();
    return {
      line(text) {
        sent = sent.then(() => send(urn, text));
      },
      async flush() {
        await Promise.race([sent, delay(flushSeconds * 1000, undefined, { ref: false })]);
      },
    };
  };
}

/** Cuts chunks of bytes into lines. */
export class LineSplitter {
  readonly #decoder = new TextDecoder();
  readonly #onLine: (line: string) => void;
  #partial = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    const lines = (this.#partial + this.#decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    this.#partial = lines.pop() ?? "";
    for (const line of lines) this.#onLine(line);
  }

  end(): void {
    const rest = this.#partial + this.#decoder.decode();
    if (rest !== "") this.#onLine(rest);
    this.#partial = "";
  }
}
