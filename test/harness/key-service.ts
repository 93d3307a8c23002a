/**
 * The key of a stack's secrets from a service in the test's process, as Vault's transit engine gives it to the CLI: to
 * derive one from a passphrase takes the CLI longer than most of its commands.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The same for each stack, so that they can read each other's state. */
const key = Buffer.alloc(32, "key of a test");
const url = "hashivault://tests";
const encryptedKey = Buffer.from("any").toString("base64");

/** In the configuration, and in the state. */
export const keySettings = { secretsprovider: url, encryptedkey: encryptedKey };
export const keyInState = { type: "cloud", state: { url, encryptedkey: encryptedKey } };

let address: Promise<string> | undefined;

/** The CLI's environment with the service, which ends with this process. */
export async function keyEnvironment(): Promise<NodeJS.ProcessEnv> {
  address ??= serve();
  return { VAULT_SERVER_URL: await address };
}

function serve(): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ data: { plaintext: key.toString("base64") } }));
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      server.unref();
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    });
  });
}
