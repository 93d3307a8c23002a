/** User data by the API: what is taken, what is refused, and what the data plane is told. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { pictureOf } from "../../local-cloud/services/picture.ts";
import { Store } from "../../local-cloud/store/store.ts";
import { UploadUserDataAttachment } from "../../qingcloud/actions.ts";
import { QingCloudClient } from "../../qingcloud/client.ts";
import { firstId, makeKeyPair } from "./support.ts";
import { useTestCloud } from "./use-test-cloud.ts";

const cloud = useTestCloud();
let keypair: string;
beforeAll(async () => {
  keypair = await makeKeyPair(cloud.client);
});

const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64");
const archive = base64(gzipSync("not looked into"));

const wanted = (more: Readonly<Record<string, string>>) => ({
  image_id: "img-bare",
  cpu: "2",
  memory: "4096",
  login_mode: "keypair",
  login_keypair: keypair,
  need_userdata: "1",
  ...more,
});

/** What the data plane is told of a new instance with this user data. */
async function nodeWith(more: Readonly<Record<string, string>>) {
  const id = firstId((await cloud.client.done("RunInstances", wanted(more))).instances);
  const store = new Store(join(cloud.home, "state.db"));
  const node = pictureOf(store).nodes.find((one) => one.id === id);
  store.close();
  return node;
}

async function upload(content: string, more: Readonly<Record<string, string>> = {}) {
  const { keys } = cloud.client;
  const parameters = cloud.client.signed(
    "UploadUserDataAttachment",
    { zone: "gpu1a", attachment_content: content, ...more },
    { method: "POST" },
  );
  const response = await fetch(`http://127.0.0.1:${keys.port}/iaas/`, {
    method: "POST",
    body: new URLSearchParams(parameters),
  });
  return (await response.json()) as Record<string, unknown>;
}

test("text and scripts reach the data plane with their paths; an illegal path gives way to the default", async () => {
  const value = { userdata_value: base64("hello") };
  const text = new Uint8Array(Buffer.from("hello"));
  expect((await nodeWith({ userdata_type: "plain", ...value }))?.userdata).toEqual({
    folder: "/etc/qingcloud/userdata",
    text,
  });
  const own = { ...value, userdata_path: "/opt/own/", userdata_file: "/opt/start.sh" };
  expect((await nodeWith({ userdata_type: "exec", ...own }))?.userdata).toEqual({
    folder: "/opt/own",
    script: { file: "/opt/start.sh", content: text },
  });
  for (const path of ["own", "/", "/a/../../etc", "/a//b", "/a b", "/a/./b"]) {
    const illegal = { ...value, userdata_path: path, userdata_file: path };
    expect((await nodeWith({ userdata_type: "exec", ...illegal }))?.userdata, path).toEqual({
      folder: "/etc/qingcloud/userdata",
      script: { file: "/etc/rc.local", content: text },
    });
  }
});

test("metadata has the documented fields", async () => {
  const volume = firstId((await cloud.client.done("CreateVolumes", { size: "10" })).volumes);
  const node = await nodeWith({
    need_userdata: "0",
    instance_name: "first",
    "vxnets.1": "vxnet-0",
    "volumes.1": volume,
  });
  expect(node?.metadata).toEqual({
    instance_id: node?.id,
    instance_name: "first",
    instance_type: expect.any(String),
    vcpus_current: 2,
    memory_current: 4096,
    image_id: "img-bare",
    platform: "linux",
    os_family: "debian",
    volume_ids: volume,
    vxnets_count: 1,
    vxnets: [{ vxnet_id: "vxnet-0", nic_id: node?.nics[0]?.mac }],
  });
  expect(node?.userdata).toBeUndefined();
});

test("an uploaded archive is for RunInstances, in its zone, and outlives the cloud's process", async () => {
  const { attachment_id: id } = await upload(archive, { attachment_name: "a.tgz" });
  expect(id).toMatch(/^uda-[a-z0-9]{8}$/);
  const tar = { userdata_type: "tar", userdata_value: String(id), userdata_path: "/not/for/archives" };
  expect((await nodeWith(tar))?.userdata).toEqual({
    folder: "/etc/qingcloud/userdata",
    archive: { id, base64: archive },
  });
  const elsewhere = { zone: "gpu2a", login_mode: "passwd", login_passwd: "Zxcvb12345" };
  expect(await cloud.client.call("RunInstances", wanted({ ...tar, ...elsewhere }))).toMatchObject({
    ret_code: 2100,
    message: `ResourceNotFound, user data attachment [${id}] does not exist`,
  });
});

test("an archive of 2 MB is taken, a larger one refused, and what is no archive", async () => {
  const largest = Buffer.alloc(2 * 1024 * 1024, 0xff);
  gzipSync("").copy(largest);
  expect(await upload(base64(largest))).toMatchObject({ ret_code: 0 });
  const larger = Buffer.concat([largest, Buffer.alloc(1)]);
  expect(await upload(base64(larger))).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [attachment_content] is [2097153 bytes], allowed: base64 of 1 to 2097152 bytes",
  });
  expect(await upload(base64("text of some length"))).toEqual({
    ret_code: 1101,
    message:
      "InvalidParameterValue, parameter [attachment_content] is [[secret]], allowed: base64 of a zip, tar, tgz or tbz archive",
  });
  expect(await upload("***")).toMatchObject({ ret_code: 1101 });
  expect(readFileSync(join(cloud.home, "calls.jsonl"), "utf8")).not.toContain(archive);
});

test("user data that is none is refused without being repeated", async () => {
  const refusal = async (more: Readonly<Record<string, string>>) =>
    (await cloud.client.call("RunInstances", wanted(more))).message;
  expect(await refusal({})).toContain("parameter [userdata_type] is missing");
  expect(await refusal({ userdata_type: "tar" })).toContain("parameter [userdata_value] is missing");
  expect(await refusal({ userdata_type: "tar", userdata_value: "a password" })).toBe(
    "ResourceNotFound, user data attachment [[secret]] does not exist",
  );
  expect(await refusal({ userdata_type: "plain", userdata_value: base64("x".repeat(4097)) })).toContain(
    "[userdata_value] is [4097 bytes], allowed: base64 of 1 to 4096 bytes",
  );
});

test("the project's own client uploads by POST", async () => {
  const { qy_access_key_id: accessKeyId, qy_secret_access_key: secretAccessKey, port } = cloud.client.keys;
  const endpoint = new URL(`http://127.0.0.1:${port}/iaas/`);
  const client = new QingCloudClient({
    accessKeyId,
    secretAccessKey,
    endpoint,
    zone: "gpu1a",
    source: "a test",
  });
  const request = { attachment_content: archive };
  expect((await client.call(UploadUserDataAttachment, "gpu2a", request)).attachment_id).toMatch(/^uda-/);
  client.close();
});
