/** Entries: EIPs, key pairs, tags. */
import { expect } from "vitest";
import { publicKeyBody } from "../../local-cloud/support.ts";
import { type Change, type Entry, nameAlone, named, zone } from "./entry.ts";

const publicKey = `ssh-ed25519 ${publicKeyBody}`;
const otherKey = `ssh-ed25519 ${publicKeyBody.slice(0, -4)}AAAA`;
const addresses = (name: string) => ({
  outputs: () => ({ name, address: expect.stringMatching(/^203\.0\.113\.\d+$/) }),
});

export const eipEntries: readonly Entry[] = [
  {
    ...addresses("front"),
    type: "cloud:Eip",
    name: "front",
    inputs: () => ({ ...named("front"), bandwidth: 20 }),
    defaults: { billingMode: "bandwidth" },
    unknowns: ["bandwidth"],
    created: () => [["AllocateEips", { bandwidth: "20", billing_mode: "bandwidth", eip_name: "front" }]],
    steps: [
      {
        what: "another bandwidth",
        to: () => ({ bandwidth: 50 }),
        diff: { bandwidth: "UPDATE" },
        calls: (id) => [["ChangeEipsBandwidth", { "eips.1": id("front"), bandwidth: "50" }]],
      },
      {
        what: "another billing mode",
        to: () => ({ billingMode: "traffic" }),
        diff: { billingMode: "UPDATE" },
        calls: (id) => [["ChangeEipsBillingMode", { "eips.1": id("front"), billing_mode: "traffic" }]],
      },
      {
        what: "name, bandwidth and billing mode at once",
        to: () => ({ name: "front 2", bandwidth: 1000, billingMode: "bandwidth" }),
        // The billing mode is that of the creation again.
        diff: { name: "UPDATE", bandwidth: "UPDATE" },
        calls: (id) => [
          ["ModifyEipAttributes", { eip: id("front"), eip_name: "front 2" }],
          ["ChangeEipsBandwidth", { "eips.1": id("front"), bandwidth: "1000" }],
          ["ChangeEipsBillingMode", { "eips.1": id("front"), billing_mode: "bandwidth" }],
        ],
      },
    ],
    drifts: [
      {
        what: "bandwidth and name",
        by: (id) => [
          ["ChangeEipsBandwidth", { "eips.1": id("front"), bandwidth: "3" }],
          ["ModifyEipAttributes", { eip: id("front"), eip_name: "by hand" }],
        ],
        found: () => ({ bandwidth: 3, name: "by hand" }),
        calls: (id) => [
          ["ModifyEipAttributes", { eip: id("front"), eip_name: "front 2" }],
          ["ChangeEipsBandwidth", { "eips.1": id("front"), bandwidth: "1000" }],
        ],
      },
    ],
    deleted: (id) => [["ReleaseEips", { "eips.1": id("front") }]],
  },
  ...["second", "third"].map(
    (name, index): Entry => ({
      ...addresses(name),
      type: "cloud:Eip",
      name,
      inputs: () => ({ ...named(name), bandwidth: 1 + index, billingMode: "traffic" }),
      unknowns: [],
      created: () => [
        ["AllocateEips", { bandwidth: `${1 + index}`, billing_mode: "traffic", eip_name: name }],
      ],
      steps: [],
      drifts: [
        {
          what: "billing mode",
          by: (id) => [["ChangeEipsBillingMode", { "eips.1": id(name), billing_mode: "bandwidth" }]],
          found: () => ({ billingMode: "bandwidth" }),
          calls: (id) => [["ChangeEipsBillingMode", { "eips.1": id(name), billing_mode: "traffic" }]],
        },
      ],
      deleted: (id) => [["ReleaseEips", { "eips.1": id(name) }]],
    }),
  ),
];

function keyPair(name: string, key: string, imported: Entry["imported"]): Entry {
  const renamed =
    (to: string) =>
    (id: (name: string) => string): Change[] => [
      ["ModifyKeyPairAttributes", { keypair: id(name), keypair_name: to }],
    ];
  return {
    ...nameAlone(name),
    type: "cloud:KeyPair",
    name,
    inputs: () => ({ ...named(name), publicKey: key }),
    unknowns: ["publicKey"],
    created: () => [["CreateKeyPair", { keypair_name: name, mode: "user", public_key: key }]],
    steps: [
      {
        what: "another key",
        to: () => ({ publicKey: `${publicKey.slice(0, -4)}BBBB` }),
        diff: { publicKey: "UPDATE_REPLACE" },
      },
      { what: "another generation", to: () => ({ generation: "2" }), diff: { generation: "ADD_REPLACE" } },
      {
        what: "another name",
        to: () => ({ name: `${name} 2` }),
        diff: { name: "UPDATE" },
        calls: renamed(`${name} 2`),
      },
    ],
    drifts: [
      {
        what: "name",
        by: renamed("by hand"),
        found: () => ({ name: "by hand" }),
        calls: renamed(`${name} 2`),
      },
    ],
    ...(imported === undefined ? {} : { imported }),
    deleted: (id) => [["DeleteKeyPairs", { "keypairs.1": id(name) }]],
  };
}

export const keyPairEntries: readonly Entry[] = [
  keyPair("login", publicKey, undefined),
  // The API keeps no comment; one that is there is no difference.
  keyPair("second-login", `${otherKey} someone@somewhere`, {
    finds: () => ({ publicKey: otherKey }),
    diff: {},
  }),
];

export const tagEntries: readonly Entry[] = [
  {
    ...nameAlone("project"),
    type: "cloud:Tag",
    name: "project",
    inputs: () => named("project"),
    defaults: { color: "#9f9bb7" },
    unknowns: ["color"],
    created: () => [["CreateTag", { tag_name: "project", color: "#9f9bb7" }]],
    steps: [
      {
        what: "another colour",
        to: () => ({ color: "#f00" }),
        diff: { color: "UPDATE" },
        calls: (id) => [["ModifyTagAttributes", { tag: id("project"), color: "#f00" }]],
      },
      {
        what: "another name and colour",
        to: () => ({ name: "project 2", color: "#00ff00" }),
        diff: { name: "UPDATE", color: "UPDATE" },
        calls: (id) => [
          ["ModifyTagAttributes", { tag: id("project"), tag_name: "project 2", color: "#00ff00" }],
        ],
      },
    ],
    drifts: [
      {
        what: "colour",
        by: (id) => [["ModifyTagAttributes", { tag: id("project"), color: "#000" }]],
        found: () => ({ color: "#000" }),
        calls: (id) => [["ModifyTagAttributes", { tag: id("project"), color: "#00ff00" }]],
      },
    ],
    deleted: (id) => [["DeleteTags", { "tags.1": id("project") }]],
  },
  {
    type: "cloud:TagAttachment",
    name: "project-router",
    inputs: (id) => ({ zone, tagId: id("project"), resourceType: "router", resourceId: id("router") }),
    unknowns: ["tagId", "resourceId"],
    outputs: () => ({}),
    created: (id) => [
      [
        "AttachTags",
        {
          "resource_tag_pairs.1.tag_id": id("project"),
          "resource_tag_pairs.1.resource_type": "router",
          "resource_tag_pairs.1.resource_id": id("router"),
        },
      ],
    ],
    steps: [
      {
        what: "another resource",
        to: (id) => ({ resourceType: "eip", resourceId: id("front") }),
        diff: { resourceType: "UPDATE_REPLACE", resourceId: "UPDATE_REPLACE" },
      },
      { what: "another tag", to: () => ({ tagId: "tag-other" }), diff: { tagId: "UPDATE_REPLACE" } },
    ],
    // All that it is is that it is there: see the deletion by hand.
    drifts: [],
    deleted: (id) => [detached(id)],
    // Detaching twice is detaching once.
    deletedAgain: (id) => [detached(id)],
  },
];

function detached(id: (name: string) => string): Change {
  return [
    "DetachTags",
    {
      "resource_tag_pairs.1.tag_id": id("project"),
      "resource_tag_pairs.1.resource_type": "router",
      "resource_tag_pairs.1.resource_id": id("router"),
    },
  ];
}
