import { randomBytes } from "node:crypto";
import { z } from "zod";
import { digitsOf, isOfAnotherStack, markOf } from "../cloud/naming.ts";
import { defineResource } from "../resource.ts";

export const stackMark = defineResource({
  type: "qingcloud:state:StackMark",
  description:
    "A random id of the stack, in state before anything depends on it: part of every physical name, so that a resource whose id was lost is found again. Its deletion, the last, looks in every zone for what bears it.",
  inputs: z.strictObject({
    sweep: z
      .boolean()
      .optional()
      .describe(
        "Whether `destroy` removes what bears the mark and is in no state, as a killed run leaves it. Not with `retainOnDelete` or after `pulumi state delete`: what these keep in the cloud would be removed too. Default false: it is listed.",
      ),
  }),
  outputs: z.object({
    value: z.string().describe("Eight hexadecimal digits; with `sweep` also whose they are."),
  }),
  replaceOn: [],
  // A stack that was renamed, or has a copy of another one's state, gets a mark that is its alone.
  outdated: (_property, { inputs, outputs: { value } }, urn) => {
    if (isOfAnotherStack(value, urn)) return "replace";
    return value === markOf(digitsOf(value), inputs.sweep === true, urn) ? undefined : "update";
  },
  async create({ session, urn }, { sweep }) {
    const digits = randomBytes(4).toString("hex");
    session.freshMarks.add(digits);
    return { id: digits, outputs: { value: markOf(digits, sweep === true, urn) } };
  },
  async read(_context, id, known) {
    return { inputs: known?.inputs ?? {}, outputs: { value: known?.outputs.value ?? id } };
  },
  async update({ urn }, id, { news: { sweep } }) {
    return { value: markOf(id, sweep === true, urn) };
  },
  async delete({ strays }) {
    await strays?.removeAll();
  },
});
