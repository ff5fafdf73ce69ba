/** Hashes of pieces, of those being written and of those on disk. Runs only in disk threads. */
import { createHash, type Hash, hash } from "node:crypto";
import type { CheckResult, DiskFailure } from "./disk-messages.ts";
import { type DiskVolume, failureOf, isAbsence } from "./disk-volume.ts";
import { joinSpans, type Span } from "./span-table.ts";

const DIGEST_LENGTH = 20;
const BLOCK_LENGTH = 16 * 1024;
const WINDOW_LENGTH = 2 * 1024 * 1024;

/** A piece of which some chunks are written. */
interface PieceState {
  hash: Hash;
  /** All bytes before this one are hashed. */
  next: number;
  /** One byte for each chunk. */
  readonly written: Uint8Array;
  count: number;
}

let window: Uint8Array | undefined;
/** Memory to read into, one for the thread; valid until the next call of a function of this file. */
function scratch(length: number): Uint8Array {
  if (window === undefined || window.length < length) window = new Uint8Array(Math.max(WINDOW_LENGTH, length));
  return window.subarray(0, length);
}

/** Follows the pieces of one volume while they are written. BOUNDED by the pieces the caller has begun. */
export class PieceHashes {
  readonly #volume: DiskVolume;
  readonly #states = new Map<number, PieceState>();

  constructor(volume: DiskVolume) {
    this.#volume = volume;
  }

  /**
   * Takes note of a chunk that is written; hashes it, and those after it that came before, when it is the next.
   * @returns the digest when the piece is complete
   */
  accept(piece: number, begin: number, bytes: Uint8Array): Buffer | undefined {
    const { table, spec } = this.#volume;
    const size = table.pieceSize(piece);
    let state = this.#states.get(piece);
    if (state === undefined) {
      const written = new Uint8Array(Math.ceil(size / spec.chunkLength));
      state = { hash: createHash("sha1"), next: 0, written, count: 0 };
      this.#states.set(piece, state);
    }
    const index = begin / spec.chunkLength;
    if (state.written[index] === 0) {
      state.written[index] = 1;
      state.count++;
    } else if (begin < state.next) {
      // Written a second time, perhaps with other bytes: what was hashed may be gone.
      state.hash = createHash("sha1");
      state.next = 0;
    }
    if (begin === state.next) {
      state.hash.update(bytes);
      state.next += bytes.length;
    }
    while (state.next < size && state.written[state.next / spec.chunkLength] === 1) {
      const length = Math.min(spec.chunkLength, size - state.next);
      state.hash.update(this.#read(table.spans(piece, state.next, length), length));
      state.next += length;
    }
    if (state.count < state.written.length) return undefined;
    this.#states.delete(piece);
    return state.hash.digest();
  }

  forget(piece: number): void {
    this.#states.delete(piece);
  }

  isRight(piece: number, digest: Uint8Array): boolean {
    return isRightDigest(this.#volume, piece, digest);
  }

  /** SHA-1 of each 16 KiB block as it is on disk, one after another. */
  blockDigests(piece: number): Uint8Array {
    const size = this.#volume.table.pieceSize(piece);
    const out = new Uint8Array(Math.ceil(size / BLOCK_LENGTH) * DIGEST_LENGTH);
    for (let at = 0; at < size; at += WINDOW_LENGTH) {
      const bytes = this.#read(
        this.#volume.table.spans(piece, at, Math.min(WINDOW_LENGTH, size - at)),
        Math.min(WINDOW_LENGTH, size - at),
      );
      for (let from = 0; from < bytes.length; from += BLOCK_LENGTH) {
        const digest = hash("sha1", bytes.subarray(from, from + BLOCK_LENGTH), "buffer");
        out.set(digest, ((at + from) / BLOCK_LENGTH) * DIGEST_LENGTH);
      }
    }
    return out;
  }

  #read(spans: readonly Span[], length: number): Uint8Array {
    const bytes = scratch(length);
    this.#volume.read(spans, bytes);
    return bytes;
  }
}

function isRightDigest(volume: DiskVolume, piece: number, digest: Uint8Array): boolean {
  const at = piece * DIGEST_LENGTH;
  return Buffer.compare(digest, volume.spec.pieces.subarray(at, at + DIGEST_LENGTH)) === 0;
}

/** Digest of one piece on disk, read in windows. */
function digestPiece(volume: DiskVolume, piece: number): Buffer {
  const size = volume.table.pieceSize(piece);
  const sha1 = createHash("sha1");
  for (let at = 0; at < size; at += WINDOW_LENGTH) {
    const length = Math.min(WINDOW_LENGTH, size - at);
    const bytes = scratch(length);
    volume.read(volume.table.spans(piece, at, length), bytes);
    sha1.update(bytes);
  }
  return sha1.digest();
}

/** Digests of neighbouring pieces that together fit a window, with as few reads as there are files. */
function digestWindow(volume: DiskVolume, first: number, count: number): Buffer[] {
  const { table } = volume;
  const spans: Span[] = [];
  const sizes: number[] = [];
  let total = 0;
  for (let piece = first; piece < first + count; piece++) {
    const size = table.pieceSize(piece);
    spans.push(...table.spans(piece, 0, size));
    sizes.push(size);
    total += size;
  }
  const bytes = scratch(total);
  volume.read(joinSpans(spans), bytes);
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return hash("sha1", bytes.subarray(at - size, at), "buffer");
  });
}

/**
 * Digests of pieces `first` to `first + count - 1`.
 * @param onFailure called instead of `onDigest` for a piece that cannot be read
 */
function eachDigest(
  volume: DiskVolume,
  run: { readonly first: number; readonly count: number },
  onDigest: (piece: number, digest: Uint8Array) => void,
  onFailure: (piece: number, error: unknown) => void,
): void {
  const atOnce = Math.floor(WINDOW_LENGTH / volume.table.pieceLength);
  const end = run.first + run.count;
  for (let piece = run.first; piece < end; ) {
    const count = Math.max(1, Math.min(atOnce, end - piece));
    try {
      if (count === 1) onDigest(piece, digestPiece(volume, piece));
      else for (const [i, digest] of digestWindow(volume, piece, count).entries()) onDigest(piece + i, digest);
    } catch (error) {
      if (count === 1) onFailure(piece, error);
      else for (let i = 0; i < count; i++) eachDigest(volume, { first: piece + i, count: 1 }, onDigest, onFailure);
    }
    piece += count;
  }
}

/** Compares pieces on disk with their hashes. */
export function checkPieces(volume: DiskVolume, run: { readonly first: number; readonly count: number }): CheckResult {
  const ok = new Uint8Array(run.count);
  let failure: DiskFailure | undefined;
  eachDigest(
    volume,
    run,
    (piece, digest) => {
      ok[piece - run.first] = isRightDigest(volume, piece, digest) ? 1 : 0;
    },
    (_piece, error) => {
      const own = failureOf(error);
      if (!isAbsence(own)) failure ??= own;
    },
  );
  return { ok, failure };
}

/** Digests of pieces on disk, one after another. Throws when one cannot be read. */
export function hashPieces(volume: DiskVolume, run: { readonly first: number; readonly count: number }): Uint8Array {
  const out = new Uint8Array(run.count * DIGEST_LENGTH);
  eachDigest(
    volume,
    run,
    (piece, digest) => out.set(digest, (piece - run.first) * DIGEST_LENGTH),
    (_piece, error) => {
      throw error;
    },
  );
  return out;
}
