/** A failure that the user can do something about: what, what was given, what to do. Ends the command with exit code 2. */
export class Failure extends Error {
  override readonly name = "Failure";
}
