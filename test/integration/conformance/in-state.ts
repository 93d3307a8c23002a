/** Entries: what lives in state alone. */
import { expect } from "vitest";
import { type Entry, inStateAlone } from "./entry.ts";

export const inStateEntries: readonly Entry[] = [
  {
    ...inStateAlone,
    type: "state:StackMark",
    name: "mark",
    inputs: () => ({}),
    unknowns: ["sweep"],
    outputs: () => ({ value: expect.stringMatching(/^[0-9a-f]{8}$/) }),
    steps: [
      {
        what: "what no state knows is to go with the stack",
        to: () => ({ sweep: true }),
        diff: { sweep: "ADD" },
        calls: () => [],
      },
    ],
  },
  {
    ...inStateAlone,
    type: "state:PresharedKey",
    name: "tunnel-key",
    inputs: () => ({}),
    defaults: { bytes: 32 },
    unknowns: ["bytes"],
    secrets: ["value"],
    outputs: () => ({ value: expect.stringMatching(/^[\w-]{43}$/) }),
    steps: [{ what: "another length", to: () => ({ bytes: 16 }), diff: { bytes: "UPDATE_REPLACE" } }],
    imported: "nothing",
  },
  {
    ...inStateAlone,
    type: "state:SshKey",
    name: "operator",
    inputs: () => ({ comment: "operator@crosszone" }),
    unknowns: ["comment"],
    secrets: ["privateKey"],
    outputs: () => ({
      privateKey: expect.stringContaining("PRIVATE KEY"),
      publicKey: expect.stringMatching(/^ssh-ed25519 \S+ operator@crosszone$/),
    }),
    steps: [
      {
        what: "another comment",
        to: () => ({ comment: "root@crosszone" }),
        diff: { comment: "UPDATE_REPLACE" },
      },
    ],
    imported: "nothing",
  },
];
