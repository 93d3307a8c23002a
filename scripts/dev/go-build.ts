/** Builds a program from its Go module, and says how far it is. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { capture, isProcess, succeed } from "./process.ts";
import { describeShare } from "./progress.ts";

interface Build {
  /** The Go tool. */
  readonly go: string;
  /** Folder of the module that names the versions. */
  readonly directory: string;
  /** The package to build. */
  readonly program: string;
  readonly flags: readonly string[];
  /** The file to make; it appears when it is whole. */
  readonly target: string;
  onProgress(text: string): void;
}

export async function buildWithGo({
  go,
  directory,
  program,
  flags,
  target,
  onProgress,
}: Build): Promise<void> {
  const folder = dirname(target);
  mkdirSync(folder, { recursive: true });
  removeAbandoned(folder);
  const partial = `${target}.${process.pid}`;
  const caches = await chooseCaches(go, folder);
  const options = {
    cwd: directory,
    env: {
      ...process.env,
      ...caches.environment,
      CGO_ENABLED: "0",
      GOFLAGS: "-buildvcs=false -mod=readonly -modcacherw",
    },
  };
  try {
    const wanted = await packagesToBuild(go, [...flags, program], options, (count) =>
      onProgress(`downloading modules, ${describeModules(count, directory)}`),
    );
    const started = performance.now();
    const seen = new Set<string>();
    const args = ["build", "-v", ...flags, "-o", partial, program];
    const built = await capture(go, args, {
      ...options,
      onErrorLine(line) {
        if (!wanted.has(line)) return;
        seen.add(line);
        const share = describeShare(seen.size, wanted.size, performance.now() - started);
        onProgress(`compiling ${wanted.size} packages, ${share}`);
      },
    });
    if (built.code !== 0)
      throw new Error(`go build ended with ${built.code}:\n${reasons(built.stderr, wanted)}`);
    renameSync(partial, target);
  } finally {
    rmSync(partial, { force: true });
    caches.remove();
  }
}

interface RunOptions {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The packages that no cache has, after their modules were downloaded. */
async function packagesToBuild(
  go: string,
  args: readonly string[],
  options: RunOptions,
  onDownload: (count: number) => void,
): Promise<Set<string>> {
  let downloaded = 0;
  const format = "{{if .Stale}}{{.ImportPath}}{{end}}";
  const { stdout } = await succeed(go, ["list", "-deps", "-f", format, ...args], {
    ...options,
    onErrorLine(line) {
      if (line.startsWith("go: downloading ")) onDownload(++downloaded);
    },
  });
  return new Set(stdout.split("\n").filter((line) => line !== ""));
}

/** Go's own list has two lines for a module whose files are used. */
function describeModules(count: number, directory: string): string {
  const file = join(directory, "go.sum");
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  const total = lines.filter((line) => / h1:/.test(line) && !line.includes("/go.mod h1:")).length;
  return total < count ? String(count) : `${count} of about ${total}`;
}

/** The last lines of what go printed, without the names of packages. */
function reasons(stderr: string, packages: ReadonlySet<string>): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !packages.has(line));
  return lines.slice(-15).join("\n");
}

interface Caches {
  readonly environment: Readonly<Record<string, string>>;
  remove(): void;
}

/** The user's caches where they exist; else folders of this run, which take gigabytes and are removed. */
async function chooseCaches(go: string, folder: string): Promise<Caches> {
  const names = ["GOCACHE", "GOMODCACHE"] as const;
  const { stdout } = await succeed(go, ["env", ...names]);
  const places = stdout.split("\n");
  const absent = names.filter((_, index) => isAbsent(places[index] ?? ""));
  if (absent.length === 0) return { environment: {}, remove: () => {} };
  const own = mkdtempSync(join(folder, `${ownPrefix}${process.pid}-`));
  return {
    environment: Object.fromEntries(absent.map((name) => [name, join(own, name)])),
    remove: () => rmSync(own, { recursive: true, force: true, maxRetries: 10 }),
  };
}

const ownPrefix = "go-caches-";

/** Whether a cache was never used. Go's tool puts a README into a new one. */
function isAbsent(cache: string): boolean {
  if (cache === "off" || !existsSync(cache)) return true;
  return readdirSync(cache).every((name) => name === "README" || name === "trim.txt");
}

/** Folders of runs that were killed. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder)) {
    const [, pid] = new RegExp(`^${ownPrefix}(\\d+)-`).exec(name) ?? [];
    if (pid !== undefined && !isProcess(Number(pid))) {
      rmSync(join(folder, name), { recursive: true, force: true });
    }
  }
}
