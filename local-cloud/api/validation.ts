/** Checks parameters against an action's description and says in the API's words what is wrong. */
import type { z } from "zod";
import type { Action } from "../../qingcloud/action.ts";
import type { Parameters } from "../../qingcloud/signature.ts";
import { fromParameters } from "../../qingcloud/wire.ts";
import { type ApiError, badValue, malformed, missing } from "../services/errors.ts";

/** The action's request, checked, with its defaults filled in; throws the first thing that is wrong. */
export function readRequest(action: Action, parameters: Parameters): Record<string, unknown> {
  const raw = fromParameters(action.request, parameters, clearable(action));
  const result = action.request.safeParse(raw);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw issue === undefined ? malformed("action", action.name, "readable") : toApiError(issue, raw);
}

/** Parameters that the Modify actions clear by an explicit empty value, as the official clients do. */
function clearable(action: Action): ReadonlySet<string> {
  if (!action.name.startsWith("Modify")) return new Set();
  const names = Object.keys(action.request.shape);
  return new Set(
    names.filter((name) =>
      name === "eip" ? action.name === "ModifyRouterAttributes" : /(_name|^description)$/.test(name),
    ),
  );
}

type Issue = z.core.$ZodIssue;

function toApiError(issue: Issue, raw: unknown): ApiError {
  const parameter = parameterName(issue.path);
  const given = issue.path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    raw,
  );
  if (given === undefined) return missing(parameter);
  switch (issue.code) {
    case "invalid_value":
      return badValue(parameter, given, issue.values.map(String).join(", "));
    case "invalid_union":
      return typeof given === "number"
        ? badValue(parameter, given, allowedBy(issue).join(", "))
        : malformed(parameter, given, "an integer");
    case "too_small":
      return badValue(parameter, given, `${issue.minimum} or more`);
    case "too_big":
      return badValue(parameter, given, `${issue.maximum} or less`);
    case "invalid_type":
      return malformed(
        parameter,
        given,
        issue.expected === "number" ? "an integer" : `of type ${issue.expected}`,
      );
    default:
      return malformed(parameter, given, issue.message);
  }
}

function allowedBy(issue: Extract<Issue, { code: "invalid_union" }>): string[] {
  return issue.errors
    .flat()
    .flatMap((inner) => (inner.code === "invalid_value" ? inner.values.map(String) : []));
}

/** `rules.1.priority` for the path ["rules", 0, "priority"]; a missing list is named by its first item. */
function parameterName(path: readonly PropertyKey[]): string {
  return path.map((part) => (typeof part === "number" ? part + 1 : String(part))).join(".");
}
