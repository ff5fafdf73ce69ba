import assert from "node:assert/strict";
import { concatBytes } from "#/base/bytes.ts";
import type { Chunk, ChunkPool, PieceChecked } from "#/bittorrent/storage/index.ts";
import { BLOCK_LENGTH, type PieceStore } from "#/bittorrent/swarm/index.ts";
import { sha1, type TestTorrent } from "./test-torrent.ts";
import type { Timeline } from "./timeline.ts";

export interface MemoryStoreOptions {
  readonly timeline: Timeline;
  readonly torrent: TestTorrent;
  readonly pool: ChunkPool;
  /** Bytes a second that the disk writes. @default Infinity */
  readonly writeRate?: number;
  readonly onChunkWritten: () => void;
  readonly onPieceChecked: (result: PieceChecked) => void;
}

/** A disk in memory: one task after another, answers come later, chunks are read when they are written, and hashes are real. */
export class MemoryStore implements PieceStore {
  readonly data: Uint8Array;
  readonly #options: Required<MemoryStoreOptions>;
  readonly #written = new Map<number, Set<number>>();
  #busyUntil = 0;
  /** Chunks handed over and not yet written. */
  waitingChunks = 0;
  mostWaitingChunks = 0;
  /** What a liar sends in place of the bytes. */
  corrupt: ((piece: number, begin: number, view: Uint8Array) => void) | undefined;

  constructor(options: MemoryStoreOptions) {
    this.#options = { writeRate: Number.POSITIVE_INFINITY, ...options };
    this.data = new Uint8Array(options.torrent.data.byteLength);
  }

  writeChunk(piece: number, begin: number, length: number, chunk: Chunk): void {
    const { torrent, pool, onChunkWritten, onPieceChecked } = this.#options;
    const { chunkLength } = pool;
    assert.equal(begin % chunkLength, 0, "a chunk begins at a multiple of its length");
    assert.equal(length, Math.min(chunkLength, torrent.pieceSize(piece) - begin), "a chunk is written whole");
    this.waitingChunks++;
    this.mostWaitingChunks = Math.max(this.mostWaitingChunks, this.waitingChunks);
    this.#enqueue(length, () => {
      this.waitingChunks--;
      this.data.set(chunk.bytes.subarray(0, length), piece * torrent.pieceLength + begin);
      const written = this.#written.get(piece) ?? new Set();
      assert.ok(!written.has(begin), `chunk ${piece}:${begin} is written once`);
      written.add(begin);
      this.#written.set(piece, written);
      pool.give(chunk);
      onChunkWritten();
      if (written.size < Math.ceil(torrent.pieceSize(piece) / chunkLength)) return;
      this.#written.delete(piece);
      const bytes = this.#pieceBytes(piece);
      if (torrent.isRight(piece, bytes)) onPieceChecked({ piece, ok: true });
      else onPieceChecked({ piece, ok: false, blockDigests: digests(bytes) });
    });
  }

  forgetPiece(piece: number): void {
    this.#enqueue(0, () => this.#written.delete(piece));
  }

  digestBlocks(piece: number, done: (digests: Uint8Array | undefined) => void): void {
    this.#enqueue(0, () => done(digests(this.#pieceBytes(piece))));
  }

  read(piece: number, begin: number, views: readonly Uint8Array[], done: (error: Error | undefined) => void): void {
    this.#options.timeline.after(1, () => {
      let at = begin;
      for (const view of views) {
        const start = piece * this.#options.torrent.pieceLength + at;
        view.set(this.data.subarray(start, start + view.byteLength));
        this.corrupt?.(piece, at, view);
        at += view.byteLength;
      }
      done(undefined);
    });
  }

  #pieceBytes(piece: number): Uint8Array {
    const { torrent } = this.#options;
    const start = piece * torrent.pieceLength;
    return this.data.subarray(start, start + torrent.pieceSize(piece));
  }

  #enqueue(bytes: number, task: () => void): void {
    const { timeline, writeRate } = this.#options;
    this.#busyUntil = Math.max(this.#busyUntil, timeline.now()) + 0.1 + (bytes * 1000) / writeRate;
    timeline.at(this.#busyUntil, task);
  }
}

function digests(bytes: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.byteLength; at += BLOCK_LENGTH) blocks.push(sha1(bytes.subarray(at, at + BLOCK_LENGTH)));
  return concatBytes(blocks);
}
