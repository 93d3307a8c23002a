/** SHA-512 crypt, the form in which Linux keeps passwords (`$6$…`), as Ulrich Drepper specified it in 2007. */
import { createHash, randomBytes } from "node:crypto";

const rounds = 5000;
const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A hash of a password with a salt of its own. */
export function hashPassword(password: string): string {
  const salt = Array.from(randomBytes(16), (byte) => alphabet[byte % 64]).join("");
  return sha512Crypt(password, salt);
}

/** @param salt 1 to 16 characters of the crypt alphabet */
export function sha512Crypt(password: string, salt: string): string {
  const key = Buffer.from(password, "utf8");
  const saltBytes = Buffer.from(salt, "latin1");
  const alternate = sha512(key, saltBytes, key);
  const parts: Buffer[] = [key, saltBytes, repeated(alternate, key.length)];
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push(bits & 1 ? alternate : key);
  let digest = sha512(...parts);
  const keySequence = repeated(sha512(...Array.from(key, () => key)), key.length);
  const saltTimes = 16 + (digest[0] ?? 0);
  const saltSequence = repeated(sha512(...Array.from({ length: saltTimes }, () => saltBytes)), salt.length);
  for (let round = 0; round < rounds; round++) {
    const isOdd = round % 2 === 1;
    const middle = [...(round % 3 ? [saltSequence] : []), ...(round % 7 ? [keySequence] : [])];
    digest = isOdd ? sha512(keySequence, ...middle, digest) : sha512(digest, ...middle, keySequence);
  }
  return `$6$${salt}$${encode(digest)}`;
}

function sha512(...parts: readonly Buffer[]): Buffer {
  const hash = createHash("sha512");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The block over and over, cut to a length. */
function repeated(block: Buffer, length: number): Buffer {
  return Buffer.alloc(length, block);
}

/** Three bytes at a time, taken from the three thirds of the digest in turn, as four characters from the lowest bits on. */
function encode(digest: Buffer): string {
  const byte = (at: number): number => digest[at] ?? 0;
  let text = "";
  let [a, b, c] = [0, 21, 42];
  for (let group = 0; group < 21; group++) {
    text += characters((byte(a) << 16) | (byte(b) << 8) | byte(c), 4);
    [a, b, c] = [b + 1, c + 1, a + 1];
  }
  return text + characters(byte(63), 2);
}

function characters(bits: number, count: number): string {
  return Array.from({ length: count }, (_, index) => alphabet[(bits >> (6 * index)) & 63]).join("");
}
