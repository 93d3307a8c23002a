/** What val1 to val3 of a security group rule mean, by protocol. */
import type { RulePicture } from "../../network/picture.ts";
import type { SecurityGroupRule } from "../../store/resources.ts";
import { parseAddress, parseNetwork } from "../addresses.ts";
import { badValue } from "../errors.ts";

type Values = Pick<SecurityGroupRule, "protocol" | "val1" | "val2" | "val3">;

/** @param prefix what parameter names start with, e.g. `rules.1.` */
export function checkRule(rule: Values, prefix: string): void {
  const { protocol, val1, val2, val3 } = rule;
  if (protocol === "tcp" || protocol === "udp") {
    checkNumber(`${prefix}val1`, val1, 1, 65535, "a first port from 1 to 65535");
    checkNumber(`${prefix}val2`, val2, 1, 65535, "a last port from 1 to 65535");
    if (val1 !== "" && val2 !== "" && Number(val2) < Number(val1)) {
      throw badValue(`${prefix}val2`, val2, `a last port from ${val1} to 65535`);
    }
    if (val1 === "" && val2 !== "")
      throw badValue(`${prefix}val1`, val1, "a first port, as there is a last one");
  } else if (protocol === "icmp") {
    checkNumber(`${prefix}val1`, val1, 0, 255, "an ICMP type from 0 to 255");
    checkNumber(`${prefix}val2`, val2, 0, 255, "an ICMP code from 0 to 255");
  }
  if (val3 !== "" && parseAddress(val3) === undefined && parseNetwork(val3) === undefined) {
    throw badValue(`${prefix}val3`, val3, "an IPv4 address or network such as 203.0.113.0/24");
  }
}

function checkNumber(parameter: string, text: string, from: number, to: number, allowed: string): void {
  if (text === "") return;
  if (!/^\d{1,5}$/.test(text) || Number(text) < from || Number(text) > to) {
    throw badValue(parameter, text, allowed);
  }
}

/** The rule as the data plane needs it. */
export function toRulePicture(rule: SecurityGroupRule): RulePicture {
  const { protocol, priority, action, val1, val2, val3 } = rule;
  const hasRange = protocol === "tcp" || protocol === "udp" || protocol === "icmp";
  const last = val2 === "" && protocol !== "icmp" ? val1 : val2;
  return {
    protocol,
    priority,
    action,
    ...(hasRange && val1 !== "" ? { from: Number(val1) } : {}),
    ...(hasRange && last !== "" ? { to: Number(last) } : {}),
    ...(val3 === "" ? {} : { network: val3.includes("/") ? val3 : `${val3}/32` }),
  };
}
