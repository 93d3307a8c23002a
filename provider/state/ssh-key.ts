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
    const { utils } = (await import("ssh2")).default;
    const pair = utils.generateKeyPairSync("ed25519", { comment: inputs.comment });
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
