import { isUtf8 } from "node:buffer";
import { toLatin1 } from "#/base/bytes.ts";

const CACHE_SLOTS = 1024; // a power of two
const MAX_CACHED_LENGTH = 64;
// biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
const ASCII = /^[\u0000-\u007f]*$/;

/** Decodes the names of one torrent: UTF-8, else what its `encoding` key names, else UTF-8 with bad bytes as U+FFFD. */
export class TextReader {
  readonly #fallback: TextDecoder | undefined;
  readonly #cache: (string | undefined)[] = new Array(CACHE_SLOTS); // of ASCII alone: a character is a byte
  #buffer: Buffer = Buffer.alloc(0); // all of the memory that the names are in: one object for all of them

  constructor(encoding: string | undefined) {
    this.#fallback = tryDecoder(encoding);
  }

  text(bytes: Uint8Array): string {
    if (this.#buffer.buffer !== bytes.buffer) this.#buffer = Buffer.from(bytes.buffer);
    const text = this.#buffer.toString("utf8", bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    return this.#fallback === undefined || !text.includes("\ufffd") || isUtf8(bytes) ? text : this.#fallback.decode(bytes);
  }

  /** As `text`, for names that come again and again, such as those of folders: they become one string. */
  repeatedText(bytes: Uint8Array): string {
    const length = bytes.byteLength;
    if (length === 0 || length > MAX_CACHED_LENGTH) return this.text(bytes);
    const slot = hash(bytes) & (CACHE_SLOTS - 1);
    const cached = this.#cache[slot];
    if (cached !== undefined && cached.length === length) {
      let i = 0;
      while (i < length && cached.charCodeAt(i) === bytes[i]) i++;
      if (i === length) return cached;
    }
    const text = this.text(bytes);
    if (text.length === length && ASCII.test(text)) this.#cache[slot] = text;
    return text;
  }

  /** A text that no other bytes have: two names of bad UTF-8 may be shown the same and still be two names. */
  identity(bytes: Uint8Array, text: string): string {
    const faithful = (this.#fallback === undefined && !text.includes("\ufffd")) || isUtf8(bytes);
    return faithful ? text : `\ud800${toLatin1(bytes)}`; // a lone surrogate comes from no UTF-8
  }
}

function hash(bytes: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < bytes.byteLength; i++) value = (Math.imul(value, 31) + (bytes[i] as number)) | 0;
  return value ^ (value >>> 10);
}

function tryDecoder(label: string | undefined): TextDecoder | undefined {
  if (label === undefined || /^\s*utf-?8\s*$/i.test(label)) return undefined;
  try {
    return new TextDecoder(label);
  } catch {
    return undefined; // no encoding of that name
  }
}
