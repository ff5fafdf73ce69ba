import type { Bitfield } from "#/base/bitfield.ts";
import { encodePieceHeaderInto, encodeRejectInto, PIECE_MESSAGE_HEADER_LENGTH, REQUEST_MESSAGE_LENGTH } from "../wire/index.ts";
import { BLOCK_LENGTH } from "./block.ts";
import { peerError } from "./errors.ts";
import { MAX_REQUEST_LENGTH, type PeerConnection } from "./peer-connection.ts";
import type { SwarmCounters } from "./stats.ts";
import type { PieceStore } from "./store.ts";
import type { RateLimit } from "./token-bucket.ts";

/** Requests that a peer may keep waiting with us; announced as `reqq` (BEP 10). */
export const REQUEST_LIMIT = 2048;
/** A peer that is refused this many requests within ten seconds is flooding, whatever it was told. */
const FLOOD_LIMIT = 2 * REQUEST_LIMIT;
/** Blocks that follow one another are read at once and sent in one write, up to this many bytes. */
const BATCH_LENGTH = 16 * BLOCK_LENGTH;
const BATCH_BUFFER_LENGTH = BATCH_LENGTH + 16 * PIECE_MESSAGE_HEADER_LENGTH;
/** Bytes read or queued for one connection: a quarter of a second of its rate, within these bounds. */
const MIN_AHEAD = 64 * 1024;
const MAX_AHEAD = 2 * 1024 * 1024;
const AHEAD_SECONDS = 0.25;

/**
 * Memory for blocks on their way out, for all torrents of a client.
 * BOUNDED: batches are refused while `limit` bytes are out; the free list keeps at most 16 buffers.
 */
export class UploadMemory {
  readonly #free: Uint8Array[] = [];
  readonly #limit: number;
  #used = 0;

  constructor(limitBytes = 32 * 1024 * 1024) {
    this.#limit = limitBytes;
  }

  get usedBytes(): number {
    return this.#used;
  }

  tryTake(length: number): Uint8Array | undefined {
    if (this.#used + length > this.#limit) return undefined;
    this.#used += length;
    if (length <= BATCH_BUFFER_LENGTH && length > BATCH_BUFFER_LENGTH / 4) {
      return (this.#free.pop() ?? new Uint8Array(BATCH_BUFFER_LENGTH)).subarray(0, length);
    }
    return new Uint8Array(length);
  }

  give(buffer: Uint8Array): void {
    this.#used -= buffer.byteLength;
    if (buffer.buffer.byteLength === BATCH_BUFFER_LENGTH && this.#free.length < 16) this.#free.push(new Uint8Array(buffer.buffer));
  }
}

export interface UploaderOptions {
  readonly have: Bitfield;
  readonly store: PieceStore;
  readonly memory: UploadMemory;
  readonly limit: RateLimit;
  readonly pieceLength: number;
  readonly pieceSize: (piece: number) => number;
  readonly counters: SwarmCounters;
  readonly now: () => number;
  readonly blocksSent: (connection: PeerConnection, bytes: number) => void;
  readonly readFailed: (error: Error) => void;
}

/** Answers requests of peers that are not choked: runs of blocks become one read, and one write with the headers in between. */
export class Uploader {
  readonly #options: UploaderOptions;

  constructor(options: UploaderOptions) {
    this.#options = options;
  }

  requested(connection: PeerConnection, piece: number, begin: number, length: number): void {
    const { have, counters, pieceLength } = this.#options;
    const peer = connection.peer;
    counters.requestsReceived++;
    if (piece >= have.length || length === 0 || length > MAX_REQUEST_LENGTH || begin + length > this.#options.pieceSize(piece)) {
      connection.close(peerError("PEER_BAD_REQUEST", { piece, begin, length }));
      return;
    }
    const key = piece * pieceLength + begin;
    const isAllowed = have.has(piece) && (!peer.amChoking || peer.allowedFastToThem.has(piece));
    if (isAllowed && connection.requested.size < REQUEST_LIMIT && !connection.requested.has(key)) {
      connection.requested.set(key, length);
      return;
    }
    // One that waits already is answered once, and not rejected for being repeated.
    if (!connection.requested.has(key)) this.#reject(connection, piece, begin, length);
    if (++connection.overflowingRequests > FLOOD_LIMIT) {
      connection.close(peerError("PEER_REQUEST_FLOOD", { waiting: connection.requested.size, limit: REQUEST_LIMIT }));
    }
  }

  cancelled(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.#options.counters.cancelsReceived++;
    if (connection.requested.delete(piece * this.#options.pieceLength + begin)) this.#reject(connection, piece, begin, length);
  }

  /** Drops what a peer asked for, because it was choked; with the fast extension it is told so. */
  rejectAll(connection: PeerConnection): void {
    const { pieceLength } = this.#options;
    for (const [offset, length] of connection.requested) {
      const piece = Math.floor(offset / pieceLength);
      if (connection.peer.allowedFastToThem.has(piece)) continue;
      connection.requested.delete(offset);
      this.#reject(connection, piece, offset - piece * pieceLength, length);
    }
  }

  /** Reads and sends as much as the connection, the limits and the memory take now. */
  pump(connection: PeerConnection): void {
    const { limit, now, memory, pieceLength } = this.#options;
    while (connection.requested.size > 0 && !connection.isClosed) {
      const ahead = connection.readingBytes + connection.link.queuedBytes;
      if (ahead >= this.#aheadLimit(connection) || !limit.isOpen(now())) return;
      const batchLimit = Math.max(BLOCK_LENGTH, Math.min(BATCH_LENGTH, limit.rateBytesPerSecond * 0.1));
      const run: number[] = [];
      let start = 0;
      let length = 0;
      for (const [offset, blockLength] of connection.requested) {
        if (run.length === 0) start = offset;
        else if (offset !== start + length || offset % pieceLength === 0 || length + blockLength > batchLimit) break;
        run.push(blockLength);
        length += blockLength;
        connection.requested.delete(offset);
      }
      const buffer = memory.tryTake(length + run.length * PIECE_MESSAGE_HEADER_LENGTH);
      if (buffer === undefined) {
        this.#putBack(connection, start, run);
        return;
      }
      limit.take(length, now());
      connection.servedAt = now();
      this.#send(connection, start, run, length, buffer);
    }
  }

  #send(connection: PeerConnection, start: number, run: readonly number[], length: number, buffer: Uint8Array): void {
    const { memory, store, pieceLength } = this.#options;
    const piece = Math.floor(start / pieceLength);
    const begin = start - piece * pieceLength;
    const views: Uint8Array[] = [];
    let at = 0;
    let blockBegin = begin;
    for (const blockLength of run) {
      encodePieceHeaderInto(buffer, at, piece, blockBegin, blockLength);
      at += PIECE_MESSAGE_HEADER_LENGTH;
      views.push(buffer.subarray(at, at + blockLength));
      at += blockLength;
      blockBegin += blockLength;
    }
    connection.readingBytes += length;
    store.read(piece, begin, views, (error) => {
      connection.readingBytes -= length;
      if (error !== undefined || connection.isClosed) {
        memory.give(buffer);
        if (error !== undefined) this.#options.readFailed(error);
        return;
      }
      connection.sendBytes(buffer, () => {
        memory.give(buffer);
        if (connection.isClosed) return;
        this.#options.blocksSent(connection, length);
        this.pump(connection);
      });
      this.pump(connection);
    });
  }

  #aheadLimit(connection: PeerConnection): number {
    const rate = connection.peer.uploaded.rateBytesPerSecond * AHEAD_SECONDS;
    // Before the rate is known a fast reader shows itself by an empty queue.
    const floor = connection.link.queuedBytes === 0 ? BATCH_LENGTH : MIN_AHEAD;
    return Math.min(MAX_AHEAD, Math.max(floor, rate));
  }

  #putBack(connection: PeerConnection, start: number, run: readonly number[]): void {
    const later = [...connection.requested];
    connection.requested.clear();
    let offset = start;
    for (const length of run) {
      connection.requested.set(offset, length);
      offset += length;
    }
    for (const [key, length] of later) connection.requested.set(key, length);
  }

  #reject(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.#options.counters.requestsRejected++;
    if (!connection.peer.fast || connection.isClosed) return;
    const out = new Uint8Array(REQUEST_MESSAGE_LENGTH);
    encodeRejectInto(out, 0, piece, begin, length);
    connection.sendBytes(out);
  }
}
