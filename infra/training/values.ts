/** Values of settings that several schemas have. */
import { z } from "zod";

/** `pulumi config set` keeps a number with a point as text. */
export const decimal = z.preprocess(
  (value) => (typeof value === "string" && /^-?\d*\.?\d+(e-?\d+)?$/i.test(value) ? Number(value) : value),
  z.number(),
);
