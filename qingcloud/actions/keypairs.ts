import { z } from "zod";
import { action, ids, job, listing, pageOf, someIds, tagged, text } from "../action.ts";

export const encryptMethod = z.enum(["ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp521", "ssh-ed25519"]);

export const CreateKeyPair = action(
  "CreateKeyPair",
  {
    keypair_name: text.optional(),
    /** `user` registers `public_key`; `system` makes a key and answers its private half once. */
    mode: z.enum(["system", "user"]).default("system"),
    encrypt_method: encryptMethod.optional(),
    public_key: text.optional(),
    target_user: text.optional(),
  },
  { keypair_id: text, private_key: text.nullish() },
);

export const DescribeKeyPairs = action(
  "DescribeKeyPairs",
  { ...listing, keypairs: ids.optional(), instance_id: text.optional(), encrypt_method: ids.optional() },
  pageOf(
    "keypair_set",
    z.looseObject({
      keypair_id: text,
      keypair_name: text,
      description: text.nullish(),
      encrypt_method: text,
      /** The base64 body, without the type before it. */
      pub_key: text,
      ...tagged,
      /** With `verbose: 1`. */
      instance_ids: ids.optional(),
    }),
  ),
);

export const ModifyKeyPairAttributes = action(
  "ModifyKeyPairAttributes",
  { keypair: text, keypair_name: text.optional(), description: text.optional() },
  {},
);

export const AttachKeyPairs = action("AttachKeyPairs", { keypairs: someIds, instances: someIds }, { ...job });
export const DetachKeyPairs = action("DetachKeyPairs", { keypairs: someIds, instances: someIds }, { ...job });
export const DeleteKeyPairs = action("DeleteKeyPairs", { keypairs: someIds }, { keypairs: ids });
