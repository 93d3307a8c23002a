/** Credentials and endpoint, from where the official clients keep them. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parse, YAMLParseError } from "yaml";
import { z } from "zod";

export interface Profile {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** URL with the path that is signed, e.g. `https://api.qingcloud.com:443/iaas/`. */
  readonly endpoint: URL;
  /** Where a resource goes that names no zone. */
  readonly zone: string | undefined;
  /** Where the credentials came from, for messages. */
  readonly source: string;
}

export interface ProfileOptions {
  /** Path of the configuration file; default `~/.qingcloud/config.yaml`. */
  readonly configFile?: string | undefined;
  /** Section of the file; without one, the file's top level, as the official clients read it. */
  readonly profile?: string | undefined;
  readonly endpoint?: string | undefined;
  /** Default the file's. */
  readonly zone?: string | undefined;
  /** Directory that a relative `configFile` starts from. */
  readonly directory?: string;
}

const section = z.looseObject({
  qy_access_key_id: z.string().min(1),
  qy_secret_access_key: z.string().min(1),
  zone: z.string().optional(),
  host: z.string().default("api.qingcloud.com"),
  port: z.coerce.number().int().min(1).max(65535).default(443),
  protocol: z.enum(["http", "https"]).default("https"),
  uri: z.string().default("/iaas/"),
});

/**
 * Reads a profile. QINGCLOUD_ACCESS_KEY_ID, QINGCLOUD_SECRET_ACCESS_KEY, QINGCLOUD_ZONE and QINGCLOUD_ENDPOINT
 * override the file; with both keys in the environment no file is needed.
 * @throws Error that says what is missing, where it was looked for and what to do
 */
export function readProfile(
  options: ProfileOptions,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Profile {
  const path = resolve(
    options.directory ?? process.cwd(),
    options.configFile ?? join(homedir(), ".qingcloud", "config.yaml"),
  );
  const keyId = environment.QINGCLOUD_ACCESS_KEY_ID;
  const secret = environment.QINGCLOUD_SECRET_ACCESS_KEY;
  const fromEnvironment = {
    ...(keyId && { qy_access_key_id: keyId }),
    ...(secret && { qy_secret_access_key: secret }),
  };
  const given = keyId && secret && options.configFile === undefined ? {} : readSection(path, options.profile);
  const parsed = section.safeParse({ ...given, ...fromEnvironment });
  if (!parsed.success) {
    const problems = parsed.error.issues
      .map((issue) => `${issue.path.join(".")}: ${issue.message}`)
      .join("; ");
    throw new Error(
      `The QingCloud configuration ${path} is not usable: ${problems}. It needs qy_access_key_id and qy_secret_access_key; host, port, protocol and zone are optional.`,
    );
  }
  const { host, port, protocol, uri, zone } = parsed.data;
  return {
    accessKeyId: parsed.data.qy_access_key_id,
    secretAccessKey: parsed.data.qy_secret_access_key,
    endpoint: parseEndpoint(
      environment.QINGCLOUD_ENDPOINT ?? options.endpoint ?? `${protocol}://${host}:${port}${uri}`,
    ),
    zone: environment.QINGCLOUD_ZONE ?? options.zone ?? zone,
    source: [
      ...(keyId && secret ? [] : [path]),
      ...(keyId ? ["QINGCLOUD_ACCESS_KEY_ID"] : []),
      ...(secret ? ["QINGCLOUD_SECRET_ACCESS_KEY"] : []),
    ].join(" and "),
  };
}

function parseEndpoint(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw new Error(
      `The endpoint "${text}" is not a URL. Give one such as https://api.qingcloud.com:443/iaas/.`,
    );
  }
  return url;
}

function readSection(path: string, profile: string | undefined): Readonly<Record<string, unknown>> {
  let content: unknown;
  try {
    // Its warnings would show the lines that they are about, which hold secrets.
    content = parse(readFileSync(path, "utf8"), { logLevel: "error" });
  } catch (error) {
    throw new Error(
      `The QingCloud configuration ${path} cannot be read (${reasonOf(error)}). Make it as the official client does, name another by qingcloud:configFile, or set QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY.`,
    );
  }
  const sections = isRecord(content) ? content : {};
  if (profile === undefined) return sections;
  const found = sections[profile];
  if (!isRecord(found)) {
    const names = Object.keys(sections).filter((name) => isRecord(sections[name]));
    throw new Error(
      `The QingCloud configuration ${path} has no section "${profile}"; it has ${names.join(", ") || "none"}.`,
    );
  }
  return found;
}

/** The messages of the YAML parser show the lines that they are about, which hold secrets. */
function reasonOf(error: unknown): string {
  if (error instanceof YAMLParseError) {
    const [from] = error.linePos ?? [];
    const where = from === undefined ? "" : ` at line ${from.line}, column ${from.col}`;
    return `it is no YAML: ${error.code}${where}`;
  }
  return error instanceof Error && "code" in error ? error.message : "it is no YAML";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
