import { decodeUtf8Loose } from "#/base/bytes.ts";

/** A decoded value. Integers beyond ±(2^53 − 1) are bigint; byte strings are views of the input. */
export type BencodeValue = number | bigint | Uint8Array | BencodeValue[] | BencodeDictionary;

/** Entries in one flat array, four slots each: key, value, where the value begins and ends in the input. */
export type DictionarySlots = (string | BencodeValue)[];
export const SLOTS_PER_ENTRY = 4;
const INDEX_FROM_ENTRIES = 8; // below, a walk through the keys is quicker than a map

/**
 * A decoded dictionary. Keys are text with one character a byte, U+0000 to U+00FF, in the order of the input;
 * of a key that stands there twice the first value counts.
 * It refers to the input, which must not change while the dictionary is used.
 */
export class BencodeDictionary {
  readonly #input: Uint8Array;
  readonly #start: number;
  readonly #end: number;
  readonly #slots: DictionarySlots;
  #index: Map<string, number> | undefined;

  /** Made by the decoder; `slots` is kept, not copied. */
  constructor(input: Uint8Array, start: number, end: number, slots: DictionarySlots) {
    this.#input = input;
    this.#start = start;
    this.#end = end;
    this.#slots = slots;
  }

  get size(): number {
    return this.#slots.length / SLOTS_PER_ENTRY;
  }

  /** View of the whole dictionary as it stands in the input, `d` to `e`. */
  get raw(): Uint8Array {
    return this.#view(this.#start, this.#end);
  }

  get(key: string): BencodeValue | undefined {
    const at = this.#find(key);
    return at === -1 ? undefined : (this.#slots[at + 1] as BencodeValue);
  }

  has(key: string): boolean {
    return this.#find(key) !== -1;
  }

  /** View of the bytes of a value as they stand in the input; what is hashed or signed is taken from here. */
  rawOf(key: string): Uint8Array | undefined {
    const at = this.#find(key);
    return at === -1 ? undefined : this.#view(this.#slots[at + 2] as number, this.#slots[at + 3] as number);
  }

  *entries(): IterableIterator<[string, BencodeValue]> {
    for (let at = 0; at < this.#slots.length; at += SLOTS_PER_ENTRY) {
      yield [this.#slots[at] as string, this.#slots[at + 1] as BencodeValue];
    }
  }

  [Symbol.iterator](): IterableIterator<[string, BencodeValue]> {
    return this.entries();
  }

  /** The byte string of a key; undefined when it is absent or of another type. */
  bytes(key: string): Uint8Array | undefined {
    const value = this.get(key);
    return value instanceof Uint8Array ? value : undefined;
  }

  /** The byte string of a key as UTF-8 text, bad bytes as U+FFFD; undefined when it is absent or of another type. */
  text(key: string): string | undefined {
    const value = this.bytes(key);
    return value === undefined ? undefined : decodeUtf8Loose(value);
  }

  /** The integer of a key; undefined when it is absent, of another type, or beyond ±(2^53 − 1). */
  integer(key: string): number | undefined {
    const value = this.get(key);
    return typeof value === "number" ? value : undefined;
  }

  /** The list of a key; undefined when it is absent or of another type. */
  list(key: string): BencodeValue[] | undefined {
    const value = this.get(key);
    return Array.isArray(value) ? value : undefined;
  }

  /** The dictionary of a key; undefined when it is absent or of another type. */
  dictionary(key: string): BencodeDictionary | undefined {
    const value = this.get(key);
    return value instanceof BencodeDictionary ? value : undefined;
  }

  #find(key: string): number {
    const slots = this.#slots;
    if (slots.length <= INDEX_FROM_ENTRIES * SLOTS_PER_ENTRY) {
      for (let at = 0; at < slots.length; at += SLOTS_PER_ENTRY) if (slots[at] === key) return at;
      return -1;
    }
    if (this.#index === undefined) {
      this.#index = new Map();
      for (let at = 0; at < slots.length; at += SLOTS_PER_ENTRY) this.#index.set(slots[at] as string, at);
    }
    return this.#index.get(key) ?? -1;
  }

  #view(start: number, end: number): Uint8Array {
    return new Uint8Array(this.#input.buffer, this.#input.byteOffset + start, end - start);
  }
}
