/** What the local cloud's own commands ask a running server; open to who can read the token in the home directory. */
import type { IncomingMessage } from "node:http";
import { isSameSignature } from "../../qingcloud/signature.ts";
import type { CloudStatus } from "../status.ts";

export interface Control {
  /** Answers the command, or throws if the token is wrong. */
  answer(command: string, request: IncomingMessage): Promise<unknown>;
}

export interface Commands {
  status(): Promise<CloudStatus>;
  reset(): Promise<void>;
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
      return { error: `no such command: ${request.method} ${command}` };
    },
  };
}
