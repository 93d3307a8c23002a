/** Live output of commands, shown by the engine behind their resource. */
import { setTimeout as delay } from "node:timers/promises";
import { credentials } from "@grpc/grpc-js";
import engineService from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineMessages from "@pulumi/pulumi/proto/engine_pb.js";

export interface LineLog {
  line(text: string): void;
  /** Resolves when the engine has all lines, so that none shows after the resource is done, or takes none any longer. */
  flush(): Promise<void>;
}

/** Opens the log of one resource. */
export type OpenLog = (urn: string) => LineLog;

/**
 * Connects to the engine; without an address (a provider that is attached to for debugging) lines are dropped.
 * @param patienceMs an engine that takes no line for so long is not waited for
 */
export function connectEngine(address: string | undefined, patienceMs = 5_000): OpenLog {
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
    let taken = 0;
    return {
      line(text) {
        sent = sent.then(async () => {
          await send(urn, text);
          taken += 1;
        });
      },
      async flush() {
        const all = sent.then(() => true);
        for (let before = -1; taken > before; ) {
          before = taken;
          if (await Promise.race([all, delay(patienceMs, false, { ref: false })])) return;
        }
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
