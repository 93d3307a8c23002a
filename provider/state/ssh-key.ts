import { randomBytes } from "node:crypto";
import { z } from "zod";
import { defineResource } from "../resource.ts";

export const sshKey = defineResource({
  type: "qingcloud:state:SshKey",
  description:
    "An ed25519 key in OpenSSH's form, for people's logins or as a host key; it exists once, encrypted in state. No API call.",
  inputs: z.strictObject({
    comment: z
      .string()
      .regex(/^[\w.@-]*$/)
      .default("")
      .describe("Comment of the public key."),
  }),
  outputs: z.object({
    privateKey: z.string().describe("PEM in OpenSSH's form."),
    publicKey: z.string().describe("`ssh-ed25519 AAAA…`, with the comment where there is one."),
  }),
  replaceOn: ["comment"],
  secrets: ["privateKey"],
  async create(_context, inputs) {
    const pair = await generatePair(inputs.comment);
    return {
      id: randomBytes(8).toString("hex"),
      outputs: { privateKey: pair.private, publicKey: pair.public.trim() },
    };
  },
  async read(_context, _id, known) {
    return known;
  },
  async delete() {},
});

/** Of 140 ed25519 keys that ssh2 makes one lacks a byte of its public half, and no SSH server or client can load it. */
export async function generatePair(comment: string): Promise<{ private: string; public: string }> {
  const { utils } = (await import("ssh2")).default;
  for (;;) {
    const pair = utils.generateKeyPairSync("ed25519", { comment });
    const [secret, open] = [utils.parseKey(pair.private), utils.parseKey(pair.public)];
    if (secret instanceof Error || open instanceof Error) continue;
    const message = "proof";
    if (open.verify(message, secret.sign(message)) === true) return pair;
  }
}
