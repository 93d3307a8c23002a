/** The API's ret_codes, the one error class of this room, and the words of any error. */

export const retCodes = {
  ok: 0,
  malformed: 1100,
  invalidParameter: 1101,
  authenticationFailed: 1200,
  expired: 1300,
  permissionDenied: 1400,
  notFound: 2100,
  alreadyExists: 2110,
  leaseFailed: 2200,
  insufficientBalance: 2400,
  quotaExceeded: 2500,
  internal: 5000,
  busy: 5100,
  insufficientResources: 5200,
  updating: 5300,
  dependencyExists: 5400,
} as const;

/** What ret_codes mean, in words for people. */
export const retCodeMeanings: Readonly<Record<number, string>> = {
  1100: "a parameter is missing or badly formed",
  1101: "no such action, or a parameter has a bad value",
  1200: "authentication failed: unknown access key or wrong signature",
  1300: "the request's time stamp is more than 60 s off",
  1400: "permission denied, or the resource is in a state that forbids it",
  2100: "resource not found",
  2110: "resource already exists",
  2200: "lease failed",
  2400: "insufficient balance",
  2500: "quota exceeded",
  5000: "internal error",
  5100: "server busy",
  5200: "the zone has not enough resources of this kind",
  5300: "service updating",
  5400: "another resource depends on it",
};

/** Where a call ended: `outcome: "unknown"` means that the cloud may or may not have done it. */
export class QingCloudError extends Error {
  override readonly name = "QingCloudError";
  readonly action: string;
  /** Absent where no answer came; 0 where it came in a form that is not understood. */
  readonly retCode: number | undefined;
  readonly outcome: "refused" | "unknown";
  /** Where the outcome is unknown: milliseconds since the epoch, by the time stamp of the last request. */
  readonly sentAt: number | undefined;

  constructor(
    message: string,
    details: {
      action: string;
      retCode?: number;
      outcome: "refused" | "unknown";
      sentAt?: number;
      cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.action = details.action;
    this.retCode = details.retCode;
    this.outcome = details.outcome;
    this.sentAt = details.outcome === "unknown" ? details.sentAt : undefined;
  }
}

export function hasRetCode(error: unknown, ...codes: readonly number[]): error is QingCloudError {
  return error instanceof QingCloudError && error.retCode !== undefined && codes.includes(error.retCode);
}

/** The words of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
