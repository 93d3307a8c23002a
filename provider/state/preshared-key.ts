import { randomBytes } from "node:crypto";
import { z } from "zod";
import { defineResource } from "../resource.ts";

export const presharedKey = defineResource({
  type: "qingcloud:state:PresharedKey",
  description:
    "A random pre-shared key for an IPSec tunnel; it exists once, encrypted in state. No API call.",
  inputs: z.strictObject({
    bytes: z.number().int().min(16).max(64).default(32).describe("Bytes of randomness, 16 to 64."),
  }),
  outputs: z.object({
    value: z.string().describe("base64url: it holds no `|`, which separates the API's values."),
  }),
  replaceOn: ["bytes"],
  secrets: ["value"],
  async create(_context, inputs) {
    const value = randomBytes(inputs.bytes).toString("base64url");
    return { id: randomBytes(8).toString("hex"), outputs: { value } };
  },
  async read(_context, _id, known) {
    return known;
  },
  async delete() {},
});
