/** Entries of router statics: the networks of a tunnel, the accounts of a VPN. */
import { createHash } from "node:crypto";
import type { RouterStatic, RouterStaticEntry, StaticValues } from "../../../store/resources.ts";
import { distinct, newId } from "../../context.ts";

/** Which value of a static has the networks that its entries have, by the entry's value. */
const networkValues: Readonly<Record<number, { readonly val1: "val2"; readonly val2?: "val3" } | undefined>> =
  {
    6: { val1: "val2" },
    7: { val1: "val2", val2: "val3" },
  };

/** The static's entries. In a state of an earlier version tunnels have networks without entries. */
export function entriesOf(item: RouterStatic): readonly RouterStaticEntry[] {
  return (
    item.entries ??
    withEntries(item, (network) => {
      const digest = createHash("sha256").update(`${item.id} ${network}`).digest("hex");
      return `rse-${digest.slice(0, 8)}`;
    }).entries ??
    []
  );
}

/** The static with an entry for every network of its values, those that it has had kept. */
export function withEntries(
  item: RouterStatic,
  idOf: (network: string) => string = () => newId("rse"),
): RouterStatic {
  const names = networkValues[item.staticType];
  if (names === undefined) return item;
  const before = item.entries ?? [];
  const wanted = {
    val1: distinct((item.values[names.val1] ?? "").split("|")),
    val2: names.val2 === undefined ? [] : distinct((item.values[names.val2] ?? "").split("|")),
  };
  const kept = before
    .map((entry) => ({
      ...entry,
      val1: wanted.val1.includes(entry.val1) ? entry.val1 : "",
      val2: wanted.val2.includes(entry.val2) ? entry.val2 : "",
    }))
    .filter(({ val1, val2 }) => val1 !== "" || val2 !== "");
  const added = (["val1", "val2"] as const).flatMap((name) =>
    wanted[name]
      .filter((network) => network !== "" && !kept.some((entry) => entry[name] === network))
      .map((network) => ({
        id: idOf(`${name} ${network}`),
        name: "",
        val1: "",
        val2: "",
        [name]: network,
      })),
  );
  return { ...item, entries: [...kept, ...added] };
}

/** The static with these entries, and of a tunnel with their networks as its values. */
export function replaceEntries(item: RouterStatic, entries: readonly RouterStaticEntry[]): RouterStatic {
  const names = networkValues[item.staticType];
  if (names === undefined) return { ...item, entries };
  const joined = (name: "val1" | "val2"): string =>
    distinct(entries.flatMap((entry) => (entry[name] === "" ? [] : [entry[name]]))).join("|");
  const values: StaticValues = {
    ...item.values,
    [names.val1]: joined("val1"),
    ...(names.val2 === undefined ? {} : { [names.val2]: joined("val2") }),
  };
  return { ...item, values, entries };
}
