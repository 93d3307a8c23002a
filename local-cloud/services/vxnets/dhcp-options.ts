/** DHCP options as router statics of type 3 write them in val2. */
import type { DhcpOptionsPicture } from "../../network/picture.ts";
import { parseAddress } from "../addresses.ts";

/** A host or domain name. */
export const namePattern =
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*$/;

export interface DhcpStatic {
  readonly fixedAddress?: string;
  readonly options: DhcpOptionsPicture;
}

/** Type 3, val2; undefined where it is malformed. What has an effect is read, other keys are passed over. */
export function parseDhcp(text: string): DhcpStatic | undefined {
  const pairs = new Map<string, string>();
  for (const part of text.split(";").filter((each) => each.trim() !== "")) {
    const [, key, value] = /^\s*([a-z0-9-]+)=([^\s]+)\s*$/.exec(part) ?? [];
    if (key === undefined || value === undefined) return undefined;
    pairs.set(key, value);
  }
  const fixedAddress = pairs.get("fixed-address");
  const servers = pairs.get("domain-name-servers")?.split(",");
  const domainName = pairs.get("domain-name");
  const addresses = [...(servers ?? []), ...(fixedAddress === undefined ? [] : [fixedAddress])];
  if (pairs.size === 0 || addresses.some((address) => parseAddress(address) === undefined)) return undefined;
  if (domainName !== undefined && !namePattern.test(domainName)) return undefined;
  return {
    ...(fixedAddress === undefined ? {} : { fixedAddress }),
    options: {
      ...(servers === undefined ? {} : { domainNameServers: servers }),
      ...(domainName === undefined ? {} : { domainName }),
    },
  };
}
