import { expect, test } from "vitest";
import type { Privilege } from "../../../local-cloud/privilege.ts";
import {
  debianStep,
  installCommand,
  unavailableMessage,
  withoutCandidate,
} from "../../../scripts/dev/debian.ts";

const policy = `crun:
  Installed: (none)
  Candidate: 1.8.1-1+deb12u1
  Version table:
     1.8.1-1+deb12u1 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
python3-torch:
  Installed: (none)
  Candidate: (none)
  Version table:
tini:
  Installed: 0.19.0-1
  Candidate: 0.19.0-1
`;

test("packages that apt has no version of, or does not know, are found before anything is installed", () => {
  expect(withoutCandidate(["tini", "crun", "python3-torch", "nowhere"], policy)).toEqual([
    "python3-torch",
    "nowhere",
  ]);
  expect(withoutCandidate(["crun"], "")).toEqual(["crun"]);
});

test("the message names the packages, the distribution and what to do", () => {
  expect(unavailableMessage(["python3-torch"], "Debian GNU/Linux 11 (bullseye)")).toBe(
    "the package python3-torch is not in the package sources of this machine (Debian GNU/Linux 11 (bullseye)). Debian 12 has all; on Ubuntu some are in the component universe (`add-apt-repository universe`). Add a source that has them, or run this on Debian 12, e.g. in a container",
  );
});

/** As root without being it: the commands are noted, and run as they are. */
function noted() {
  const commands: string[][] = [];
  const privilege: Privilege = {
    kind: "sudo",
    line: () => ["true"],
    ask: (command) => void commands.push([...command]),
    interrupt: () => {},
  };
  return { commands, privilege };
}

test("a package that no source has ends the set-up after the sources were read again, before an installation", async () => {
  const { commands, privilege } = noted();
  const step = debianStep(["crosszone-no-such-package"], privilege);
  expect(await step.present()).toBeUndefined();
  await expect(step.prepare?.(() => {})).rejects.toThrow(
    /^the package crosszone-no-such-package is not in the package sources of this machine \(/,
  );
  expect(commands).toEqual([installCommand("update")]);
});

test("a user who cannot become root gets the command for an administrator", async () => {
  const step = debianStep(["crosszone-no-such-package"], undefined);
  expect(await step.present()).toBeUndefined();
  await expect(step.prepare?.(() => {})).rejects.toThrow(
    /let an administrator run as root:\n {2}sh \S+\/install-packages\.sh update$/,
  );
});
