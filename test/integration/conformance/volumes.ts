/** Entries: volumes, and one that is attached. */
import { type Change, type Entry, type IdOf, nameAlone, named, zone } from "./entry.ts";
import { disked } from "./instance-calls.ts";

function volume(name: string, rest: Partial<Entry> = {}): Entry {
  const named2 = (id: IdOf, to: string): Change => [
    "ModifyVolumeAttributes",
    { volume: id(name), volume_name: to },
  ];
  return {
    ...nameAlone(name),
    type: "cloud:Volume",
    name,
    inputs: () => ({ ...named(name), sizeGiB: 10 }),
    defaults: { type: 0 },
    unknowns: ["sizeGiB"],
    created: () => [["CreateVolumes", { size: "10", volume_type: "0", volume_name: name }]],
    steps: [],
    drifts: [
      {
        what: "name",
        by: (id) => [named2(id, "by hand")],
        found: () => ({ name: "by hand" }),
        calls: (id) => [named2(id, name)],
      },
    ],
    deleted: (id) => [["DeleteVolumes", { "volumes.1": id(name) }]],
    ...rest,
  };
}

export const volumeEntries: readonly Entry[] = [
  volume("disk-a"),
  volume("disk-b"),
  volume("log"),
  volume("free-disk", {
    steps: [
      { what: "another type", to: () => ({ type: 3 }), diff: { type: "UPDATE_REPLACE" } },
      { what: "a smaller size", to: () => ({ sizeGiB: 5 }), diff: { sizeGiB: "UPDATE_REPLACE" } },
      {
        what: "a larger size",
        to: () => ({ sizeGiB: 20 }),
        diff: { sizeGiB: "UPDATE" },
        calls: (id) => [["ResizeVolumes", { "volumes.1": id("free-disk"), size: "20" }]],
      },
    ],
  }),
];

export const volumeAttachment: Entry = {
  type: "cloud:VolumeAttachment",
  name: "node-2-log",
  inputs: (id) => ({ zone, volumeId: id("log"), instanceId: id("node-2") }),
  unknowns: ["volumeId", "instanceId"],
  outputs: () => ({ device: "/dev/sdc" }),
  created: (id) => [disked("AttachVolumes", id, "node-2", "log")],
  steps: [
    {
      what: "another volume",
      to: (id) => ({ volumeId: id("free-disk") }),
      diff: { volumeId: "UPDATE_REPLACE" },
    },
    {
      what: "another instance",
      to: (id) => ({ instanceId: id("node-3") }),
      diff: { instanceId: "UPDATE_REPLACE" },
    },
  ],
  drifts: [
    {
      what: "instance",
      by: (id) => [
        disked("DetachVolumes", id, "node-2", "log"),
        disked("AttachVolumes", id, "node-3", "log"),
      ],
      found: (id) => ({ instanceId: id("node-3") }),
      back: (id) => [
        disked("DetachVolumes", id, "node-3", "log"),
        disked("AttachVolumes", id, "node-2", "log"),
      ],
    },
  ],
  deleted: (id) => [disked("DetachVolumes", id, "node-2", "log")],
};
