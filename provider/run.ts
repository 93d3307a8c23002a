/** State that the RPCs of one run of the engine share. */
import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../qingcloud/errors.ts";
import { BehindFile } from "./behind-file.ts";
import { secretsOf } from "./checks.ts";
import { isContinuing, isPartial, isWholeDestroy } from "./engine-command.ts";
import { settle, unfinished } from "./half-made.ts";
import { type Begin, type Operation, Operations } from "./operations.ts";
import { secretTexts } from "./redaction.ts";
import type { AnyResource, Context, Created } from "./resource.ts";
import type { EngineLog } from "./rpc/engine.ts";
import type { Properties } from "./rpc/values.ts";
import type { Session } from "./session.ts";
import { Strays } from "./strays.ts";

/** How long it may take to find out whether a failed create left something. */
const goneTimeoutSeconds = 10;

type Beginning = Omit<Begin, "session" | "engine" | "secrets" | "outdating">;

export interface RunOptions {
  /** Arguments of the CLI's command line. */
  cliArguments(): readonly string[];
  /** Path; default that of the environment. */
  readonly behindFile?: string | undefined;
}

export class Run {
  readonly operations = new Operations();
  readonly behind: BehindFile;
  engine: EngineLog | undefined;
  /** Undefined until it is configured. */
  session: Session | undefined;
  readonly #cliArguments: () => readonly string[];
  #isDestroy: boolean | undefined;
  /** By URN and id, the inputs in state of what a refresh has read. */
  readonly #refreshed = new Map<string, Properties>();
  /** URNs whose losses their user has been warned of. */
  readonly #losses = new Set<string>();

  constructor({ cliArguments, behindFile }: RunOptions) {
    this.#cliArguments = cliArguments;
    this.behind = new BehindFile(behindFile);
  }

  /** @throws Error before it is configured */
  ready(): Session {
    if (this.session === undefined)
      throw new Error("The provider was asked to work before it was configured.");
    return this.session;
  }

  /**
   * @param definition undefined of a function
   * @param properties the resource's, whose secrets no message may show
   */
  begin(
    definition: AnyResource | undefined,
    begin: Beginning,
    ...properties: readonly Properties[]
  ): Operation {
    const secrets =
      definition === undefined
        ? []
        : properties.flatMap((each) =>
            [...secretsOf(definition, each)].flatMap((name) => secretTexts(each[name])),
          );
    const outdating = () => this.behind.write();
    return this.operations.begin({
      ...begin,
      session: this.ready(),
      engine: this.engine,
      secrets,
      outdating,
    });
  }

  /** Creates, or finishes what an interrupted create left; once the cloud has made it, a failure keeps it in state. */
  async finish(definition: AnyResource, begin: Beginning, inputs: Properties): Promise<Created<Properties>> {
    const session = this.ready();
    session.hasBuilt = true;
    const { urn, halfMadeId } = begin;
    const operation = this.begin(definition, begin, inputs);
    try {
      const made = await operation.run(async (context) => {
        const created = await definition.create(context, inputs);
        return operation.isAdopted ? await settle(definition, context, created, inputs) : created;
      });
      session.meet(urn, made.id, true, { inputs, outputs: made.outputs });
      return made;
    } catch (error) {
      const id = operation.madeId ?? halfMadeId;
      if (id === undefined) throw error;
      if (await this.#isGone(definition, urn, id, inputs)) {
        if (halfMadeId === undefined) throw error;
        throw new Error(
          `${messageOf(error)} What an earlier run began (${id}) is gone: run \`up --refresh\`.`,
        );
      }
      session.meet(urn, id, true, { inputs, outputs: {} });
      throw unfinished(definition, id, inputs, messageOf(error));
    }
  }

  /** A failed create that left nothing needs no place in state. Not asked after Ctrl-C: then it is kept. */
  async #isGone(definition: AnyResource, urn: string, id: string, inputs: Properties): Promise<boolean> {
    if (this.operations.isCancelled) return false;
    const operation = this.begin(definition, { urn, timeoutSeconds: goneTimeoutSeconds }, inputs);
    return await operation
      .run((context) => definition.read(context, id, { inputs, outputs: {} }))
      .then(
        (found) => found === undefined,
        () => false,
      );
  }

  refreshed(urn: string, id: string, inputs: Properties): void {
    this.#refreshed.set(`${urn} ${id}`, inputs);
  }

  /**
   * Whether a comparison is that of a refresh with the state, right after its read: no wish of the program's, and a destroy
   * may follow. Source: pulumi/pulumi, pkg/resource/deploy/step.go, RefreshStep.
   */
  isOfRefresh(urn: string, id: string, news: Properties): boolean {
    const key = `${urn} ${id}`;
    const inputs = this.#refreshed.get(key);
    this.#refreshed.delete(key);
    return inputs !== undefined && isDeepStrictEqual(inputs, news);
  }

  /** Once in a run: an engine that deletes first asks twice. */
  warnOfLoss({ lost }: AnyResource, urn: string, id: string): void {
    if (lost === undefined || this.#losses.has(urn)) return;
    this.#losses.add(urn);
    this.engine?.log("warning", urn, `${id} is replaced: ${lost}.`);
  }

  /** @param mark `value` of the StackMark; of other values there is nothing to remove */
  withStrays(context: Context, definitions: readonly AnyResource[], mark: unknown): Context {
    if (typeof mark !== "string") return context;
    this.#isDestroy ??= isWholeDestroy(this.#cliArguments());
    const isEnding = this.#isDestroy && !this.ready().hasBuilt;
    const isPart = isPartial(this.#cliArguments()) || isContinuing(this.#cliArguments());
    return { ...context, strays: new Strays(context, { definitions, mark, isEnding, isPart }) };
  }
}
