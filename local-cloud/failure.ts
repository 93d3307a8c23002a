/** A failure that the user can do something about: what, what was given, what to do. Ends the command with exit code 2. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** What the operating system refuses, in words that say what to do; undefined for any other error. */
export function refusal(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = "code" in error ? error.code : undefined;
  if (code === "ENOSPC" || code === "EDQUOT" || isFull(error)) {
    return `the disk is full or fails (${error.message}): make room and try again`;
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return `${error.message}: run this as the user that the home belongs to, or give another one with --home`;
  }
  return undefined;
}

/** SQLITE_FULL, or SQLITE_IOERR, which files that SQLite maps into memory give on a full disk. */
function isFull(error: Error): boolean {
  const primary = "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : 0;
  return primary === 13 || primary === 10;
}
