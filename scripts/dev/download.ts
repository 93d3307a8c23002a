/**
 * Downloads one file: `node download.ts URL FILE [MILLISECONDS]`. A program rather than a function, so that NODE_USE_ENV_PROXY=1 makes
 * `fetch` use the user's proxy, and a signal ends it.
 */
import { createWriteStream } from "node:fs";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

/** A server that sends nothing for this long is taken for dead. */
const silenceMs = 30_000;

const [url = "", file = "", limit] = process.argv.slice(2);
const silence = new AbortController();
const late = limit === undefined ? undefined : AbortSignal.timeout(Number(limit));
const signal = AbortSignal.any([silence.signal, ...(late === undefined ? [] : [late])]);
const timer = setTimeout(() => silence.abort(), silenceMs);
try {
  const response = await fetch(url, { signal });
  if (!response.ok || response.body === null) throw new Error(`HTTP status ${response.status}`);
  const length = Number(response.headers.get("content-length"));
  let received = 0;
  await pipeline(
    Readable.fromWeb(response.body),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        timer.refresh();
        received += chunk.length;
        if (length > 0) process.stdout.write(`${Math.floor((100 * received) / length)}\n`);
        yield chunk;
      }
    },
    createWriteStream(file, { mode: 0o600 }),
  );
} catch (error) {
  process.stderr.write(`${url} could not be downloaded: ${why(error as Error)}\n`);
  process.exitCode = 1;
} finally {
  clearTimeout(timer);
}

function why({ message, cause }: Error): string {
  if (late?.aborted) return `no answer within ${Number(limit) / 1000} s`;
  if (silence.signal.aborted) return `nothing came for ${silenceMs / 1000} s`;
  return cause instanceof Error ? cause.message : message;
}
