/** What the local cloud's own commands ask a running server; open to who can read the token in the home directory. */
import type { IncomingMessage } from "node:http";
import { isSameSignature } from "../../qingcloud/signature.ts";
import type { Faults } from "../services/faults/faults.ts";
import { isState } from "../services/faults/kinds.ts";
import { FaultError } from "../services/faults/settings.ts";
import type { Links } from "../services/links/links.ts";
import type { CloudStatus } from "../status.ts";
import { HttpError, readBody } from "./body.ts";

export interface Control {
  /** Answers the command, or throws an HttpError. */
  answer(command: string, request: IncomingMessage): Promise<unknown>;
}

export interface Commands {
  status(): Promise<CloudStatus>;
  reset(): Promise<void>;
  /** Ends the cloud, soon after the answer. */
  end(): void;
  readonly faults: Faults;
  readonly links: Links;
  /** Waits until the data plane shows the state, or has tried. */
  inEffect(): Promise<void>;
}

/** @param token what `Authorization: Bearer …` must hold */
export function createControl(token: string, commands: Commands): Control {
  return {
    async answer(command, request) {
      if (!isSameSignature(`Bearer ${token}`, request.headers.authorization ?? "")) {
        throw new HttpError(401, "the token in the home directory of the local cloud is needed");
      }
      const [name = "", id] = command.split("/").map(decoded);
      switch (`${request.method} ${name}${id === undefined ? "" : "/ID"}`) {
        case "GET ping":
          return { pid: process.pid };
        case "GET status":
          return await commands.status();
        case "POST reset":
          await commands.reset();
          return { done: true };
        case "POST stop":
          commands.end();
          return { done: true };
        case "GET faults":
          return { faults: commands.faults.list() };
        case "POST faults": {
          const asked = readObject(
            "a fault must be a JSON object with kind and its settings",
            await readBody(request),
          );
          const fault = checked(() => commands.faults.add(asked));
          if (isState(asked.kind)) await commands.inEffect();
          return { fault };
        }
        case "DELETE faults":
        case "DELETE faults/ID":
          if (checked(() => commands.faults.clear(id))) await commands.inEffect();
          return { faults: commands.faults.list() };
        case "GET links":
          return { links: await commands.links.list() };
        case "POST links": {
          const asked = readObject(
            "a link must be a JSON object with zones and its settings",
            await readBody(request),
          );
          return { link: await commands.links.inEffect(checked(() => commands.links.set(asked))) };
        }
        default:
          throw new HttpError(404, `no such command: ${request.method} ${command}`);
      }
    },
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new HttpError(400, `${part}: is not encoded as addresses are, write % as %25`);
  }
}

function checked<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FaultError) throw new HttpError(400, error.message);
    throw error;
  }
}

/** @param wanted what it must be, for who gave something else */
function readObject(wanted: string, text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  throw new HttpError(400, `${wanted}, e.g. with curl: -d '{"NAME": VALUE}'`);
}
