/** Key pairs for SSH that every server and client can load: of those that ssh2 makes some lack a byte (see provider/state/ssh-key.ts). */
import { makeKey } from "../local-cloud/services/keypairs/openssh.ts";

export interface KeyPair {
  /** PEM in OpenSSH's form. */
  readonly private: string;
  /** As one line. */
  readonly public: string;
}

export function keyPair(): KeyPair {
  const { encryptMethod, body, privateKey } = makeKey("ssh-ed25519");
  return { private: privateKey, public: `${encryptMethod} ${body}` };
}
