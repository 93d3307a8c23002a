/** Calls that make and change the statics of the table's router. The cloud's record hides most of their values. */
import { applied, type Change, type IdOf, type Told } from "./entry.ts";

const hidden = "[secret]";
const hiddenValues = ["val1", "val2", "val3"];

/** @param values names of those that are sent */
export function added(id: IdOf, values: readonly string[]): readonly Change[] {
  const names = ["static_type", "router_static_name", ...values];
  const statics = Object.fromEntries(names.map((name) => [`statics.1.${name}`, hidden]));
  return [["AddRouterStatics", { router: id("router"), ...statics }], applied(id("router"))];
}

export function modified(id: IdOf, name: string, changes: Record<string, string>): Change {
  const sent = Object.entries(changes).map(([key, value]) => [
    key,
    hiddenValues.includes(key) ? hidden : value,
  ]);
  return ["ModifyRouterStaticAttributes", { router_static: id(name), ...Object.fromEntries(sent) }];
}

export const changed = (name: string, changes: Record<string, string>) => (id: IdOf) => [
  modified(id, name, changes),
  applied(id("router")),
];

export const toldOf =
  (name: string, expected: Record<string, unknown>) =>
  (id: IdOf): Told => ({
    action: "DescribeRouterStatics",
    set: "router_static_set",
    parameters: { "router_statics.1": id(name) },
    expected: { ...expected, is_applied: 1 },
  });

export const byHand = (name: string, changes: Record<string, string>) => (id: IdOf) => [
  ["ModifyRouterStaticAttributes", { router_static: id(name), ...changes }] as const,
  applied(id("router")),
];

export const deleted = (name: string) => (id: IdOf) => [
  ["DeleteRouterStatics", { "router_statics.1": id(name) }] as const,
  applied(id("router")),
];

export const otherRouter = {
  what: "another router",
  to: (id: IdOf) => ({ vpcId: id("bare-router") }),
  diff: { vpcId: "UPDATE_REPLACE" },
};

export const renamed = (name: string) => ({
  what: "another name",
  to: () => ({ name: `${name} 2` }),
  diff: { name: "UPDATE" },
  // A name carries no packets, so nothing is applied.
  calls: (id: IdOf) => [modified(id, name, { router_static_name: `${name} 2` })],
});
