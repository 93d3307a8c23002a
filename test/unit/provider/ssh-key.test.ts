import { expect, test } from "vitest";
import { sshKey } from "../../../provider/state/ssh-key.ts";
import { contextOf } from "./contexts.ts";

/** Bytes of an ed25519 public key on the wire: the type's name and 32 bytes, each behind its length. */
const publicKeyBytes = 4 + "ssh-ed25519".length + 4 + 32;

test("every key of a thousand is whole: its public half has all its bytes", async () => {
  for (let made = 0; made < 1000; made += 1) {
    const { outputs } = await sshKey.create(contextOf(), { comment: "" });
    const { publicKey } = outputs as { publicKey: string };
    expect(Buffer.from(publicKey.split(" ")[1] ?? "", "base64").length, publicKey).toBe(publicKeyBytes);
  }
});
