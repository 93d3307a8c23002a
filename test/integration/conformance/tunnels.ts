/** Entries: tunnels. */
import { type Entry, nameAlone, named } from "./entry.ts";
import { added, byHand, changed, deleted, otherRouter, renamed, toldOf } from "./static-calls.ts";

const keys = ["hidden-preshared-key-1", "hidden-preshared-key-2"] as const;
/** What must be nowhere in clear. */
export const tunnelSecrets: readonly string[] = keys;

const ipsecValues = (remote: string, key: string, id: string, algorithm = "aes") =>
  [remote, algorithm, key, id].join("|");

export const tunnelEntries: readonly Entry[] = [
  {
    ...nameAlone("tunnel"),
    type: "cloud:IpsecTunnel",
    name: "tunnel",
    inputs: (id) => ({
      ...named("tunnel"),
      vpcId: id("router"),
      remoteAddress: "198.51.100.10",
      remoteId: "%any",
      presharedKey: keys[0],
      localNetworks: ["192.168.1.0/24", "192.168.3.0/24"],
      targetNetworks: ["192.168.2.0/24"],
    }),
    defaults: { algorithm: "aes", mode: "main" },
    unknowns: ["vpcId", "remoteAddress", "presharedKey"],
    secrets: ["presharedKey"],
    created: (id) => added(id, ["val1", "val2", "val3", "val4"]),
    told: toldOf("tunnel", {
      static_type: 7,
      val1: ipsecValues("198.51.100.10", keys[0], "%any"),
      val2: "192.168.1.0/24|192.168.3.0/24",
      val3: "192.168.2.0/24",
      val4: "main",
    }),
    steps: [
      otherRouter,
      renamed("tunnel"),
      {
        what: "another peer, key and mode, one network less",
        to: () => ({
          remoteAddress: "198.51.100.11",
          presharedKey: keys[1],
          localNetworks: ["192.168.1.0/24"],
          mode: "aggrmode",
        }),
        diff: {
          remoteAddress: "UPDATE",
          presharedKey: "UPDATE",
          "localNetworks[1]": "DELETE",
          mode: "UPDATE",
        },
        calls: changed("tunnel", { val1: "", val2: "", val3: "", val4: "aggrmode" }),
        told: toldOf("tunnel", {
          val1: ipsecValues("198.51.100.11", keys[1], "%any"),
          val2: "192.168.1.0/24",
          val4: "aggrmode",
        }),
      },
      {
        what: "no remote id, another algorithm and target",
        to: () => ({ remoteId: undefined, algorithm: "3des", targetNetworks: ["192.168.4.0/24"] }),
        diff: { remoteId: "DELETE", algorithm: "UPDATE", "targetNetworks[0]": "UPDATE" },
        calls: changed("tunnel", { val1: "", val2: "", val3: "", val4: "aggrmode" }),
        told: toldOf("tunnel", {
          val1: ipsecValues("198.51.100.11", keys[1], "198.51.100.11", "3des"),
          val3: "192.168.4.0/24",
        }),
      },
    ],
    drifts: [
      {
        what: "key and networks",
        by: byHand("tunnel", {
          val1: ipsecValues("198.51.100.11", keys[0], "198.51.100.11", "3des"),
          val3: "192.168.5.0/24",
        }),
        found: () => ({ presharedKey: keys[0], targetNetworks: ["192.168.5.0/24"] }),
        calls: changed("tunnel", { val1: "", val2: "", val3: "", val4: "aggrmode" }),
      },
    ],
    deleted: deleted("tunnel"),
  },
  {
    ...nameAlone("gre"),
    type: "cloud:GreTunnel",
    name: "gre",
    inputs: (id) => ({
      ...named("gre"),
      vpcId: id("router"),
      remoteAddress: "198.51.100.10",
      key: 7,
      localAddress: "10.254.1.2",
      peerAddress: "10.254.1.3",
      targetNetworks: ["192.168.20.0/24"],
    }),
    unknowns: ["vpcId", "remoteAddress"],
    created: (id) => added(id, ["val1", "val2"]),
    told: toldOf("gre", {
      static_type: 6,
      val1: "198.51.100.10|7|10.254.1.2|10.254.1.3",
      val2: "192.168.20.0/24",
    }),
    steps: [
      otherRouter,
      renamed("gre"),
      {
        what: "no key",
        to: () => ({ key: undefined }),
        diff: { key: "DELETE" },
        calls: changed("gre", { val1: "", val2: "" }),
        told: toldOf("gre", { val1: "198.51.100.10||10.254.1.2|10.254.1.3" }),
      },
      {
        what: "another peer, other addresses, one target more",
        to: () => ({
          remoteAddress: "198.51.100.11",
          localAddress: "10.254.2.2",
          peerAddress: "10.254.2.3",
          targetNetworks: ["192.168.20.0/24", "192.168.21.0/24"],
        }),
        diff: {
          remoteAddress: "UPDATE",
          localAddress: "UPDATE",
          peerAddress: "UPDATE",
          "targetNetworks[1]": "ADD",
        },
        calls: changed("gre", { val1: "", val2: "" }),
        told: toldOf("gre", {
          val1: "198.51.100.11||10.254.2.2|10.254.2.3",
          val2: "192.168.20.0/24|192.168.21.0/24",
        }),
      },
    ],
    drifts: [
      {
        what: "key",
        by: byHand("gre", { val1: "198.51.100.11|9|10.254.2.2|10.254.2.3" }),
        found: () => ({ key: 9 }),
        calls: changed("gre", { val1: "", val2: "" }),
      },
    ],
    deleted: deleted("gre"),
  },
];
