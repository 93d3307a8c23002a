/** The settings of faults, from text or JSON; numbers may be text, as on a command line. */

/** A fault that can not be; the message says what is allowed. */
export class FaultError extends Error {
  override readonly name = "FaultError";
}

/** A fault as it is asked for. */
export type FaultRequest = Readonly<Record<string, unknown>>;

export function oneOf<Value extends string>(name: string, given: unknown, allowed: readonly Value[]): Value {
  const found = allowed.find((value) => value === String(given));
  if (found === undefined) throw wrong(name, given, `one of ${allowed.join(", ")}`);
  return found;
}

export function readNumber(
  name: string,
  given: unknown,
  allowed: string,
  isAllowed: (value: number) => boolean,
): number {
  const isText = typeof given === "string";
  const value = isText && !/^-?\d+(?:\.\d+)?$/.test(given) ? Number.NaN : Number(given);
  if (!isAllowed(value)) throw wrong(name, given, allowed);
  return value;
}

export const isWhole =
  (least: number, most: number) =>
  (value: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;

export function readResource(name: string, given: unknown): string {
  const isId = typeof given === "string" && /^[a-z]+-[a-z0-9]+$/.test(given);
  if (!isId) throw wrong(name, given, "the id of a resource, e.g. eip-0a1b2c3d");
  return given;
}

export function wrong(name: string, given: unknown, allowed: string): FaultError {
  return new FaultError(
    given === undefined
      ? `--${name} is missing: must be ${allowed}`
      : `--${name} ${String(given)}: must be ${allowed}`,
  );
}
