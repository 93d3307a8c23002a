/** calls.jsonl: one line for every API call, without secrets. */
import { closeSync, openSync, writeSync } from "node:fs";
import { actionsByName } from "../../qingcloud/actions.ts";
import type { Parameters } from "../../qingcloud/signature.ts";

export interface Call {
  readonly time: number;
  readonly parameters: Parameters;
  readonly retCode: number;
  readonly message?: string | undefined;
  readonly milliseconds: number;
}

/** Of every request, none of them says what was asked for. */
const omitted: ReadonlySet<string> = new Set([
  "action",
  "zone",
  "signature",
  "signature_method",
  "signature_version",
  "access_key_id",
  "time_stamp",
  "version",
  "req_id",
  "expires",
  "token",
]);

/** Parameters of actions that this cloud does not know may hold secrets too; these names are kept of all actions. */
const hidden = "[secret]";

export class CallLog {
  private readonly descriptor: number;

  constructor(file: string) {
    this.descriptor = openSync(file, "a", 0o600);
  }

  /** Writes the line before the answer goes out, so that a reader finds every call it made. */
  write(call: Call): void {
    const name = call.parameters.action ?? "";
    const line = {
      time: new Date(call.time).toISOString(),
      zone: call.parameters.zone ?? "",
      action: name,
      parameters: withoutSecrets(name, call.parameters),
      ret_code: call.retCode,
      ...(call.message === undefined ? {} : { message: call.message }),
      milliseconds: Math.round(call.milliseconds * 100) / 100,
    };
    writeSync(this.descriptor, `${JSON.stringify(line)}\n`);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** The parameters that say what was asked for; of an unknown action only their names are kept. */
export function withoutSecrets(actionName: string, parameters: Parameters): Record<string, string> {
  const action = actionsByName.get(actionName);
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (omitted.has(name)) continue;
    const isSecret = action === undefined || action.secrets.includes(name.split(".")[0] ?? name);
    kept[name] = isSecret && value !== "" ? hidden : value;
  }
  return kept;
}
