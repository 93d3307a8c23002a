/**
 * strongSwan's control protocol (VICI) over the daemon's own socket.
 *
 * Spoken here rather than through `swanctl`: a pre-shared key then lives in memory only (no file, no argument),
 * nothing can hang, and the daemon reports by itself when a tunnel comes and goes.
 * Format: https://github.com/strongswan/strongswan/blob/master/src/libcharon/plugins/vici/README.md
 */

import { connect, type Socket } from "node:net";

/** A message: sections, lists and values by name, in order. */
export interface ViciMessage {
  readonly [name: string]: string | readonly string[] | ViciMessage;
}

const packet = {
  request: 0,
  response: 1,
  unknownCommand: 2,
  eventRegister: 3,
  eventUnregister: 4,
  eventConfirm: 5,
  eventUnknown: 6,
  event: 7,
} as const;

const element = {
  sectionStart: 1,
  sectionEnd: 2,
  keyValue: 3,
  listStart: 4,
  listItem: 5,
  listEnd: 6,
} as const;

/** The bytes of a message. */
export function encodeMessage(message: ViciMessage): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(message)) {
    if (typeof value === "string") {
      parts.push(Buffer.from([element.keyValue]), shortText(name), longText(value));
    } else if (isList(value)) {
      parts.push(Buffer.from([element.listStart]), shortText(name));
      for (const item of value) parts.push(Buffer.from([element.listItem]), longText(item));
      parts.push(Buffer.from([element.listEnd]));
    } else {
      parts.push(Buffer.from([element.sectionStart]), shortText(name), encodeMessage(value));
      parts.push(Buffer.from([element.sectionEnd]));
    }
  }
  return Buffer.concat(parts);
}

/** The message in these bytes. */
export function decodeMessage(bytes: Buffer): ViciMessage {
  const reader = { bytes, at: 0 };
  return decodeSection(reader);
}

function decodeSection(reader: { readonly bytes: Buffer; at: number }): ViciMessage {
  const { bytes } = reader;
  const text = (sizeBytes: 1 | 2): string => {
    const length = bytes.readUIntBE(reader.at, sizeBytes);
    reader.at += sizeBytes + length;
    return bytes.toString("utf8", reader.at - length, reader.at);
  };
  const message: Record<string, string | string[] | ViciMessage> = {};
  let list: string[] = [];
  while (reader.at < bytes.length) {
    const type = bytes.readUInt8(reader.at++);
    if (type === element.sectionEnd) return message;
    if (type === element.sectionStart) {
      const name = text(1);
      message[name] = decodeSection(reader);
    } else if (type === element.keyValue) {
      const name = text(1);
      message[name] = text(2);
    } else if (type === element.listStart) {
      list = [];
      message[text(1)] = list;
    } else if (type === element.listItem) {
      list.push(text(2));
    } else if (type !== element.listEnd) {
      throw new Error(`VICI message has element type ${type} at byte ${reader.at - 1}`);
    }
  }
  return message;
}

function isList(value: readonly string[] | ViciMessage): value is readonly string[] {
  return Array.isArray(value);
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function longText(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

interface Expectation {
  readonly resolve: (message: ViciMessage) => void;
  readonly reject: (error: Error) => void;
  readonly command: string;
}

/** One connection to a daemon. Requests are answered in order; a blocking one wants a session of its own. */
export class ViciSession {
  readonly #socket: Socket;
  readonly #listeners = new Map<string, (message: ViciMessage) => void>();
  #expected: Expectation[] = [];
  #received = Buffer.alloc(0);

  /** Connects to the daemon's socket. */
  static async open(path: string): Promise<ViciSession> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new ViciSession(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes) => this.#receive(bytes));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("charon closed its control connection")));
  }

  /** Sends a command and returns its answer; throws when the daemon says that it did not succeed. */
  async request(command: string, message: ViciMessage = {}, timeoutMs = 10_000): Promise<ViciMessage> {
    const answer = await this.#exchange(packet.request, command, encodeMessage(message), timeoutMs);
    if (answer.success === "no") throw new Error(`charon refused ${command}: ${String(answer.errmsg)}`);
    return answer;
  }

  /** Has the daemon report an event from now on. */
  async listen(event: string, listener: (message: ViciMessage) => void): Promise<void> {
    this.#listeners.set(event, listener);
    await this.#exchange(packet.eventRegister, event, Buffer.alloc(0), 10_000);
  }

  /** Sends a command that answers with a stream of events, and returns these. */
  async collect(command: string, event: string): Promise<ViciMessage[]> {
    const messages: ViciMessage[] = [];
    await this.listen(event, (message) => messages.push(message));
    await this.request(command);
    await this.#exchange(packet.eventUnregister, event, Buffer.alloc(0), 10_000);
    return messages;
  }

  close(): void {
    this.#socket.destroy();
  }

  async #exchange(type: number, name: string, body: Buffer, timeoutMs: number): Promise<ViciMessage> {
    const content = Buffer.concat([Buffer.from([type]), shortText(name), body]);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(content.length);
    const answer = new Promise<ViciMessage>((resolve, reject) => {
      this.#expected.push({ resolve, reject, command: name });
    });
    if (this.#socket.destroyed) this.#fail(new Error("charon's control connection is closed"));
    else this.#socket.write(Buffer.concat([length, content]));
    // A session that missed an answer is out of step: it is of no further use.
    const late = () =>
      this.#socket.destroy(new Error(`charon did not answer ${name} within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= 4) {
      const end = 4 + this.#received.readUInt32BE(0);
      if (this.#received.length < end) return;
      const content = this.#received.subarray(4, end);
      this.#received = this.#received.subarray(end);
      this.#dispatch(content);
    }
  }

  #dispatch(content: Buffer): void {
    const type = content.readUInt8(0);
    if (type === packet.event) {
      const nameEnd = 2 + content.readUInt8(1);
      this.#listeners.get(content.toString("utf8", 2, nameEnd))?.(decodeMessage(content.subarray(nameEnd)));
      return;
    }
    const expected = this.#expected.shift();
    if (type === packet.response) expected?.resolve(decodeMessage(content.subarray(1)));
    else if (type === packet.eventConfirm) expected?.resolve({});
    else expected?.reject(new Error(`charon does not know ${expected.command} (packet type ${type})`));
  }

  #fail(error: Error): void {
    const expected = this.#expected;
    this.#expected = [];
    for (const { reject } of expected) reject(error);
  }
}
