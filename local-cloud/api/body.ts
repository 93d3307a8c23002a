/** The body of an HTTP request, up to a limit. */
import type { IncomingMessage } from "node:http";

/** Bytes. The longest parameter is an archive of 2 MB in base64, of which each character may become three. */
const maximumBody = 9 * 1024 * 1024;

/** Answered with this HTTP status. */
export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maximumBody) throw new HttpError(413, `the body is larger than ${maximumBody} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    // Its sender is gone before its end.
    if (request.errored !== null && !request.complete) throw new HttpError(400, "the body is not complete");
    throw error;
  }
  return Buffer.concat(chunks).toString("utf8");
}
