/** The settings that make a run again, without what is nobody else's business. */
import { parse, stringify } from "yaml";

const hidden = "(not shown)";

/** Who may log in, and how, is everyone's own. */
const personal: ReadonlySet<string> = new Set(["crosszone:ssh", "crosszone:operatorCidrs"]);

/**
 * The stack's configuration as YAML: without secrets, values of the script's environment, how to log in.
 * @param text of the stack's configuration file
 */
export function shownSettings(text: string): string {
  const { config } = (parse(text) ?? {}) as { config?: Record<string, unknown> };
  const shown = Object.entries(config ?? {})
    .filter(([key]) => key.startsWith("crosszone:") && !personal.has(key))
    .map(([key, value]) => [key, key === "crosszone:training" ? training(value) : shownValue(value)]);
  return stringify({ config: Object.fromEntries(shown) }, { lineWidth: 100 }).trimEnd();
}

/** The plain values of the qingcloud provider's configuration. */
export function providerSettings(text: string): Record<string, string> {
  const { config } = (parse(text) ?? {}) as { config?: Record<string, unknown> };
  return Object.fromEntries(
    Object.entries(config ?? {}).flatMap(([key, value]) =>
      key.startsWith("qingcloud:") && typeof value === "string"
        ? [[key.slice("qingcloud:".length), value]]
        : [],
    ),
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shownValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shownValue);
  if (!isRecord(value)) return value;
  if ("secure" in value) return hidden;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shownValue(item)]));
}

function training(value: unknown): unknown {
  const shown = shownValue(value);
  if (!isRecord(shown)) return shown;
  const { script, container, ...rest } = shown;
  return {
    ...rest,
    ...(script === undefined ? {} : { script: shownScript(script) }),
    ...(container === undefined ? {} : { container: shownContainer(container) }),
  };
}

function shownScript(script: unknown): unknown {
  if (!isRecord(script)) return script;
  const { env, url } = script;
  return {
    ...script,
    ...(isRecord(env) ? { env: Object.fromEntries(Object.keys(env).map((name) => [name, hidden])) } : {}),
    ...(typeof url === "string" ? { url: withoutSecrets(url) } : {}),
  };
}

/** The address without user, password and query, any of which may hold a token. */
function withoutSecrets(address: string): string {
  const url = URL.parse(address);
  return url === null ? hidden : `${url.protocol}//${url.host}${url.pathname}`;
}

/** Options of `docker run` may set variables. */
function shownContainer(container: unknown): unknown {
  if (!isRecord(container) || !Array.isArray(container.options)) return container;
  const options = container.options.map((option: unknown, index, all: unknown[]) => {
    const isValue = all[index - 1] === "-e" || all[index - 1] === "--env";
    return String(option).replace(
      isValue ? /^([A-Za-z_]\w*)=.*$/s : /^((?:-e|--env=)[A-Za-z_]\w*)=.*$/s,
      `$1=${hidden}`,
    );
  });
  return { ...container, options };
}
