/** Decrypts the secrets of a stack's state with its passphrase, without a run of the CLI. */
import { createDecipheriv, pbkdf2Sync } from "node:crypto";
import { z } from "zod";

/** https://github.com/pulumi/pulumi, sdk/go/common/resource/config/crypt.go: AES-256-GCM, its key by PBKDF2. */
const iterations = 1_000_000;
const tagBytes = 16;

const state = z.object({
  checkpoint: z.object({
    latest: z.object({
      secrets_providers: z.object({ type: z.literal("passphrase"), state: z.object({ salt: z.string() }) }),
    }),
  }),
});
const hidden = z.object({ ciphertext: z.string() });

/**
 * @param text of the file that holds the state
 * @returns gives the value of a secret that stands there; it throws an Error where the passphrase is another one
 */
export function revealing(text: string, passphrase: string): (secret: unknown) => unknown {
  const { salt } = state.parse(JSON.parse(text)).checkpoint.latest.secrets_providers.state;
  // `v1:SALT:v1:NONCE:CIPHERTEXT`, of which the last three parts are a text to try the passphrase on.
  const key = pbkdf2Sync(
    passphrase,
    Buffer.from(salt.split(":")[1] ?? "", "base64"),
    iterations,
    32,
    "sha256",
  );
  return (secret) => {
    const [, nonce = "", sealed = ""] = hidden.parse(secret).ciphertext.split(":");
    const bytes = Buffer.from(sealed, "base64");
    const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(nonce, "base64"));
    decipher.setAuthTag(bytes.subarray(-tagBytes));
    const plaintext = decipher.update(bytes.subarray(0, -tagBytes)) + decipher.final("utf8");
    return JSON.parse(plaintext) as unknown;
  };
}
