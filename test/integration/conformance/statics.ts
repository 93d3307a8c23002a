/** Entries: statics that are no tunnels. */
import { type Entry, nameAlone, named } from "./entry.ts";
import { added, byHand, changed, deleted, otherRouter, renamed, toldOf } from "./static-calls.ts";

const password = "someone:hidden-password";
/** What must be nowhere in clear. */
export const staticSecrets: readonly string[] = [password];

export const staticEntries: readonly Entry[] = [
  {
    ...nameAlone("ssh"),
    type: "cloud:PortForward",
    name: "ssh",
    inputs: (id) => ({
      ...named("ssh"),
      vpcId: id("router"),
      sourcePort: 2201,
      targetAddress: "192.168.1.2",
      targetPort: 22,
    }),
    defaults: { protocol: "tcp" },
    unknowns: ["vpcId", "targetAddress"],
    created: (id) => added(id, ["val1", "val2", "val3", "val4"]),
    told: toldOf("ssh", { static_type: 1, val1: "2201", val2: "192.168.1.2", val3: "22", val4: "tcp" }),
    steps: [
      otherRouter,
      renamed("ssh"),
      {
        what: "other ports and another protocol",
        to: () => ({ protocol: "udp", sourcePort: 2202, targetPort: 2022 }),
        diff: { protocol: "UPDATE", sourcePort: "UPDATE", targetPort: "UPDATE" },
        calls: changed("ssh", { val1: "2202", val2: "192.168.1.2", val3: "2022", val4: "udp" }),
        told: toldOf("ssh", { val1: "2202", val3: "2022", val4: "udp" }),
      },
      {
        what: "another target and name",
        to: () => ({ targetAddress: "192.168.1.3", name: "ssh 3" }),
        diff: { targetAddress: "UPDATE", name: "UPDATE" },
        calls: changed("ssh", { router_static_name: "ssh 3", val1: "", val2: "", val3: "", val4: "udp" }),
        told: toldOf("ssh", { val2: "192.168.1.3", router_static_name: "ssh 3" }),
      },
    ],
    drifts: [
      {
        what: "port and name",
        by: byHand("ssh", { val1: "2299", router_static_name: "by hand" }),
        found: () => ({ sourcePort: 2299, name: "by hand" }),
        calls: changed("ssh", { router_static_name: "ssh 3", val1: "", val2: "", val3: "", val4: "udp" }),
      },
    ],
    deleted: deleted("ssh"),
  },
  {
    ...nameAlone("dns"),
    type: "cloud:RouterStatic",
    name: "dns",
    inputs: (id) => ({
      ...named("dns"),
      vpcId: id("router"),
      type: 8,
      val1: "node-1.example",
      val2: "192.168.1.2;192.168.1.3",
    }),
    unknowns: ["vpcId", "val2"],
    created: (id) => added(id, ["val1", "val2"]),
    told: toldOf("dns", { static_type: 8, val1: "node-1.example", val2: "192.168.1.2;192.168.1.3" }),
    steps: [
      otherRouter,
      renamed("dns"),
      {
        what: "another type",
        to: () => ({ type: 5, val3: "192.168.1.9", val4: "80", val5: "1", val6: "drop" }),
        diff: { type: "UPDATE_REPLACE", val3: "ADD", val4: "ADD", val5: "ADD", val6: "ADD" },
      },
      {
        what: "a vxnet",
        to: (id) => ({ vxnetId: id("subnet") }),
        diff: { vxnetId: "ADD_REPLACE" },
      },
      {
        what: "a value less",
        to: () => ({ val2: undefined }),
        // The API takes no value away.
        diff: { val2: "DELETE_REPLACE" },
      },
      {
        what: "other values",
        to: () => ({ val1: "node-2.example", val2: "192.168.1.3" }),
        diff: { val1: "UPDATE", val2: "UPDATE" },
        calls: changed("dns", { val1: "", val2: "" }),
        told: toldOf("dns", { val1: "node-2.example", val2: "192.168.1.3" }),
      },
    ],
    drifts: [
      {
        what: "address",
        by: byHand("dns", { val2: "192.168.1.9" }),
        found: () => ({ val2: "192.168.1.9" }),
        calls: changed("dns", { val1: "", val2: "" }),
      },
    ],
    deleted: deleted("dns"),
  },
  {
    ...nameAlone("vpn"),
    type: "cloud:RouterStatic",
    name: "vpn",
    inputs: (id) => ({
      ...named("vpn"),
      vpcId: id("router"),
      type: 2,
      val1: "pptp",
      val2: password,
      val3: "10",
      val4: "10.0.0.0/24",
    }),
    unknowns: ["val2"],
    secrets: ["val2", "val3"],
    created: (id) => added(id, ["val1", "val2", "val3", "val4"]),
    told: toldOf("vpn", { static_type: 2, val1: "pptp", val2: password, val3: "10", val4: "10.0.0.0/24" }),
    steps: [
      {
        what: "another password",
        to: () => ({ val2: `${password}-2` }),
        diff: { val2: "UPDATE" },
        calls: changed("vpn", { val1: "", val2: "", val3: "", val4: "10.0.0.0/24" }),
        told: toldOf("vpn", { val2: `${password}-2` }),
      },
    ],
    drifts: [
      {
        what: "password",
        by: byHand("vpn", { val2: password }),
        found: () => ({ val2: password }),
        calls: changed("vpn", { val1: "", val2: "", val3: "", val4: "10.0.0.0/24" }),
      },
    ],
    deleted: deleted("vpn"),
  },
];
