/** What the local cloud's own commands ask a running server; open to who can read the token in the home directory. */
import type { IncomingMessage } from "node:http";
import { isSameSignature } from "../../qingcloud/signature.ts";
import { FaultError, type Faults } from "../services/faults.ts";
import type { CloudStatus } from "../status.ts";
import { readBody } from "./body.ts";

export interface Control {
  /** Answers the command, or throws if the token is wrong. */
  answer(command: string, request: IncomingMessage): Promise<unknown>;
}

export interface Commands {
  status(): Promise<CloudStatus>;
  reset(): Promise<void>;
  readonly faults: Faults;
}

/** @param token what `Authorization: Bearer …` must hold */
export function createControl(token: string, commands: Commands): Control {
  return {
    async answer(command, request) {
      if (!isSameSignature(`Bearer ${token}`, request.headers.authorization ?? "")) {
        return { error: "the token in the home directory of the local cloud is needed" };
      }
      if (command === "ping") return { pid: process.pid };
      if (command === "status" && request.method === "GET") return await commands.status();
      if (command === "reset" && request.method === "POST") {
        await commands.reset();
        return { done: true };
      }
      if (command === "faults") return await answerFaults(commands.faults, request);
      return { error: `no such command: ${request.method} ${command}` };
    },
  };
}

async function answerFaults(faults: Faults, request: IncomingMessage): Promise<unknown> {
  if (request.method === "GET") return { faults: faults.list() };
  if (request.method === "DELETE") {
    faults.clear();
    return { faults: faults.list() };
  }
  if (request.method !== "POST") return { error: `no such command: ${request.method} faults` };
  try {
    return { fault: faults.add(readObject(await readBody(request))) };
  } catch (error) {
    if (error instanceof FaultError) return { error: error.message };
    throw error;
  }
}

function readObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === "object" && value !== null) return value as Readonly<Record<string, unknown>>;
  throw new FaultError("a fault must be a JSON object with action and kind");
}
