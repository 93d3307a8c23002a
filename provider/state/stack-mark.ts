import { randomBytes } from "node:crypto";
import { z } from "zod";
import { defineResource } from "../resource.ts";

export const stackMark = defineResource({
  type: "qingcloud:state:StackMark",
  description:
    "A random id of the stack, in state before anything depends on it: part of every physical name, so that a resource whose id was lost is found again. No API call.",
  inputs: z.strictObject({}),
  outputs: z.object({ value: z.string().describe("Eight hexadecimal digits.") }),
  replaceOn: [],
  async create({ session }) {
    const value = randomBytes(4).toString("hex");
    session.freshMarks.add(value);
    return { id: value, outputs: { value } };
  },
  async read(_context, id) {
    return { inputs: {}, outputs: { value: id } };
  },
  async delete() {},
});
