/** The account's limit of API calls. QingCloud gives a new account 2000 calls in an hour. */

import { retCodes } from "../../qingcloud/errors.ts";
import { ApiError } from "../services/errors.ts";

export class RateLimit {
  private readonly calls: number;
  private readonly seconds: number;
  private readonly times: number[] = [];

  /** @param setting `CALLS` in an hour or `CALLS/SECONDS`; undefined for no limit */
  constructor(setting: string | undefined) {
    const [, calls, seconds] = /^([1-9]\d{0,8})(?:\/([1-9]\d{0,5}))?$/.exec(setting ?? "") ?? [];
    if (setting !== undefined && calls === undefined) {
      throw new Error(
        `--rate-limit ${setting}: must be CALLS (in an hour) or CALLS/SECONDS, e.g. 2000 or 20/1`,
      );
    }
    this.calls = calls === undefined ? Number.POSITIVE_INFINITY : Number(calls);
    this.seconds = Number(seconds ?? 3600);
  }

  /** Counts a call at a time in milliseconds; refuses it if there were too many. */
  count(now: number): void {
    if (!Number.isFinite(this.calls)) return;
    while (this.times[0] !== undefined && this.times[0] <= now - this.seconds * 1000) this.times.shift();
    if (this.times.length >= this.calls) {
      throw new ApiError(
        retCodes.quotaExceeded,
        `QuotasExceeded, more than ${this.calls} API calls in ${this.seconds} s`,
      );
    }
    this.times.push(now);
  }
}
