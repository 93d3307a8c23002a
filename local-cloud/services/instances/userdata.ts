/** User data and metadata: what an instance is told about itself, and what its owner brings onto its disk. */
import type { ParsedRequestOf } from "../../../qingcloud/action.ts";
import type * as actions from "../../../qingcloud/actions.ts";
import type { NodePicture, UserdataPicture } from "../../network/picture.ts";
import type { Instance, Volume } from "../../store/resources.ts";
import type { Store } from "../../store/store.ts";
import { type Context, type Handler, type Handlers, need, newId } from "../context.ts";
import { badValue, missing, secret } from "../errors.ts";
import { describeImage } from "../images/images.ts";

/** Bytes after decoding. */
const maximumText = 4096;
const maximumArchive = 2 * 1024 * 1024;

const defaultFolder = "/etc/qingcloud/userdata";
const defaultScript = "/etc/rc.local";

/** The user data that a RunInstances asks for. */
export function readUserdata(
  request: ParsedRequestOf<typeof actions.RunInstances>,
  context: Context,
): Instance["userdata"] {
  if (request.need_userdata === 0) return undefined;
  const type = request.userdata_type;
  if (type === undefined) throw missing("userdata_type");
  const value = request.userdata_value;
  if (value === undefined) throw missing("userdata_value");
  const file = validPath(request.userdata_file) ?? defaultScript;
  if (type === "tar") {
    const attachmentId = /^uda-[a-z0-9]{1,16}$/.test(value) ? value : secret;
    return { type, file, attachmentId: need(context, "userdata_attachment", attachmentId).id };
  }
  checkBase64("userdata_value", value, maximumText);
  const folder = validPath(request.userdata_path);
  return { type, file, base64: value, ...(folder === undefined ? {} : { folder }) };
}

/** An illegal path gives way to the default, as the documentation says. */
function validPath(path: string | undefined): string | undefined {
  const names = path?.split("/") ?? [];
  const isValid = /^(?:\/[\w.@+-]+)+\/?$/.test(path ?? "") && !names.includes("..") && !names.includes(".");
  return isValid ? path?.replace(/\/$/, "") : undefined;
}

function checkBase64(parameter: string, text: string, maximum: number): Buffer {
  const allowed = `base64 of 1 to ${maximum} bytes`;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0)
    throw badValue(parameter, secret, allowed);
  const bytes = Buffer.from(text, "base64");
  if (bytes.length > maximum) throw badValue(parameter, `${bytes.length} bytes`, allowed);
  return bytes;
}

const uploadUserDataAttachment: Handler<typeof actions.UploadUserDataAttachment> = (request, context) => {
  const content = request.attachment_content;
  if (!isArchive(checkBase64("attachment_content", content, maximumArchive))) {
    throw badValue("attachment_content", secret, "base64 of a zip, tar, tgz or tbz archive");
  }
  const id = newId("uda");
  context.store.put({
    kind: "userdata_attachment",
    id,
    zone: context.zone,
    name: request.attachment_name ?? "",
    description: "",
    createTime: context.now,
    base64: content,
  });
  return { attachment_id: id };
};

/** How zip files, an empty one too, gzip and bzip2 begin. */
const archiveMarks = ["504b0304", "504b0506", "1f8b", "425a68"];

function isArchive(bytes: Buffer): boolean {
  const start = bytes.subarray(0, 4).toString("hex");
  return archiveMarks.some((mark) => start.startsWith(mark)) || isTar(bytes);
}

/** Tar files have no mark of their own in their oldest form, but always a sum over their first header. */
function isTar(bytes: Buffer): boolean {
  if (bytes.length < 512) return false;
  const told = Number.parseInt(bytes.toString("latin1", 148, 156).replace(/[\0 ]+$/, ""), 8);
  const sum = bytes
    .subarray(0, 512)
    .reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  return told === sum;
}

/** What the data plane needs to know of an instance's user data. */
export function userdataPicture(store: Store, { zone, userdata }: Instance): UserdataPicture | undefined {
  if (userdata === undefined) return undefined;
  const { type, file, folder = defaultFolder, base64 = "", attachmentId = "" } = userdata;
  const content = (): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
  if (type === "plain") return { folder, text: content() };
  if (type === "exec") return { folder, script: { file, content: content() } };
  const attachment = store.get("userdata_attachment", zone, attachmentId);
  return attachment === undefined
    ? { folder }
    : { folder, archive: { id: attachment.id, base64: attachment.base64 } };
}

/** The documented fields, in their documented order. @param volumes those attached to it */
export function metadataOf(instance: Instance, volumes: readonly Volume[]): NodePicture["metadata"] {
  const image = describeImage(instance.imageId);
  return {
    instance_id: instance.id,
    instance_name: instance.name,
    instance_type: instance.instanceType,
    vcpus_current: instance.cpu,
    memory_current: instance.memory,
    image_id: image.image_id,
    platform: image.platform,
    os_family: image.os_family,
    volume_ids: volumes.map(({ id }) => id).join(","),
    vxnets_count: instance.nics.length,
    vxnets: instance.nics.map(({ vxnetId, mac }) => ({ vxnet_id: vxnetId, nic_id: mac })),
  };
}

export const userdataHandlers = {
  UploadUserDataAttachment: uploadUserDataAttachment,
} satisfies Partial<Handlers>;
