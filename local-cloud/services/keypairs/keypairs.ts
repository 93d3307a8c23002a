/** SSH key pairs: registered by the user or made by the system, attached to instances. */
import type * as actions from "../../../qingcloud/actions.ts";
import type { Instance, KeyPair } from "../../store/resources.ts";
import { accountId } from "../account/account.ts";
import { needQuota } from "../account/quotas.ts";
import {
  type Context,
  distinct,
  type Effects,
  type Handler,
  type Handlers,
  isGone,
  need,
  needIdle,
  newId,
  renamed,
  timestamp,
  type ZoneState,
} from "../context.ts";
import { denied, inUse, missing } from "../errors.ts";
import { filter, page } from "../listing.ts";
import { tagsOf } from "../tags/tags.ts";
import { makeKey, readPublicKey } from "./openssh.ts";

const createKeyPair: Handler<typeof actions.CreateKeyPair> = (request, context) => {
  needQuota(context, "keypair", 1);
  if (request.mode === "user" && request.public_key === undefined) throw missing("public_key");
  const key =
    request.public_key !== undefined && request.mode === "user"
      ? { ...readPublicKey(request.public_key, request.encrypt_method), privateKey: "" }
      : makeKey(request.encrypt_method ?? "ssh-rsa");
  const keypair: KeyPair = {
    kind: "keypair",
    id: newId("kp"),
    zone: context.zone,
    name: request.keypair_name ?? "",
    description: "",
    tagIds: [],
    createTime: context.now,
    encryptMethod: key.encryptMethod,
    body: key.body,
  };
  context.store.put(keypair);
  return { keypair_id: keypair.id, private_key: key.privateKey };
};

function attachedTo(state: ZoneState, id: string): string[] {
  return state.store
    .list("instance", state.zone)
    .filter((instance) => !isGone(instance) && instance.keypairIds.includes(id))
    .map((instance) => instance.id);
}

const describeKeyPairs: Handler<typeof actions.DescribeKeyPairs> = (request, context) => {
  const instance =
    request.instance_id === undefined
      ? undefined
      : context.store.get("instance", context.zone, request.instance_id);
  const matches = filter(context.store.list("keypair", context.zone), request, request.keypairs).filter(
    (keypair) =>
      (request.instance_id === undefined || instance?.keypairIds.includes(keypair.id) === true) &&
      (request.encrypt_method === undefined || request.encrypt_method.includes(keypair.encryptMethod)),
  );
  const { items, total_count } = page(matches, request);
  return {
    keypair_set: items.map((keypair) => ({
      keypair_id: keypair.id,
      keypair_name: keypair.name,
      description: keypair.description,
      encrypt_method: keypair.encryptMethod,
      pub_key: keypair.body,
      create_time: timestamp(keypair.createTime),
      owner: accountId,
      tags: tagsOf(context, keypair),
      ...(request.verbose > 0 ? { instance_ids: attachedTo(context, keypair.id) } : {}),
    })),
    total_count,
  };
};

const modifyKeyPairAttributes: Handler<typeof actions.ModifyKeyPairAttributes> = (request, context) => {
  const keypair = need(context, "keypair", request.keypair);
  context.store.put(renamed(keypair, request.keypair_name, request.description));
  return {};
};

const deleteKeyPairs: Handler<typeof actions.DeleteKeyPairs> = (request, context) => {
  const keypairs = distinct(request.keypairs).map((id) => need(context, "keypair", id));
  for (const keypair of keypairs) {
    const instances = attachedTo(context, keypair.id);
    if (instances.length > 0) throw inUse("key pair", keypair.id, instances, "deleted");
    context.store.remove(keypair);
  }
  return { keypairs: keypairs.map(({ id }) => id) };
};

const attachKeyPairs: Handler<typeof actions.AttachKeyPairs> = (request, context) =>
  startChange("AttachKeyPairs", request, context);

const detachKeyPairs: Handler<typeof actions.DetachKeyPairs> = (request, context) =>
  startChange("DetachKeyPairs", request, context);

function startChange(
  action: "AttachKeyPairs" | "DetachKeyPairs",
  request: { readonly keypairs: readonly string[]; readonly instances: readonly string[] },
  context: Context,
): { job_id: string } {
  const isAttach = action === "AttachKeyPairs";
  const doing = isAttach ? "attached" : "detached";
  const keypairs = distinct(request.keypairs).map((id) => need(context, "keypair", id).id);
  const instances = distinct(request.instances).map((id) => need(context, "instance", id));
  for (const instance of instances) {
    needIdle(instance, "given or taken key pairs");
    for (const id of keypairs) {
      if (instance.keypairIds.includes(id) === isAttach) {
        const state = isAttach ? "is already attached" : "is not attached";
        throw denied(`key pair [${id}] ${state} to instance [${instance.id}], can not be ${doing}`);
      }
    }
  }
  const ids = instances.map(({ id }) => id);
  return { job_id: context.startJob({ action, keypairs, instances: ids }, [...keypairs, ...ids]) };
}

function changeInstances(
  state: ZoneState,
  ids: readonly string[],
  change: (instance: Instance) => readonly string[],
): void {
  for (const id of ids) {
    const instance = state.store.get("instance", state.zone, id);
    if (instance !== undefined) state.store.put({ ...instance, keypairIds: change(instance) });
  }
}

export const keypairHandlers = {
  CreateKeyPair: createKeyPair,
  DescribeKeyPairs: describeKeyPairs,
  ModifyKeyPairAttributes: modifyKeyPairAttributes,
  DeleteKeyPairs: deleteKeyPairs,
  AttachKeyPairs: attachKeyPairs,
  DetachKeyPairs: detachKeyPairs,
} satisfies Partial<Handlers>;

export const keypairEffects: Effects<"AttachKeyPairs" | "DetachKeyPairs"> = {
  AttachKeyPairs: {
    complete: (work, state) =>
      changeInstances(state, work.instances, ({ keypairIds }) => {
        const present = work.keypairs.filter(
          (id) => state.store.get("keypair", state.zone, id) !== undefined,
        );
        return distinct([...keypairIds, ...present]);
      }),
    fail: () => undefined,
  },
  DetachKeyPairs: {
    complete: (work, state) =>
      changeInstances(state, work.instances, ({ keypairIds }) =>
        keypairIds.filter((id) => !work.keypairs.includes(id)),
      ),
    fail: () => undefined,
  },
};
