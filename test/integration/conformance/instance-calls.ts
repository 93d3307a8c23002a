/** Calls that change an instance of the table. */
import type { Change, IdOf } from "./entry.ts";

export const ofOne = (action: string, id: string, more: Record<string, unknown> = {}): Change => [
  action,
  { "instances.1": id, ...more },
];
export const moved = (id: IdOf, name: string, address: string): Change[] => [
  ["LeaveVxnet", { vxnet: id("subnet"), "instances.1": id(name) }],
  ["JoinVxnet", { vxnet: `${id("subnet")}|${address}`, "instances.1": id(name) }],
];
export const disked = (
  action: "AttachVolumes" | "DetachVolumes",
  id: IdOf,
  node: string,
  volume: string,
): Change => [action, { "volumes.1": id(volume), instance: id(node) }];

/** The API changes the shape and the disk of a stopped instance only. */
export const resizedWhileStopped = (id: string, more: Record<string, unknown>): Change[] => [
  ofOne("StopInstances", id),
  ofOne("ResizeInstances", id, more),
  ofOne("StartInstances", id),
];

export const keyed = (
  action: "AttachKeyPairs" | "DetachKeyPairs",
  id: IdOf,
  node: string,
  keyPair: string,
): Change => [action, { "keypairs.1": id(keyPair), "instances.1": id(node) }];
/** Not into the recycle bin. */
export const ceased = (name: string) => (id: IdOf) => [
  ofOne("TerminateInstances", id(name), { direct_cease: "1" }),
];
