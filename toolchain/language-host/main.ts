/**
 * A Pulumi language host for Node.js, for machines where the official `pulumi-language-nodejs` cannot be had.
 * It runs the program with its own Node and the SDK of the project; it must lie next to the CLI binary.
 * Source: pulumi/pulumi, sdk/nodejs/cmd/pulumi-language-nodejs/main.go.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import languageService from "@pulumi/pulumi/proto/language_grpc_pb.js";
import language from "@pulumi/pulumi/proto/language_pb.js";
import plugin from "@pulumi/pulumi/proto/plugin_pb.js";
import Empty from "google-protobuf/google/protobuf/empty_pb.js";
import { serve, unary } from "../../provider/rpc/server.ts";

/** The SDK's way to say that the program has already told its user what went wrong. */
const bailExitCode = 32;
const engineAddress = process.argv.filter((argument) => !argument.startsWith("-"))[2];
const running = new Set<ChildProcess>();

const implementation = {
  handshake: unary(() => new language.LanguageHandshakeResponse()),
  getPluginInfo: unary(() => new plugin.PluginInfo().setVersion("3.256.0")),
  getRequiredPackages: unary(() => new language.GetRequiredPackagesResponse()),
  getRequiredPlugins: unary(() => new language.GetRequiredPluginsResponse()),
  about: unary(() =>
    new language.AboutResponse().setExecutable(process.execPath).setVersion(process.version),
  ),
  run: unary(run),
  cancel: unary(() => {
    for (const child of running) child.kill("SIGTERM");
    return new Empty.Empty();
  }),
};
await serve(languageService.LanguageRuntimeService, implementation, engineAddress);

async function run(request: InstanceType<typeof language.RunRequest>) {
  const info = request.getInfo();
  const directory = info?.getProgramDirectory() || request.getPwd();
  const { runner, program } = filesOf(
    directory,
    join(directory, info?.getEntryPoint() || request.getProgram()),
  );
  const options: readonly (readonly [string, string])[] = [
    ["--monitor", request.getMonitorAddress()],
    ["--engine", engineAddress ?? ""],
    ["--organization", request.getOrganization()],
    ["--project", request.getProject()],
    ["--stack", request.getStack()],
    ["--root-directory", info?.getRootDirectory() ?? ""],
    ["--pwd", request.getPwd()],
    ["--parallel", String(request.getParallel())],
  ];
  const child = spawn(
    process.execPath,
    [
      "--require",
      join(import.meta.dirname, "end-with-engine.cjs"),
      "--require",
      join(import.meta.dirname, "on-first-use.cjs"),
      runner,
      ...options.filter(([, value]) => value !== "").flat(),
      ...(request.getDryrun() ? ["--dry-run"] : []),
      program,
      ...request.getArgsList(),
    ],
    {
      cwd: request.getPwd(),
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        PULUMI_CONFIG: JSON.stringify(Object.fromEntries(request.getConfigMap().getEntryList())),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(request.getConfigsecretkeysList()),
      },
    },
  );
  running.add(child);
  const outcome = await new Promise<{ code: number | null; error?: Error }>((resolve) => {
    child.once("error", (error) => resolve({ code: null, error }));
    child.once("close", (code) => resolve({ code }));
  });
  running.delete(child);
  const response = new language.RunResponse();
  if (outcome.code === bailExitCode) response.setBail(true);
  else if (outcome.code !== 0) {
    response.setError(
      outcome.error?.message ?? `The program ended with exit code ${outcome.code ?? "none (signal)"}`,
    );
  }
  return response;
}

/** The SDK's runner and the program; where this host is a single file that set-up has made, so are the two. */
function filesOf(directory: string, program: string): { runner: string; program: string } {
  const made = join(dirname(process.argv[1] ?? ""), "..", "..", "infra");
  const own = join(import.meta.dirname, "..", "..", "infra", "index.ts");
  if (existsSync(join(made, "run.mjs")) && existsSync(program) && realpathSync(program) === realpathSync(own))
    return { runner: join(made, "run.mjs"), program: join(made, "index.mjs") };
  return {
    runner: createRequire(join(directory, "package.json")).resolve("@pulumi/pulumi/cmd/run"),
    program,
  };
}
