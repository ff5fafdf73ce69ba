import { BencodeDictionary, type BencodeValue, type DictionarySlots, SLOTS_PER_ENTRY } from "./dictionary.ts";
import { BencodeError, type bencodeErrorCodes } from "./errors.ts";

/** A departure from canonical form that does not hinder reading. */
export interface BencodeIssue {
  readonly type: "duplicateKey" | "unsortedKey" | "leadingZero" | "negativeZero";
  /** Where in the input it begins, in bytes. */
  readonly at: number;
  /** The key, for issues of keys. */
  readonly key?: string;
}

export interface DecodeOptions {
  /** Refuse what is reported as an issue otherwise. @default false */
  readonly canonical?: boolean;
  /** How deep lists and dictionaries may be nested, at most 1000. @default 100 */
  readonly maxDepth?: number;
  /** Longest input, in bytes. @default 134_217_728 */
  readonly maxBytes?: number;
  /** Most values, keys not counted: bounds the memory that a hostile input can ask for. @default 8_000_000 */
  readonly maxValues?: number;
  /**
   * Keys, at any depth, whose values are not decoded: the bytes of the value as it stands take its place, so that
   * a long list costs no memory. Only its outline is checked, the rest when a `ListDecoder` or `decode` reads it.
   */
  readonly opaqueKeys?: readonly string[];
  /** @default -(2n ** 63n) */
  readonly minInteger?: bigint;
  /** @default 2n ** 64n - 1n */
  readonly maxInteger?: bigint;
}

export interface DecodedPrefix {
  readonly value: BencodeValue;
  /** Where the value ends in the input, in bytes. */
  readonly end: number;
  /** In the order of the input; only the first 64 are kept. */
  readonly issues: readonly BencodeIssue[];
}

const MAX_ISSUES = 64;
const HARD_MAX_DEPTH = 1000; // the decoder calls itself: the stack must hold this
const MAX_LENGTH_DIGITS = 15; // stays below 2^53
const KEY_CACHE_SLOTS = 64; // a power of two
const MAX_CACHED_KEY_LENGTH = 24;

const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const MINUS = 0x2d;
const LETTER_D = 0x64;
const LETTER_E = 0x65;
const LETTER_I = 0x69;
const LETTER_L = 0x6c;

/**
 * Decodes one value that fills the input (BEP 3, "bencoding"). Duplicate and unsorted keys, leading zeros and "-0" are
 * accepted unless `canonical` is set; `decodePrefix` reports them.
 * @param bytes byte strings and dictionaries in the result are views of it, valid while it is not changed
 * @throws {BencodeError} any code but BENCODE_UNENCODABLE
 */
export function decode(bytes: Uint8Array, options: DecodeOptions = {}): BencodeValue {
  const { value, end } = decodePrefix(bytes, options);
  expectEnd(bytes, end);
  return value;
}

/**
 * Decodes the value that the input begins with, and tells where it ends and how it departs from canonical form.
 * @throws {BencodeError} any code but BENCODE_UNENCODABLE and BENCODE_TRAILING_BYTES
 */
export function decodePrefix(bytes: Uint8Array, options: DecodeOptions = {}): DecodedPrefix {
  const decoder = new Decoder(bytes, options);
  const value = decoder.value(0);
  return { value, end: decoder.position, issues: decoder.issues };
}

/** Decodes a list item by item, so that each can be dropped before the next is read. */
export class ListDecoder {
  readonly #decoder: Decoder;
  #ended = false;

  /**
   * @param bytes a list, `l` to `e`
   * @throws {BencodeError} BENCODE_UNEXPECTED_BYTE when it is no list, BENCODE_TOO_LARGE
   */
  constructor(bytes: Uint8Array, options: DecodeOptions = {}) {
    this.#decoder = new Decoder(bytes, options);
    this.#decoder.enterList();
  }

  /** Departures from canonical form in the items read; `at` counts from the beginning of the list. */
  get issues(): readonly BencodeIssue[] {
    return this.#decoder.issues;
  }

  /**
   * The next item, undefined behind the last one.
   * @throws {BencodeError} as `decode`
   */
  next(): BencodeValue | undefined {
    if (this.#ended) return undefined;
    if (this.#decoder.tryLeaveList()) {
      this.#ended = true;
      return undefined;
    }
    return this.#decoder.value(1);
  }
}

class Decoder {
  position = 0;
  readonly issues: BencodeIssue[] = [];
  readonly #bytes: Uint8Array;
  readonly #maxDepth: number;
  readonly #opaqueKeys: readonly string[] | undefined;
  readonly #canonical: boolean;
  readonly #minInteger: bigint;
  readonly #maxInteger: bigint;
  readonly #minNumber: number; // the same bounds for integers that are safe as numbers: comparing these with bigint is slow
  readonly #maxNumber: number;
  readonly #maxDigits: number;
  #valuesLeft: number;
  #inOutline = false; // then issues are left to whoever decodes the value
  #buffer: Buffer | undefined; // the same bytes, for text of long keys
  readonly #keyCache: (string | undefined)[] = []; // keys repeat: one string for each, where its hash puts it

  constructor(bytes: Uint8Array, options: DecodeOptions) {
    this.#bytes = bytes;
    this.#maxDepth = Math.min(options.maxDepth ?? 100, HARD_MAX_DEPTH);
    this.#opaqueKeys = options.opaqueKeys;
    this.#canonical = options.canonical ?? false;
    this.#valuesLeft = options.maxValues ?? 8_000_000;
    this.#minInteger = options.minInteger ?? -(2n ** 63n);
    this.#maxInteger = options.maxInteger ?? 2n ** 64n - 1n;
    this.#minNumber = Number(this.#minInteger);
    this.#maxNumber = Number(this.#maxInteger);
    this.#maxDigits = Math.max(String(this.#minInteger).length, String(this.#maxInteger).length);
    const maxBytes = options.maxBytes ?? 134_217_728;
    if (bytes.byteLength > maxBytes) {
      throw this.#error("BENCODE_TOO_LARGE", `${bytes.byteLength} bytes, more than the ${maxBytes} allowed`, 0);
    }
  }

  value(depth: number): BencodeValue {
    const start = this.position;
    const byte = this.#bytes[start] as number;
    if (--this.#valuesLeft < 0) throw this.#tooMany(start);
    if (byte >= ZERO && byte <= NINE) return this.#byteString();
    if (byte === LETTER_I) return this.#integer();
    if (byte === LETTER_L || byte === LETTER_D) {
      if (depth >= this.#maxDepth) throw this.#tooDeep(start);
      return byte === LETTER_L ? this.#list(depth + 1) : this.#dictionary(depth + 1);
    }
    throw this.#noValue(byte, start);
  }

  enterList(): void {
    if (this.#bytes.byteLength === 0) throw this.#truncated();
    if (this.#bytes[0] !== LETTER_L) throw this.#error("BENCODE_UNEXPECTED_BYTE", "not a list", 0);
    this.position = 1;
  }

  /** Steps over the end of a list when it is there; what follows it is refused. */
  tryLeaveList(): boolean {
    if (this.#bytes[this.position] !== LETTER_E) return false;
    this.position++;
    expectEnd(this.#bytes, this.position);
    return true;
  }

  /** Steps over one value and returns its bytes; pairs of keys and values are not told from items here. */
  #outline(depth: number): Uint8Array {
    const start = this.position;
    let open = 0;
    this.#inOutline = true;
    do {
      const at = this.position;
      const byte = this.#bytes[at] as number;
      if (byte === LETTER_E && open > 0) {
        open--;
        this.position++;
        continue;
      }
      if (--this.#valuesLeft < 0) throw this.#tooMany(at);
      if (byte >= ZERO && byte <= NINE) {
        const length = this.#length();
        this.position += length;
      } else if (byte === LETTER_I) this.#integer();
      else if (byte === LETTER_L || byte === LETTER_D) {
        if (depth + open++ >= this.#maxDepth) throw this.#tooDeep(at);
        this.position++;
      } else throw this.#noValue(byte, at);
    } while (open > 0);
    this.#inOutline = false;
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, this.position - start);
  }

  #byteString(): Uint8Array {
    const length = this.#length();
    const start = this.position;
    this.position = start + length;
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
  }

  /** Reads `<digits>:`, and checks that as many bytes follow before anyone allocates for them. */
  #length(): number {
    const bytes = this.#bytes;
    const start = this.position;
    let at = start;
    let length = 0;
    let byte = bytes[at] as number;
    while (byte >= ZERO && byte <= NINE) {
      if (at - start === MAX_LENGTH_DIGITS)
        throw this.#error("BENCODE_BAD_LENGTH", `a length of too many digits at ${start}`, start);
      length = length * 10 + (byte - ZERO);
      byte = bytes[++at] as number;
    }
    if (byte === undefined) throw this.#truncated();
    if (byte !== COLON) throw this.#error("BENCODE_BAD_LENGTH", `no colon after the length at ${start}`, start);
    if (bytes[start] === ZERO && at > start + 1) this.#irregular("leadingZero", start);
    this.position = at + 1;
    if (length > bytes.byteLength - this.position) throw this.#truncated();
    return length;
  }

  #integer(): number | bigint {
    const bytes = this.#bytes;
    const start = this.position;
    let at = start + 1;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    const digitsStart = at;
    while (bytes[at] === ZERO) at++;
    const significantStart = at;
    let magnitude = 0;
    let byte = bytes[at] as number;
    while (byte >= ZERO && byte <= NINE) {
      if (at - significantStart === this.#maxDigits) throw this.#range(start);
      magnitude = magnitude * 10 + (byte - ZERO);
      byte = bytes[++at] as number;
    }
    if (byte === undefined) throw this.#truncated();
    if (byte !== LETTER_E || at === digitsStart) throw this.#error("BENCODE_BAD_INTEGER", `not an integer at ${start}`, start);
    if (bytes[digitsStart] === ZERO && at > digitsStart + 1) this.#irregular("leadingZero", start);
    else if (negative && magnitude === 0) this.#irregular("negativeZero", start);
    this.position = at + 1;
    if (magnitude <= Number.MAX_SAFE_INTEGER) {
      const value = negative && magnitude !== 0 ? -magnitude : magnitude;
      if (value < this.#minNumber || value > this.#maxNumber) throw this.#range(start);
      return value;
    }
    const digits = BigInt(this.#latin1(significantStart, at));
    const value = negative ? -digits : digits;
    if (value < this.#minInteger || value > this.#maxInteger) throw this.#range(start);
    return value;
  }

  #list(depth: number): BencodeValue[] {
    const items: BencodeValue[] = [];
    this.position++;
    while (this.#bytes[this.position] !== LETTER_E) items.push(this.value(depth));
    this.position++;
    return items;
  }

  #dictionary(depth: number): BencodeDictionary {
    const start = this.position;
    const slots: DictionarySlots = [];
    let highest: string | undefined;
    let seen: Set<string> | undefined; // only once keys come out of order
    this.position++;
    for (let keyStart = this.position; this.#bytes[keyStart] !== LETTER_E; keyStart = this.position) {
      const key = this.#key();
      let duplicate = false;
      if (highest === undefined || key > highest) {
        highest = key;
        seen?.add(key);
      } else {
        seen ??= keysOf(slots);
        duplicate = seen.has(key);
        seen.add(key);
        this.#irregular(duplicate ? "duplicateKey" : "unsortedKey", keyStart, key);
      }
      const valueStart = this.position;
      const value = this.#opaqueKeys?.includes(key) ? this.#outline(depth) : this.value(depth);
      if (!duplicate) slots.push(key, value, valueStart, this.position);
    }
    this.position++;
    return new BencodeDictionary(this.#bytes, start, this.position, slots);
  }

  #key(): string {
    const byte = this.#bytes[this.position] as number;
    if (byte === undefined) throw this.#truncated();
    if (byte < ZERO || byte > NINE) throw this.#error("BENCODE_BAD_KEY", `no key at ${this.position}`, this.position);
    const length = this.#length();
    const start = this.position;
    this.position = start + length;
    if (length > MAX_CACHED_KEY_LENGTH || length === 0) return this.#latin1(start, this.position);
    const bytes = this.#bytes;
    const first = bytes[start] as number;
    const last = bytes[this.position - 1] as number;
    const slot = (first * 5 + last * 3 + length) & (KEY_CACHE_SLOTS - 1);
    const cached = this.#keyCache[slot];
    if (cached !== undefined && cached.length === length) {
      let i = 0;
      while (i < length && cached.charCodeAt(i) === bytes[start + i]) i++;
      if (i === length) return cached;
    }
    const key = this.#latin1(start, this.position);
    this.#keyCache[slot] = key;
    return key;
  }

  #latin1(start: number, end: number): string {
    this.#buffer ??= Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
    return this.#buffer.toString("latin1", start, end);
  }

  #irregular(type: BencodeIssue["type"], at: number, key?: string): void {
    if (this.#canonical) {
      const what = key === undefined ? type : `${type} "${key}"`;
      throw this.#error("BENCODE_NOT_CANONICAL", `${what} at ${at}`, at);
    }
    if (!this.#inOutline && this.issues.length < MAX_ISSUES) this.issues.push(key === undefined ? { type, at } : { type, at, key });
  }

  #noValue(byte: number | undefined, at: number): BencodeError {
    if (byte === undefined) return this.#truncated();
    return this.#error("BENCODE_UNEXPECTED_BYTE", `no value begins with byte ${byte} at ${at}`, at);
  }

  #tooMany(at: number): BencodeError {
    return this.#error("BENCODE_TOO_MANY_VALUES", "more values than allowed", at);
  }

  #tooDeep(at: number): BencodeError {
    return this.#error("BENCODE_TOO_DEEP", `nested deeper than ${this.#maxDepth}`, at);
  }

  #truncated(): BencodeError {
    const at = this.#bytes.byteLength;
    return this.#error("BENCODE_TRUNCATED", `the input ends at byte ${at}, inside a value`, at);
  }

  #range(at: number): BencodeError {
    const range = `${this.#minInteger} to ${this.#maxInteger}`;
    return this.#error("BENCODE_INTEGER_RANGE", `the integer at ${at} is not within ${range}`, at);
  }

  #error(code: keyof typeof bencodeErrorCodes, message: string, at: number): BencodeError {
    return new BencodeError(code, message, { fault: "remote", details: { at } });
  }
}

function expectEnd(bytes: Uint8Array, end: number): void {
  const trailing = bytes.byteLength - end;
  if (trailing === 0) return;
  const message = `${trailing} bytes follow the value that ends at byte ${end}`;
  throw new BencodeError("BENCODE_TRAILING_BYTES", message, { fault: "remote", details: { at: end, trailing } });
}

function keysOf(slots: DictionarySlots): Set<string> {
  const keys = new Set<string>();
  for (let at = 0; at < slots.length; at += SLOTS_PER_ENTRY) keys.add(slots[at] as string);
  return keys;
}
