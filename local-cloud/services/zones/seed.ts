/** What every zone has from the start: the base network and the default security group. */
import type { SecurityGroupRule } from "../../store/resources.ts";
import type { Store } from "../../store/store.ts";
import { newId } from "../context.ts";
import { seedIntranet } from "./intranet.ts";
import { zones } from "./zones.ts";

/** Puts what is missing of it into the state. */
export function seed(store: Store): void {
  store.transaction(() => {
    for (const { id: zone } of zones) {
      const common = { zone, description: "", createTime: Date.now(), tagIds: [] };
      if (store.get("vxnet", zone, "vxnet-0") === undefined) {
        store.put({ kind: "vxnet", id: "vxnet-0", name: "vxnet-0", vxnetType: 2, ...common });
      }
      if (!store.list("security_group", zone).some(({ isDefault }) => isDefault)) {
        const rules = [rule("icmp", ""), rule("tcp", "22")];
        store.put({
          kind: "security_group",
          id: newId("sg"),
          name: "default security group",
          isDefault: true,
          rules,
          revision: 1,
          applied: { revision: 1, rules },
          ...common,
        });
      }
    }
    seedIntranet(store);
  });
}

function rule(protocol: "icmp" | "tcp", port: string): SecurityGroupRule {
  return {
    id: newId("sgr"),
    name: "",
    protocol,
    priority: 1,
    action: "accept",
    direction: 0,
    val1: port,
    val2: port,
    val3: "",
  };
}
