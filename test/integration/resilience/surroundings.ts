/** What exists in the cloud beside the resource that a test is about. */
import { firstId, makeKeyPair, makeNetwork, type TestClient } from "../../local-cloud/support.ts";
import type { Kind, Surroundings } from "./kinds.ts";

type Shared = Omit<Surroundings, "eip" | "otherEip" | "volume" | "otherVolume" | "bareRouter" | "number">;

export class Grounds {
  readonly #client: TestClient;
  readonly shared: Shared;
  #number = 0;

  private constructor(client: TestClient, shared: Shared) {
    this.#client = client;
    this.shared = shared;
  }

  static async make(client: TestClient, zone = "gpu1a"): Promise<Grounds> {
    const { router, vxnet } = await makeNetwork(client, zone);
    const group = async () => String((await client.ok("CreateSecurityGroup", { zone })).security_group_id);
    const keyPairs = [await makeKeyPair(client, zone), await makeKeyPair(client, zone)] as const;
    const instances = await client.done("RunInstances", {
      zone,
      image_id: "img-bare",
      instance_type: "c1m1",
      login_mode: "keypair",
      login_keypair: keyPairs[0],
      "vxnets.1": vxnet,
    });
    const tag = String(
      (await client.ok("CreateTag", { zone, tag_name: "grounds", color: "#123456" })).tag_id,
    );
    return new Grounds(client, {
      router,
      vxnet,
      group: await group(),
      otherGroup: await group(),
      keyPair: keyPairs[0],
      otherKeyPair: keyPairs[1],
      instance: firstId(instances.instances),
      tag,
    });
  }

  /** What one more resource of a kind needs; only what it uses is made. */
  async around(kind: Kind): Promise<Surroundings> {
    const client = this.#client;
    const asks = (...types: string[]) => types.includes(kind.type);
    const eip = async () => firstId((await client.ok("AllocateEips", { bandwidth: "1" })).eips);
    const volume = async () => firstId((await client.done("CreateVolumes", { size: "10" })).volumes);
    const router = async () =>
      firstId((await client.done("CreateRouters", { vpc_network: "172.16.0.0/16" })).routers);
    this.#number += 1;
    return {
      ...this.shared,
      eip: asks("Vpc", "VpcEip") ? await eip() : "",
      otherEip: asks("Vpc") ? await eip() : "",
      volume: asks("Instance", "VolumeAttachment") ? await volume() : "",
      otherVolume: asks("Instance") ? await volume() : "",
      bareRouter: asks("VpcEip") ? await router() : "",
      number: this.#number,
    };
  }
}

/** How many of a kind live under a name. */
export async function countOf(client: TestClient, kind: Kind, name: string): Promise<number> {
  const { listed } = kind;
  if (listed === undefined) throw new Error(`${kind.type} has no name`);
  const items = (await client.ok(listed.action, { limit: "100" }))[listed.set] as Record<string, unknown>[];
  const isGone = ({ status }: Record<string, unknown>) =>
    /^(released|deleted|ceased|terminated)$/.test(String(status));
  return items.filter((item) => item[listed.name] === name && !isGone(item)).length;
}
