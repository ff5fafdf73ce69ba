import { BencodeDictionary } from "./dictionary.ts";
import { BencodeError } from "./errors.ts";

/** What `encode` takes. Text becomes UTF-8; keys have one character a byte, U+0000 to U+00FF; undefined members are left out. */
export type BencodeInput =
  | number
  | bigint
  | string
  | Uint8Array
  | BencodeDictionary
  | readonly BencodeInput[]
  | ReadonlyMap<string, BencodeInput | undefined>
  | { readonly [key: string]: BencodeInput | undefined };

const MAX_DEPTH = 1000; // also ends a value that contains itself
const FIRST_CAPACITY = 512;
const utf8 = new TextEncoder();

/**
 * Encodes a value in canonical form: keys sorted by their bytes (BEP 3, "bencoding").
 * A `BencodeDictionary` is written as it stood in its input, canonical or not, so that its hash is kept.
 * @returns a buffer of its own
 * @throws {BencodeError} BENCODE_UNENCODABLE, BENCODE_TOO_DEEP
 */
export function encode(value: BencodeInput): Uint8Array {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.finish();
}

class Writer {
  #out = new Uint8Array(FIRST_CAPACITY);
  #length = 0;

  finish(): Uint8Array {
    return this.#out.slice(0, this.#length);
  }

  value(value: BencodeInput, depth: number): void {
    if (typeof value === "string") this.#text(value);
    else if (typeof value === "number" || typeof value === "bigint") this.#integer(value);
    else if (value instanceof Uint8Array) this.#byteString(value);
    else if (value instanceof BencodeDictionary) this.#raw(value.raw);
    else if (typeof value !== "object" || value === null) throw unencodable(`a ${value === null ? "null" : typeof value}`);
    else if (depth >= MAX_DEPTH) {
      throw new BencodeError("BENCODE_TOO_DEEP", `nested deeper than ${MAX_DEPTH}`, { fault: "local" });
    } else if (isList(value)) {
      this.#ascii("l");
      for (const item of value) this.value(item, depth + 1);
      this.#ascii("e");
    } else this.#dictionary(value, depth + 1);
  }

  #dictionary(value: ReadonlyMap<string, BencodeInput | undefined> | object, depth: number): void {
    if (!(value instanceof Map) && !isPlainObject(value)) throw unencodable("an object of a class");
    const members: [string, BencodeInput][] = [];
    for (const member of value instanceof Map ? value : Object.entries(value)) {
      if (member[1] !== undefined) members.push(member as [string, BencodeInput]);
    }
    members.sort(byKey);
    this.#ascii("d");
    for (const [key, item] of members) {
      for (let i = 0; i < key.length; i++)
        if (key.charCodeAt(i) > 0xff) throw unencodable(`a key with a character above U+00FF, "${key}",`);
      this.#ascii(`${key.length}:`);
      this.#ascii(key);
      this.value(item, depth);
    }
    this.#ascii("e");
  }

  #integer(value: number | bigint): void {
    if (typeof value === "number" && !Number.isSafeInteger(value)) throw unencodable(`the number ${value}`);
    this.#ascii(`i${value}e`);
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#ascii(`${length}:`);
    if (length === text.length) {
      this.#ascii(text);
      return;
    }
    this.#reserve(length);
    utf8.encodeInto(text, this.#out.subarray(this.#length));
    this.#length += length;
  }

  #byteString(bytes: Uint8Array): void {
    this.#ascii(`${bytes.byteLength}:`);
    this.#raw(bytes);
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#out.set(bytes, this.#length);
    this.#length += bytes.byteLength;
  }

  /** One byte a character. */
  #ascii(text: string): void {
    this.#reserve(text.length);
    for (let i = 0; i < text.length; i++) this.#out[this.#length + i] = text.charCodeAt(i);
    this.#length += text.length;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#out.byteLength) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#out.byteLength));
    larger.set(this.#out.subarray(0, this.#length));
    this.#out = larger;
  }
}

function isList(value: object): value is readonly BencodeInput[] {
  return Array.isArray(value);
}

function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Characters stand for bytes, so the order of text is the order of bytes. */
function byKey(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0;
}

function unencodable(what: string): BencodeError {
  return new BencodeError("BENCODE_UNENCODABLE", `${what} has no bencoded form`, { fault: "local" });
}
