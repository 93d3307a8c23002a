/** Commands of the local cloud that need root, for a user who may become root. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { Failure } from "./failure.ts";
import type { Home } from "./home.ts";
import { findPrivilege, forAdministrator, NoPrivilege } from "./privilege.ts";

export const isRoot = process.getuid?.() === 0;

/**
 * A command of the local cloud as root runs it for the home's user: by absolute paths, because sudo has another PATH, and
 * with a cache that is not the user's.
 */
export function rootCommand(home: Home, args: readonly string[]): string[] {
  const program = [process.execPath, join(import.meta.dirname, "main.ts")];
  const others = args.filter((arg, index) => !/^--home(=|$)/.test(arg) && args[index - 1] !== "--home");
  return ["env", "XDG_CACHE_HOME=/var/cache", ...program, ...others, "--home", home.path];
}

/**
 * Runs this command again as root, and ends as it does.
 * @param why what needs root
 * @param otherwise what the user can do without
 */
export async function runAsRoot(home: Home, why: string, otherwise = ""): Promise<void> {
  const command = rootCommand(home, process.argv.slice(2));
  const privilege = findPrivilege();
  if (privilege === undefined) {
    throw new Failure(
      `${why}: run it as root or through sudo, or ${forAdministrator([command])}${otherwise}`,
    );
  }
  try {
    privilege.ask(command, (line) => process.stderr.write(`${line}\n`));
  } catch (error) {
    if (error instanceof NoPrivilege) throw new Failure(`${why}. ${error.message}${otherwise}`);
    throw error;
  }
  const [program = "", ...args] = privilege.line(command);
  const child = spawn(program, args, { stdio: "inherit" });
  // A terminal's Ctrl-C reaches it directly.
  process.on("SIGINT", () => {
    if (!process.stdin.isTTY) privilege.interrupt(child);
  });
  process.on("SIGTERM", () => privilege.interrupt(child));
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}
