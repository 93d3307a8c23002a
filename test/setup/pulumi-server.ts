/** A server of Pulumi's releases: whole, broken off, stopping half-way, of another file, silent. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { succeed } from "../../scripts/dev/process.ts";

/** A program that prints a version, as `pulumi version` does, and what it is called with. */
export function writeCli(folder: string, version: string, { host = true } = {}): string {
  mkdirSync(folder, { recursive: true });
  const cli = join(folder, "pulumi");
  writeFileSync(cli, `#!/bin/sh\n[ "$1" = version ] && echo "v${version}" && exit\nexit 7\n`, {
    mode: 0o755,
  });
  // Not a script: the official one is a binary.
  if (host) writeFileSync(join(folder, "pulumi-language-nodejs"), "\x7fELF", { mode: 0o755 });
  return cli;
}

export class PulumiServer {
  readonly address: string;
  /** Paths that were asked for. */
  readonly requests: string[] = [];
  /** How the archive is sent. */
  sends: "whole" | "half" | "stalls" | "other" | "nothing" = "whole";
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** @param folder for the archive @param version of the only release */
  static async start(folder: string, version: string): Promise<PulumiServer> {
    writeCli(join(folder, "pulumi"), version);
    const name = `pulumi-v${version}-${process.platform}-${process.arch}.tar.gz`;
    await succeed("tar", ["-czf", join(folder, name), "-C", folder, "pulumi"]);
    const archive = readFileSync(join(folder, name));
    const sha256 = createHash("sha256").update(archive).digest("hex");
    const server = createServer((request, response) => {
      own.requests.push(request.url ?? "");
      if (request.url === `/v${version}/pulumi-${version}-checksums.txt` && own.sends !== "nothing") {
        response.end(`${"0".repeat(64)}  another.tar.gz\n${sha256}  ${name}\n`);
      } else if (request.url === `/v${version}/${name}`) {
        response.setHeader("content-length", archive.length);
        if (own.sends === "whole") response.end(archive);
        else if (own.sends === "other") response.end(Buffer.alloc(archive.length, "x"));
        else {
          response.write(archive.subarray(0, archive.length / 2));
          if (own.sends === "half") setImmediate(() => response.destroy());
        }
      } else if (own.sends !== "nothing") {
        response.statusCode = 404;
        response.end();
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const own = new PulumiServer(server);
    return own;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
