import { expect, test } from "vitest";
import { findPrivilege, forAdministrator, type System } from "../../../local-cloud/privilege.ts";

/** @param answers exit codes of sudo, in the order of its calls */
function system(answers: readonly (number | undefined)[], { uid = 1000, hasTerminal = false } = {}) {
  const asked: string[] = [];
  const left = [...answers];
  const found: System = {
    uid,
    hasTerminal: () => hasTerminal,
    sudo(args, stdio) {
      asked.push(`${args.join(" ")}${stdio === "inherit" ? " (on the terminal)" : ""}`);
      return left.shift();
    },
  };
  return { asked, system: found };
}

const install = ["sh", "/a b/install-packages.sh", "install", "crun"];

test("root runs commands as they are, and shows and asks nothing", () => {
  const { asked, system: found } = system([], { uid: 0 });
  const privilege = findPrivilege(found);
  const shown: string[] = [];
  privilege?.ask(install, (line) => shown.push(line));
  expect([privilege?.kind, privilege?.line(install), shown, asked]).toEqual(["root", install, [], []]);
});

test("sudo without a password shows a command and asks nothing", () => {
  const { asked, system: found } = system([0, 0]);
  const privilege = findPrivilege(found);
  const shown: string[] = [];
  privilege?.ask(install, (line) => shown.push(line));
  expect(shown).toEqual(["as root: sudo -H sh '/a b/install-packages.sh' install crun"]);
  expect(privilege?.line(install)).toEqual(["sudo", "-H", ...install]);
  expect(asked).toEqual(["-n true", "-n true"]);
});

test("sudo with a password shows a command before it asks on the terminal", () => {
  const { asked, system: found } = system([1, 1, 0], { hasTerminal: true });
  findPrivilege(found)?.ask(install, (line) => asked.push(line));
  expect(asked).toEqual([
    "-n true",
    "as root: sudo -H sh '/a b/install-packages.sh' install crun",
    "-n true",
    "-v (on the terminal)",
  ]);
});

test("a wrong password, or a user who may not, gets the command for an administrator", () => {
  const { system: found } = system([1, 1, 1], { hasTerminal: true });
  expect(() => findPrivilege(found)?.ask(install, () => {})).toThrow(
    `sudo does not let this user run commands as root: a wrong password, or no right to use it. Run the command again, or ${forAdministrator([install])}`,
  );
});

test("without sudo, and without a terminal to ask on, there is no privilege", () => {
  expect(findPrivilege(system([undefined], { hasTerminal: true }).system)).toBeUndefined();
  expect(findPrivilege(system([1]).system)).toBeUndefined();
});
