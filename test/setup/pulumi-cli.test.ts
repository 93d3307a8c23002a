/** Which Pulumi CLI a machine gets: the user's, an official release, or one that is built. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { cliStep, isNewEnough, isOfficial } from "../../scripts/dev/pulumi-cli.ts";
import { downloadCli } from "../../scripts/dev/releases.ts";
import type { Report } from "../../scripts/dev/steps.ts";
import type { Workspace } from "../../scripts/dev/workspace.ts";
import { startProcess, waitForText } from "../harness/process.ts";
import { PulumiServer, writeCli } from "./pulumi-server.ts";

const version = packageJson.dependencies["@pulumi/pulumi"];
let directory: string;
let workspace: Workspace;
let server: PulumiServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "crosszone-cli-"));
  const root = join(import.meta.dirname, "..", "..");
  workspace = { root, pulumi: join(directory, ".pulumi"), cloud: join(directory, "cloud"), stack: "dev" };
  vi.stubEnv("PATH", "/usr/bin:/bin");
  // Nothing answers there: a mirror on this machine is asked without the user's proxy.
  for (const name of ["http_proxy", "https_proxy"]) vi.stubEnv(name, "http://127.0.0.1:9");
  vi.stubEnv("XDG_CACHE_HOME", join(directory, "cache"));
  server = await PulumiServer.start(join(directory, "release"), version);
  vi.stubEnv("CROSSZONE_PULUMI_RELEASES", `${server.address}/`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

const link = () => readlinkSync(join(workspace.pulumi, "bin", "pulumi"));
const cache = () => {
  const folder = join(directory, "cache", "crosszone");
  return existsSync(folder) ? readdirSync(folder) : [];
};
const silent: Report = { say: () => {}, progress: () => {} };
/** Keeps what a step says. */
const keep = () => {
  const [said, progress]: [string[], string[]] = [[], []];
  const report: Report = { say: (text) => said.push(text), progress: (text) => progress.push(text) };
  return { said, progress, report };
};

describe("a CLI of PATH", () => {
  test.each([
    [version, true],
    ["3.256.1", true],
    ["3.300.0", true],
    ["3.257.0-alpha.1+abc", true],
    ["3.255.9", false],
    ["2.999.0", false],
    ["4.0.0", false],
  ])("of version %s fits: %s", (given, fits) => {
    expect(isNewEnough(given, "3.256.0")).toBe(fits);
  });

  test("is used where it lies, if it is newer than the SDK and has its language host; nothing is downloaded", async () => {
    const [old, newer] = [join(directory, "old"), join(directory, "newer")];
    writeCli(old, "3.100.0");
    const cli = writeCli(newer, "3.999.1");
    vi.stubEnv("PATH", `${old}:${newer}:/usr/bin:/bin`);
    expect(await cliStep(workspace).present()).toBe(`3.999.1 of PATH, ${cli}`);
    expect([link(), isOfficial(workspace)]).toEqual([cli, true]);
    expect(server.requests).toEqual([]);
  });

  test("without a language host gets the one of this project next to it", async () => {
    const cli = writeCli(join(directory, "alone"), "3.999.1", { host: false });
    vi.stubEnv("PATH", `${join(directory, "alone")}:/usr/bin:/bin`);
    expect(await cliStep(workspace).present()).toBe(`3.999.1 of PATH, ${cli}`);
    const bin = join(workspace.pulumi, "bin");
    expect(readdirSync(bin).sort()).toEqual(["pulumi", "pulumi-language-nodejs"]);
    expect(readFileSync(join(bin, "pulumi-language-nodejs"), "utf8")).toBe(
      `#!/bin/sh\nCROSSZONE_NODE="${process.execPath}" exec "${workspace.root}/toolchain/start" toolchain/language-host/main.ts "$@"\n`,
    );
    expect(isOfficial(workspace)).toBe(false);
  });

  test("that is older, or prints no version, is reported and left alone", async () => {
    const old = writeCli(join(directory, "old"), "3.100.0");
    mkdirSync(join(directory, "broken"));
    writeFileSync(join(directory, "broken", "pulumi"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    vi.stubEnv("PATH", `${join(directory, "broken")}:${join(directory, "old")}:/usr/bin:/bin`);
    const step = cliStep(workspace);
    expect(await step.present()).toBeUndefined();
    await step.make(silent);
    expect(await step.present()).toContain(`; ${old} is 3.100.0, older than the SDK`);
  });
});

describe("the official release", () => {
  test("is downloaded where its server answers, verified, unpacked into the cache, and used from there", async () => {
    const step = cliStep(workspace);
    expect(await step.present()).toBeUndefined();
    const folder = join(directory, "cache", "crosszone", `pulumi-${version}-official`);
    const { progress, report } = keep();
    expect(await step.make(report)).toBe(`${version}, the official release, kept in ${folder}`);
    expect(progress.at(-1)).toBe("downloading, 100 %");
    expect([link(), isOfficial(workspace)]).toEqual([join(folder, "pulumi"), true]);
    expect(cache()).toEqual([`pulumi-${version}-official`]);
    const asked = server.requests.length;
    expect(await step.present()).toContain("the official release in the cache");
    expect(server.requests.length).toBe(asked);
  });

  test.each([
    ["is broken off", "half", /could not be downloaded: (terminated|other side closed|aborted)/],
    [
      "is another file than its release says",
      "other",
      /has SHA-256 [0-9a-f]{64}, its release says [0-9a-f]{64}: not used/,
    ],
    ["does not answer within 3 s", "nothing", /could not be downloaded: no answer within 3 s/],
  ] as const)("that %s is not used, and nothing of it stays", async (_, sends, message) => {
    server.sends = sends;
    const folder = join(directory, "cache", "crosszone", "release");
    await expect(downloadCli(version, folder)).rejects.toThrow(message);
    expect(cache()).toEqual([]);
  });

  test("that cannot be reached, or has no such version or platform, is reported with its address", async () => {
    const folder = join(directory, "cache", "crosszone", "release");
    await expect(downloadCli("3.1.0", folder)).rejects.toThrow(
      `${server.address}/v3.1.0/pulumi-3.1.0-checksums.txt could not be downloaded: HTTP status 404`,
    );
    await server.stop();
    await expect(downloadCli(version, folder)).rejects.toThrow(
      /could not be downloaded: connect ECONNREFUSED/,
    );
    expect(cache()).toEqual([]);
  });
});

test("Ctrl-C in the middle of a download leaves nothing of it, and begins no build", async () => {
  server.sends = "stalls";
  const module = (name: string) => JSON.stringify(join(workspace.root, "scripts", "dev", name));
  const program = `
const { forwardSignals } = await import(${module("process.ts")});
const { cliStep } = await import(${module("pulumi-cli.ts")});
forwardSignals();
const report = { say: console.log, progress: console.log };
await cliStep(JSON.parse(process.argv[1])).make(report).catch((error) => console.log(error.message));
`;
  const flags = ["--input-type=module", "-e", program, JSON.stringify(workspace)];
  const running = startProcess(process.execPath, flags, { env: process.env });
  await waitForText(running, /downloading, \d+ %/);
  running.child.kill("SIGINT");
  const { code, stdout } = await running.ended;
  expect(code).toBe(0);
  expect(stdout.trim().split("\n").at(-1)).toBe("the download was interrupted");
  expect(cache()).toEqual([]);
});

test("where no release can be had, the CLI is built with Go, and the reason is printed; a build that fails leaves nothing half", async () => {
  server.sends = "other";
  const bin = join(directory, "go");
  mkdirSync(bin);
  // Go itself is not run here: what it is called with is what counts, and that its failure is cleaned up.
  const go = `#!/bin/sh\n[ "$1" = env ] && echo go1.26.6 && exit\n[ "$1" = list ] && echo main && exit\nwhile [ "$1" != -o ]; do shift; done\necho part > "$2"\necho "no space left on device" >&2\nexit 1\n`;
  writeFileSync(join(bin, "go"), go, { mode: 0o755 });
  vi.stubEnv("PATH", `${bin}:/usr/bin:/bin`);
  const { said, report } = keep();
  await expect(cliStep(workspace).make(report)).rejects.toThrow("no space left on device");
  expect(said.at(-1)).toMatch(/not used\. Building it from its Go module instead/);
  expect(readdirSync(join(directory, "cache", "crosszone"), { recursive: true })).toEqual([
    `pulumi-${version}`,
  ]);
});
