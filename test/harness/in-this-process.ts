/** Provider and program in this process for one command of the CLI, which would start each as a process. */
import { AttachedProvider } from "./attached-provider.ts";
import { InlineProgram } from "./inline-program.ts";

export interface InThisProcess {
  /** The command line with what leads the CLI to the program. */
  readonly line: readonly [string, ...string[]];
  /** For the CLI's environment. */
  readonly env: Readonly<Record<string, string>>;
  stop(): void;
}

interface Options {
  /** Path of the program's TypeScript; default the project's. */
  readonly entry?: string | undefined;
  /** Path of the file that says that the state may be behind. */
  readonly behindFile: string;
}

/** @param args the CLI's */
export async function inThisProcess(
  line: readonly [string, ...string[]],
  args: readonly string[],
  { entry, behindFile }: Options,
): Promise<InThisProcess> {
  const [provider, program] = await Promise.all([
    AttachedProvider.start(args, behindFile),
    InlineProgram.isFor(args) ? InlineProgram.start(entry) : undefined,
  ]);
  return {
    line: [...line, ...(program?.args ?? [])],
    env: provider.env,
    stop() {
      program?.stop();
      provider.stop();
    },
  };
}
