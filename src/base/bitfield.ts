/** A set of piece indexes, stored as BEP 3's bitfield message has it: the high bit of byte 0 is piece 0. */
export class Bitfield {
  /** Number of pieces. */
  readonly length: number;
  /** ceil(length / 8) bytes, spare bits zero. Read only for callers. */
  readonly bytes: Uint8Array;
  #count = 0;

  constructor(length: number) {
    this.length = length;
    this.bytes = new Uint8Array((length + 7) >>> 3);
  }

  /**
   * A copy of `bytes` as a bitfield of `length` pieces.
   * @returns undefined when the byte length differs from ceil(length / 8) or a spare bit is set
   */
  static tryFrom(bytes: Uint8Array, length: number): Bitfield | undefined {
    if (bytes.byteLength !== (length + 7) >>> 3) return undefined;
    const spare = length & 7;
    if (spare !== 0 && ((bytes[bytes.byteLength - 1] ?? 0) & (0xff >> spare)) !== 0) return undefined;
    const field = new Bitfield(length);
    field.bytes.set(bytes);
    let count = 0;
    for (const byte of bytes) count += bitCounts[byte] as number;
    field.#count = count;
    return field;
  }

  /** How many pieces are in the set. */
  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.length;
  }

  has(piece: number): boolean {
    return ((this.bytes[piece >>> 3] as number) & (0x80 >> (piece & 7))) !== 0;
  }

  /** @returns false when it was there already */
  add(piece: number): boolean {
    if (piece >= this.length || this.has(piece)) return false;
    this.bytes[piece >>> 3] = (this.bytes[piece >>> 3] as number) | (0x80 >> (piece & 7));
    this.#count++;
    return true;
  }

  /** @returns false when it was not there */
  delete(piece: number): boolean {
    if (piece >= this.length || !this.has(piece)) return false;
    this.bytes[piece >>> 3] = (this.bytes[piece >>> 3] as number) & ~(0x80 >> (piece & 7));
    this.#count--;
    return true;
  }

  fill(): void {
    this.bytes.fill(0xff);
    const spare = this.length & 7;
    if (spare !== 0) this.bytes[this.bytes.byteLength - 1] = 0xff << (8 - spare);
    this.#count = this.length;
  }

  clear(): void {
    this.bytes.fill(0);
    this.#count = 0;
  }

  clone(): Bitfield {
    const copy = new Bitfield(this.length);
    copy.bytes.set(this.bytes);
    copy.#count = this.#count;
    return copy;
  }

  *[Symbol.iterator](): Generator<number> {
    for (let piece = 0; piece < this.length; piece++) if (this.has(piece)) yield piece;
  }
}

const bitCounts = new Uint8Array(256);
for (let i = 1; i < 256; i++) bitCounts[i] = (i & 1) + (bitCounts[i >> 1] as number);
