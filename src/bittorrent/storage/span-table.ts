/** Bits of SpanTable.flags. */
export const fileFlag = {
  /** Nothing on disk holds its bytes, which are zero: a padding file. */
  virtual: 1,
  executable: 2,
  /** The bytes it has in its first piece are in the parts file. */
  headInParts: 4,
  /** The bytes it has in its last piece, when that is not the first, are in the parts file. */
  tailInParts: 8,
} as const;
const IN_PARTS = fileFlag.headInParts | fileFlag.tailInParts;

/** Span.file of bytes in the parts file; the span's offset is then the torrent's. */
export const PARTS_FILE = -1;
/** Span.file of bytes that are zero and nowhere on disk. */
export const ZEROS = -2;

export interface Span {
  readonly file: number;
  /** Position in that file. */
  readonly offset: number;
  readonly length: number;
}

export interface SpanTableSource {
  readonly pieceLength: number;
  readonly totalLength: number;
  /** One number a file, in the torrent's order, without gaps: offsets[i + 1] = offsets[i] + lengths[i]. */
  readonly lengths: Float64Array;
  readonly offsets: Float64Array;
  /** A set of fileFlag bits a file. */
  readonly flags: Uint8Array;
}

/** Which bytes of a piece are where. Used on both sides of the disk threads, so it imports nothing. */
export class SpanTable {
  readonly pieceLength: number;
  readonly totalLength: number;
  readonly pieceCount: number;
  readonly lengths: Float64Array;
  readonly offsets: Float64Array;
  readonly flags: Uint8Array;
  /** Indexes of the files that have bytes. */
  readonly #data: Uint32Array;
  #lastFound = 0;

  constructor(source: SpanTableSource) {
    this.pieceLength = source.pieceLength;
    this.totalLength = source.totalLength;
    this.pieceCount = Math.ceil(source.totalLength / source.pieceLength);
    this.lengths = source.lengths;
    this.offsets = source.offsets;
    this.flags = source.flags;
    const data: number[] = [];
    source.lengths.forEach((length, file) => {
      if (length > 0) data.push(file);
    });
    this.#data = Uint32Array.from(data);
  }

  pieceSize(piece: number): number {
    return Math.min(this.pieceLength, this.totalLength - piece * this.pieceLength);
  }

  firstPiece(file: number): number {
    return Math.floor((this.offsets[file] as number) / this.pieceLength);
  }

  /** For a file that has bytes. */
  lastPiece(file: number): number {
    return Math.floor(((this.offsets[file] as number) + (this.lengths[file] as number) - 1) / this.pieceLength);
  }

  /** The file that has the torrent's byte at `offset`, which must be below totalLength. */
  fileAt(offset: number): number {
    return this.#data[this.#find(offset)] as number;
  }

  #find(offset: number): number {
    const last = this.#data[this.#lastFound] as number;
    const lastStart = this.offsets[last] as number;
    if (offset >= lastStart && offset < lastStart + (this.lengths[last] as number)) return this.#lastFound;
    let low = 0;
    let high = this.#data.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.offsets[this.#data[middle] as number] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    this.#lastFound = low;
    return low;
  }

  /** Where `length` bytes of a piece are, in order. The range must lie within the piece. */
  spans(piece: number, begin: number, length: number): Span[] {
    const out: Span[] = [];
    let at = piece * this.pieceLength + begin;
    const end = at + length;
    for (let i = length > 0 ? this.#find(at) : 0; at < end; i++) {
      const file = this.#data[i] as number;
      const start = this.offsets[file] as number;
      const spanEnd = Math.min(end, start + (this.lengths[file] as number));
      if (((this.flags[file] as number) & fileFlag.virtual) !== 0) out.push({ file: ZEROS, offset: 0, length: spanEnd - at });
      else if (this.isInParts(file, piece)) out.push({ file: PARTS_FILE, offset: at, length: spanEnd - at });
      else out.push({ file, offset: at - start, length: spanEnd - at });
      at = spanEnd;
    }
    return out;
  }

  /** Whether the bytes of this piece in this file are in the parts file. */
  isInParts(file: number, piece: number): boolean {
    const flags = this.flags[file] as number;
    if ((flags & IN_PARTS) === 0) return false;
    if (piece === this.firstPiece(file)) return (flags & fileFlag.headInParts) !== 0;
    return piece === this.lastPiece(file) && (flags & fileFlag.tailInParts) !== 0;
  }

  /** Pieces that this file shares with another that is on disk, with the flag bit of each. At most two. */
  edges(file: number): { readonly piece: number; readonly flag: number }[] {
    if (this.lengths[file] === 0 || ((this.flags[file] as number) & fileFlag.virtual) !== 0) return [];
    const first = this.firstPiece(file);
    const last = this.lastPiece(file);
    const out = this.#isShared(first) ? [{ piece: first, flag: fileFlag.headInParts as number }] : [];
    if (last !== first && this.#isShared(last)) out.push({ piece: last, flag: fileFlag.tailInParts });
    return out;
  }

  /** The bytes that a file has in a piece: position in the torrent and length. */
  overlap(file: number, piece: number): { readonly start: number; readonly length: number } {
    const start = Math.max(this.offsets[file] as number, piece * this.pieceLength);
    const end = Math.min((this.offsets[file] as number) + (this.lengths[file] as number), (piece + 1) * this.pieceLength);
    return { start, length: end - start };
  }

  #isShared(piece: number): boolean {
    const end = piece * this.pieceLength + this.pieceSize(piece);
    let files = 0;
    for (let i = this.#find(piece * this.pieceLength); i < this.#data.length; i++) {
      const file = this.#data[i] as number;
      if ((this.offsets[file] as number) >= end) break;
      if (((this.flags[file] as number) & fileFlag.virtual) === 0 && ++files === 2) return true;
    }
    return false;
  }
}

/** Spans with neighbours in the same file joined, so that many small pieces are read at once. */
export function joinSpans(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (last !== undefined && last.file === span.file && (last.file === ZEROS || last.offset + last.length === span.offset)) {
      out[out.length - 1] = { ...last, length: last.length + span.length };
    } else out.push(span);
  }
  return out;
}
