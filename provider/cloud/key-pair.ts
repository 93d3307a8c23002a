import { z } from "zod";
import {
  CreateKeyPair,
  DeleteKeyPairs,
  DescribeKeyPairs,
  DetachKeyPairs,
  ModifyKeyPairAttributes,
} from "../../qingcloud/actions.ts";
import { type Context, defineResource, type Named } from "../resource.ts";
import { createOnce, withQuota } from "./creating.ts";
import { deleteWhenFree } from "./deleting.ts";
import { describeInstances } from "./instance-changes.ts";
import { sweepWords } from "./left-behind.ts";
import { listAll, searchFor } from "./listing.ts";
import {
  generationInput,
  type Names,
  named,
  namedAsRead,
  nameOutput,
  physicalName,
  sameName,
} from "./naming.ts";
import { untilJob } from "./waiting.ts";

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
    generation: generationInput,
  }),
  outputs: z.object(nameOutput),
  // The new key comes before the old one goes, so that instances change theirs in place.
  replaceOn: ["zone", "publicKey", "generation"],
  search,

  isSame(property, state, news, urn) {
    // The API keeps no comment.
    if (property === "publicKey")
      return withoutComment(state.inputs.publicKey) === withoutComment(news.publicKey);
    return sameName(property, state, news, urn, contentOf(news));
  },

  async create(context, inputs) {
    const { zone, publicKey } = inputs;
    const name = nameOf(context, inputs);
    const isMade = inputs.name === undefined && inputs.mark !== undefined;
    let others: Named[] = [];
    const { id } = await createOnce(context, {
      what: `key pair "${name}"`,
      names: inputs,
      async find(patient) {
        const all = await describe(patient, zone, { search_word: isMade ? withoutDigest(name) : name });
        others = all
          .filter(({ keypair_name: other }) => other !== name && withoutDigest(other) === withoutDigest(name))
          .map(({ keypair_id, keypair_name }) => ({ id: keypair_id, name: keypair_name }));
        return all
          .filter((found) => found.keypair_name === name && keyOf(found) === withoutComment(publicKey))
          .map(({ keypair_id }) => keypair_id);
      },
      async create() {
        const request = { keypair_name: name, mode: "user", public_key: publicKey } as const;
        return await withQuota(context, zone, { keypair: 1 }, async (options) => {
          return (await context.session.call(CreateKeyPair, zone, request, options)).keypair_id;
        });
      },
    });
    if (isMade) warnOfOthers(context, others);
    return { id, outputs: { name } };
  },

  async read(context, id, known) {
    const zone = known?.inputs.zone ?? context.importZone();
    const [found] = await describe(context, zone, { keypairs: [id] });
    if (found === undefined) return undefined;
    const publicKey = keyOf(found);
    const written = known?.inputs.publicKey;
    return {
      inputs: {
        ...namedAsRead(known?.inputs, zone, found.keypair_name),
        publicKey: written !== undefined && withoutComment(written) === publicKey ? written : publicKey,
        ...(known?.inputs.generation === undefined ? {} : { generation: known.inputs.generation }),
      },
      outputs: { name: found.keypair_name },
    };
  },

  async update(context, id, { news }) {
    const name = nameOf(context, news);
    await context.session.call(
      ModifyKeyPairAttributes,
      news.zone,
      { keypair: id, keypair_name: name },
      context,
    );
    return { name };
  },

  async delete(context, id, { inputs: { zone } }) {
    let users: readonly string[] = [];
    await deleteWhenFree(context, {
      kind: "key pair",
      zone,
      id,
      async look() {
        const [found] = await describe(context, zone, { keypairs: [id], verbose: 1 });
        users = found?.instance_ids ?? [];
        return found === undefined ? undefined : { users };
      },
      async remove() {
        await leave(context, zone, id, users);
        await context.session.call(DeleteKeyPairs, zone, { keypairs: [id] }, context);
      },
    });
  },
});

/** Where an instance of this run has another one, too, a run that was cut off had not taken this one off. */
async function leave(context: Context, zone: string, id: string, users: readonly string[]): Promise<void> {
  const met = users.filter((each) => context.session.hasMet(each));
  const found = met.length === 0 ? [] : await describeInstances(context, zone, { instances: met });
  const instances = found
    .filter(({ keypair_ids: ids }) => ids?.some((each) => each !== id))
    .map(({ instance_id }) => instance_id);
  if (instances.length === 0) return;
  const request = { keypairs: [id], instances };
  await untilJob(context, zone, (await context.session.call(DetachKeyPairs, zone, request, context)).job_id);
}

function withoutComment(publicKey: string): string {
  return publicKey.split(" ").slice(0, 2).join(" ");
}

/** A key that the state has lost is made again as another one, and the key pair of the former is found by no name. */
function warnOfOthers(context: Context, others: readonly Named[]): void {
  for (const { id, name } of others.filter((other) => !context.session.hasMet(other.id)))
    context.warn(
      `Key pair ${id} (${name}) has the name of this one with another key, and this run does not know it. If it is in no state, ${sweepWords(context.urn)}.`,
    );
}

function withoutDigest(name: string): string {
  return name.replace(/-[0-9a-f]{8}$/, "");
}

interface Content {
  readonly publicKey: string;
  readonly generation?: string | undefined;
}

/** Distinguishes the key pairs that live next to each other while one takes the other's place. */
function contentOf({ publicKey, generation = "" }: Content): string {
  return `${withoutComment(publicKey)}${generation}`;
}

function nameOf({ urn }: Context, inputs: Names & Content): string {
  return physicalName(urn, inputs, contentOf(inputs));
}

function keyOf(found: { readonly encrypt_method: string; readonly pub_key: string }): string {
  return `${found.encrypt_method} ${found.pub_key}`;
}

async function search(context: Context, zone: string, word: string): Promise<Named[]> {
  const found = await describe(context, zone, searchFor(word));
  return found.map(({ keypair_id: id, keypair_name: name }) => ({ id, name }));
}

function describe(
  context: Context,
  zone: string,
  filter: { keypairs?: string[]; search_word?: string; verbose?: number },
) {
  return listAll(context, DescribeKeyPairs, zone, filter, "keypair_set");
}
