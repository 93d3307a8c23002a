/** The provider's configuration: names only; credentials are read from where they are when it is configured. */
import { z } from "zod";
import packageJson from "../package.json" with { type: "json" };
import type { Problem } from "./resource.ts";
import type { Properties } from "./rpc/values.ts";
import { Session } from "./session.ts";

export const packageVersion = packageJson.version;

export const configuration = z.strictObject({
  configFile: z
    .string()
    .optional()
    .describe("Path of the official client's config.yaml; default ~/.qingcloud/config.yaml."),
  profile: z.string().optional().describe("Section of that file; default its top level."),
  zone: z.string().optional().describe("Where a resource goes that names no zone; default the file's."),
  endpoint: z
    .string()
    .optional()
    .describe("URL of the API; default the file's, else https://api.qingcloud.com:443/iaas/."),
});

/** What the engine adds on its own. */
const engineKeys: ReadonlySet<string> = new Set(["version", "pluginDownloadURL", "pluginChecksums"]);

function own(properties: Properties): Properties {
  return Object.fromEntries(
    Object.entries(properties).filter(([name]) => !engineKeys.has(name) && !name.startsWith("__")),
  );
}

export function checkConfiguration(properties: Properties): readonly Problem[] {
  const allowed = `allowed: ${Object.keys(configuration.shape).join(", ")}. Credentials are never configuration: they are read from configFile or QINGCLOUD_ACCESS_KEY_ID and QINGCLOUD_SECRET_ACCESS_KEY.`;
  return (configuration.safeParse(own(properties)).error?.issues ?? []).flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({ property: key, reason: `qingcloud:${key} is not known; ${allowed}` }))
      : [{ property: issue.path.map(String).join("."), reason: `qingcloud: ${issue.message}; ${allowed}` }],
  );
}

/** @throws Error that says what is missing and what to do */
export function configure(properties: Properties): Session {
  return new Session(configuration.parse(own(properties)));
}
