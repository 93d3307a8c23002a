import { z } from "zod";
import {
  CreateKeyPair,
  DeleteKeyPairs,
  DescribeKeyPairs,
  ModifyKeyPairAttributes,
} from "../../qingcloud/actions.ts";
import { type Context, defineResource } from "../resource.ts";
import { createOnce, named, namedAsRead, physicalName } from "./naming.ts";
import { deleteWhenFree } from "./waiting.ts";

export const keyPair = defineResource({
  type: "qingcloud:cloud:KeyPair",
  description: "A public key that instances let in. The private key never reaches the cloud.",
  inputs: z.strictObject({
    ...named,
    publicKey: z
      .string()
      .regex(/^(ssh-rsa|ssh-dss|ecdsa-sha2-nistp521|ssh-ed25519) [A-Za-z0-9+/=]+( \S.*)?$/, {
        error: "must be a public key in OpenSSH's form, e.g. `ssh-ed25519 AAAA…`",
      })
      .describe("In OpenSSH's form."),
  }),
  outputs: z.object({ name: z.string().describe("Name in the console.") }),
  replaceOn: ["zone", "publicKey"],
  deleteBeforeReplace: true,

  async create(context, inputs) {
    const { zone, publicKey } = inputs;
    const name = physicalName(context.urn, inputs);
    const { id } = await createOnce(
      context,
      `key pair "${name}"`,
      async () =>
        (await describe(context, zone, { search_word: name }))
          .filter((found) => found.keypair_name === name)
          .map((found) => found.keypair_id),
      async () => {
        const request = { keypair_name: name, mode: "user", public_key: publicKey } as const;
        return (await context.session.call(CreateKeyPair, zone, request, context)).keypair_id;
      },
    );
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { keypairs: [id] });
    if (found === undefined) return undefined;
    const publicKey = `${found.encrypt_method} ${found.pub_key}`;
    const isKnown = known?.inputs.publicKey.startsWith(publicKey);
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.keypair_name),
        publicKey: isKnown ? (known?.inputs.publicKey ?? publicKey) : publicKey,
      },
      outputs: { name: found.keypair_name },
    };
  },

  async update(context, id, { news }) {
    const name = physicalName(context.urn, news);
    await context.session.call(
      ModifyKeyPairAttributes,
      news.zone,
      { keypair: id, keypair_name: name },
      context,
    );
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    await deleteWhenFree(context, async () => {
      await context.session.call(DeleteKeyPairs, zone, { keypairs: [id] }, context);
    });
  },
});

async function describe(
  context: Context,
  zone: string,
  filter: { keypairs?: string[]; search_word?: string },
) {
  return (await context.session.call(DescribeKeyPairs, zone, { ...filter, limit: 100 }, context)).keypair_set;
}
