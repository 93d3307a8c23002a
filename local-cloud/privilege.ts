/** Who does what needs root: apt and the local cloud. Everything else is the calling user's. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { quoted } from "./words.ts";

export interface Privilege {
  readonly kind: "root" | "sudo";
  /** The words that run a command as root. */
  line(command: readonly string[]): readonly string[];
  /**
   * Shows a command before it is run, and asks for the password on the terminal where one is needed.
   * @throws NoPrivilege where the user is not let
   */
  ask(command: readonly string[], print: (line: string) => void): void;
  /** Ctrl-C for what `line` has started: a user cannot signal root's process. */
  interrupt(child: ChildProcess): void;
}

/** The user is not let run a command as root; the message says what an administrator can run. */
export class NoPrivilege extends Error {}

/** The parts of the system that decide it. */
export interface System {
  readonly uid: number;
  /** Runs sudo. @returns its exit status; undefined where there is no sudo */
  sudo(args: readonly string[], stdio: "ignore" | "inherit"): number | undefined;
  hasTerminal(): boolean;
}

const thisSystem: System = {
  uid: process.getuid?.() ?? -1,
  sudo(args, stdio) {
    const { status, error } = spawnSync("sudo", args, { stdio });
    return error === undefined ? (status ?? 1) : undefined;
  },
  hasTerminal() {
    try {
      closeSync(openSync("/dev/tty", "r+"));
      return true;
    } catch {
      return false;
    }
  },
};

const root: Privilege = {
  kind: "root",
  line: (command) => command,
  ask: () => {},
  interrupt: (child) => void child.kill("SIGINT"),
};

/** Root, or sudo; undefined where this user has neither, or sudo wants a password and there is no terminal to ask on. */
export function findPrivilege(system: System = thisSystem): Privilege | undefined {
  if (system.uid === 0) return root;
  const withoutPassword = system.sudo(["-n", "true"], "ignore");
  if (withoutPassword === undefined || (withoutPassword !== 0 && !system.hasTerminal())) return undefined;
  return {
    kind: "sudo",
    line: withSudo,
    ask(command, print) {
      print(`as root: ${shown(withSudo(command))}`);
      // Its ticket lasts some minutes: what is asked for next needs no second password.
      if (system.sudo(["-n", "true"], "ignore") === 0 || system.sudo(["-v"], "inherit") === 0) return;
      throw new NoPrivilege(
        `sudo does not let this user run commands as root: a wrong password, or no right to use it. Run the command again, or ${forAdministrator([command])}`,
      );
    },
    interrupt(child) {
      system.sudo(["-n", "kill", "-INT", String(child.pid)], "ignore");
    },
  };
}

/** The words that an administrator can run, as a sentence goes on. */
export function forAdministrator(commands: readonly (readonly string[])[]): string {
  return `let an administrator run as root:\n${commands.map((command) => `  ${shown(command)}`).join("\n")}`;
}

/** The home is root's, so that nothing of root's goes to the user's caches. */
function withSudo(command: readonly string[]): string[] {
  return ["sudo", "-H", ...command];
}

function shown(command: readonly string[]): string {
  return command.map(quoted).join(" ");
}
