/** What an HTTP server may be sent that is no request, or one that nobody should send. */
import fc, { type Arbitrary } from "fast-check";

export interface Bytes {
  readonly bytes: Uint8Array;
  /** Whether a server may close the connection without a word: nothing that could be answered was sent. */
  readonly maySilence: boolean;
}

const text = (value: string, maySilence = false): Bytes => ({
  bytes: Buffer.from(value, "latin1"),
  maySilence,
});
const oneOf = (...values: string[]): Arbitrary<string> => fc.constantFrom(...values);
const latin = (maxLength: number): Arbitrary<string> =>
  fc.uint8Array({ minLength: 1, maxLength }).map((bytes) => Buffer.from(bytes).toString("latin1"));

const paths = oneOf(
  "/iaas",
  "/iaas/",
  "/iaas/?",
  "/iaas?action=DescribeEips",
  "/",
  "/iaas/x",
  "//iaas",
  "*",
  "http://x/iaas/",
);
const methods = oneOf(
  "GET",
  "POST",
  "PUT",
  "DELETE",
  "PATCH",
  "OPTIONS",
  "TRACE",
  "CONNECT",
  "get",
  "G\0T",
  "",
  "VERYLONGMETHOD",
);
const versions = oneOf("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "HTP/1.1", "");

const requestLines = fc
  .tuple(methods, paths, versions, oneOf("\r\n", "\n", "\r"))
  .map(([method, path, version, end]) => text(`${method} ${path} ${version}${end}Host: x${end}${end}`, true));

/** Queries that no client should send; the request around them is sound. */
const queries = fc
  .oneof(
    oneOf(
      "%",
      "%z",
      "%zz=1",
      "action=%ff%fe",
      "a=%c3%28",
      "&&&",
      "===",
      "=",
      "action",
      "action=%00",
      "%61ction=X",
      "action=A&action=B",
    ),
    latin(200).map((bytes) => bytes.replace(/[\0-\x20\x7f]/g, "%")),
    fc.nat(40).map((count) => "action=DescribeEips&".repeat(count)),
    fc
      .array(fc.tuple(latin(8), latin(8)), { maxLength: 20 })
      .map((pairs) => pairs.map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join("&")),
  )
  .map((query) => text(`GET /iaas/?${query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`));

const escaped = (value: string): string => encodeURIComponent(value);

const headers = fc
  .oneof(
    oneOf(
      "No colon here",
      ": no name",
      "Host : x",
      "X: \0",
      "X: a\r\n folded",
      "Content-Length: -1",
      "Content-Length: 1e9",
      "Content-Length: 5\r\nContent-Length: 6",
    ),
    oneOf(
      "Transfer-Encoding: chunked\r\nContent-Length: 3",
      "Transfer-Encoding: nonsense",
      "Expect: 100-continue",
      "Expect: the-unexpected",
      "Upgrade: websocket\r\nConnection: Upgrade",
    ),
    oneOf(
      `X: ${"x".repeat(20_000)}`,
      Array.from({ length: 3000 }, (_, index) => `X${index}: 1`).join("\r\n"),
    ),
    latin(80),
  )
  .map((header) => text(`GET /iaas/ HTTP/1.1\r\nHost: x\r\n${header}\r\nConnection: close\r\n\r\n`));

const contentTypes = oneOf(
  "application/json",
  "multipart/form-data; boundary=b",
  "text/xml",
  "application/x-www-form-urlencoded; charset=utf-16",
  "\xff",
  "",
);
const bodies = fc
  .tuple(
    contentTypes,
    fc.oneof(
      oneOf("", "{", '{"action":"DescribeEips"}', "action=DescribeEips", "--b\r\n\r\n--b--", "%%%"),
      latin(400),
    ),
  )
  .map(([type, body]) =>
    text(
      `POST /iaas/ HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    ),
  );

const halfSent = fc
  .tuple(fc.integer({ min: 1, max: 1_000_000 }), latin(50))
  .map(([missing, body]) =>
    text(`POST /iaas/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length + missing}\r\n\r\n${body}`, true),
  );

const chunks = fc
  .oneof(
    oneOf(
      "0\r\n\r\n",
      "3\r\nabc\r\n0\r\n\r\n",
      "zz\r\nabc\r\n",
      "ffffffffffffffffff\r\n",
      "-1\r\n",
      "3\r\nabcdef\r\n0\r\n\r\n",
      "3;ext=1\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
    ),
    latin(60),
  )
  .map((body) =>
    text(
      `POST /iaas HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${body}`,
      true,
    ),
  );

const control = oneOf("ping", "status", "reset", "faults", "", "../iaas", "%2e%2e", "x".repeat(500))
  .chain((command) =>
    fc.tuple(
      fc.constant(command),
      oneOf("GET", "POST", "DELETE"),
      oneOf("", "Authorization: Bearer x\r\n", "Authorization: \xff\xfe\r\n"),
    ),
  )
  .map(([command, method, header]) =>
    text(`${method} /_cloud/${command} HTTP/1.1\r\nHost: x\r\n${header}Connection: close\r\n\r\n`),
  );

const noise = fc.uint8Array({ maxLength: 400 }).map((bytes) => ({ bytes, maySilence: true }));
/** More than the longest body that an action takes. */
export const tooMuch: Bytes = text(
  `POST /iaas/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n${"a=b&".repeat(2_500_000)}`,
  true,
);

/** What is sent over a connection of its own. */
export const connections: Arbitrary<Bytes> = fc.oneof(
  { weight: 30, arbitrary: requestLines },
  { weight: 50, arbitrary: queries },
  { weight: 30, arbitrary: headers },
  { weight: 50, arbitrary: bodies },
  { weight: 20, arbitrary: halfSent },
  { weight: 20, arbitrary: chunks },
  { weight: 20, arbitrary: control },
  { weight: 50, arbitrary: noise },
);
