import type { Bitfield } from "#/base/bitfield.ts";
import type { ChunkPool, PieceChecked } from "../storage/index.ts";
import { encodeCancelInto, encodeRequestInto, REQUEST_MESSAGE_LENGTH } from "../wire/index.ts";
import { BLOCK_LENGTH } from "./block.ts";
import { peerError } from "./errors.ts";
import type { PartialPiece } from "./partial-piece.ts";
import type { Peer } from "./peer.ts";
import type { PeerConnection } from "./peer-connection.ts";
import type { PiecePicker } from "./piece-picker.ts";
import type { SwarmCounters } from "./stats.ts";
import type { PieceStore } from "./store.ts";

/** New requests wait until this many (or a quarter of the depth) fit, so that they leave in one write. */
const REQUEST_BATCH = 32;
/** A connection without blocks for so long is snubbed: its requests go to others. */
const SNUB_MS = 30_000;
/** A peer that has a piece to itself after a hash failure loses it when no block came from it for so long. */
const PAROLE_SILENCE_MS = 10_000;
/** In the end game a connection has at most this many doubled requests under way. */
const END_GAME_DEPTH = 4;
/** When memory is out, an idle connection takes over this many blocks (a chunk's worth) that others are this late with. */
const TAKE_OVER_DEPTH = 16;
const OVERDUE_MS = 1_000;
/** Blocks that a peer may send unasked before it is dropped, besides those whose requests were taken back. */
const MAX_UNSOLICITED = 64;

export interface DownloaderOptions {
  readonly picker: PiecePicker;
  readonly have: Bitfield;
  readonly store: PieceStore;
  readonly pool: ChunkPool;
  readonly pieceLength: number;
  readonly pieceSize: (piece: number) => number;
  readonly counters: SwarmCounters;
  readonly connections: () => Iterable<PeerConnection>;
  readonly now: () => number;
  /** All blocks of a piece are here and its hash is right. */
  readonly pieceVerified: (piece: number) => void;
  /** A hash was wrong; `contributors` sent its blocks, in the order of the blocks. */
  readonly pieceFailed: (piece: number, contributors: readonly (Peer | undefined)[], digests: Uint8Array | undefined) => void;
}

/** Asks peers for blocks, takes them in, and hands full chunks to the storage. Memory: chunks of the pool, nothing else. */
export class Downloader {
  readonly #options: DownloaderOptions;
  readonly #blocksPerPiece: number;
  /** One connection may have half of the memory promised to it. */
  readonly #depthLimit: number;
  /** Pieces whose blocks are all here and whose hash is being compared. */
  readonly #checking = new Map<number, PartialPiece>();
  /** Set while requests wait for memory. */
  #starved = false;
  #unsolicited = new WeakMap<PeerConnection, number>();
  isPaused = false;

  constructor(options: DownloaderOptions) {
    this.#options = options;
    this.#blocksPerPiece = Math.ceil(options.pieceLength / BLOCK_LENGTH);
    this.#depthLimit = Math.max(1, Math.floor((options.pool.totalCount * options.pool.chunkLength) / BLOCK_LENGTH / 2));
  }

  /** Pieces whose hash is being compared. */
  get checkingCount(): number {
    return this.#checking.size;
  }

  /** Sends as many requests as the connection's pipeline has room for. */
  fill(connection: PeerConnection): void {
    const { peer, pending, pipeline } = connection;
    if (this.isPaused || connection.isClosed || !peer.amInterested) return;
    if (peer.isChoking && peer.allowedFastFromThem.size === 0) return;
    const depth = Math.min(pipeline.depth, this.#depthLimit);
    const room = depth - pending.size;
    if (room <= 0 || (pending.size > 0 && room < Math.min(REQUEST_BATCH, depth >> 2))) return;
    const asked: number[] = [];
    const isMemoryOut = !this.#pickBlocks(connection, room, asked);
    this.#starved ||= isMemoryOut;
    if (asked.length === 0) this.#pickEndGame(connection, room, isMemoryOut, asked);
    if (asked.length === 0) return;
    const out = new Uint8Array((asked.length / 2) * REQUEST_MESSAGE_LENGTH);
    let offset = 0;
    for (let i = 0; i < asked.length; i += 2) {
      const piece = asked[i] as number;
      const begin = (asked[i + 1] as number) * BLOCK_LENGTH;
      offset = encodeRequestInto(out, offset, piece, begin, Math.min(BLOCK_LENGTH, this.#options.pieceSize(piece) - begin));
    }
    this.#options.counters.requestsSent += asked.length / 2;
    if (pending.size === asked.length / 2) connection.lastBlockAt = this.#options.now();
    connection.sendBytes(out);
  }

  /** After memory was given back: those that had to wait go on. */
  fillStarved(): void {
    if (!this.#starved) return;
    this.#starved = false;
    for (const connection of this.#options.connections()) this.fill(connection);
  }

  /** The peer takes a request back (BEP 6, "reject"). */
  rejected(connection: PeerConnection, piece: number, begin: number): void {
    const { peer, pending } = connection;
    const block = this.#blockAt(piece, begin);
    if (block === undefined || !pending.delete(this.#key(piece, block))) return;
    if (peer.isChoking) peer.allowedFastFromThem.delete(piece);
    else peer.refusedPieces.add(piece);
    this.#release(connection, piece, block);
  }

  /** Frees all that the connection was asked for. @param forgive whether its blocks may still be on their way */
  releaseAll(connection: PeerConnection, forgive: boolean): void {
    if (forgive) connection.forgivenBlocks += connection.pending.size;
    const keys = [...connection.pending.keys()];
    connection.pending.clear();
    connection.incoming = undefined;
    for (const key of keys) this.#release(connection, Math.floor(key / this.#blocksPerPiece), key % this.#blocksPerPiece);
    for (const partial of this.#options.picker.partials.values()) {
      if (partial.exclusiveTo === connection.peer) partial.exclusiveTo = undefined;
    }
  }

  blockStarted(connection: PeerConnection, piece: number, begin: number, length: number): void {
    connection.incoming = undefined;
    const block = this.#blockAt(piece, begin);
    const partial = this.#options.picker.partials.get(piece);
    if (block === undefined || partial === undefined || !connection.pending.has(this.#key(piece, block))) {
      this.#unasked(connection, length);
      return;
    }
    if (length !== partial.blockLength(block)) {
      connection.close(peerError("PEER_BAD_INDEX", { piece, begin, length }));
      return;
    }
    const memory = this.#memoryFor(partial, block);
    const isDirect = partial.tryClaim(block, connection);
    connection.incoming = { partial, block, memory: isDirect ? memory : new Uint8Array(length), isDirect, filled: 0 };
  }

  blockArriving(connection: PeerConnection, bytes: Uint8Array): void {
    const incoming = connection.incoming;
    if (incoming === undefined) return;
    if (incoming.isDirect && !incoming.partial.isWriter(incoming.block, connection)) {
      // Another connection finished the block; its memory may be someone else's already.
      connection.incoming = undefined;
      return;
    }
    incoming.memory.set(bytes, incoming.filled);
    incoming.filled += bytes.byteLength;
  }

  blockEnded(connection: PeerConnection): void {
    const incoming = connection.incoming;
    if (incoming === undefined) return;
    connection.incoming = undefined;
    const { partial, block, memory } = incoming;
    const key = this.#key(partial.piece, block);
    const sentAt = connection.pending.get(key);
    if (sentAt === undefined || partial.isReceived(block)) {
      this.#options.counters.redundantBytes += memory.byteLength;
      return;
    }
    const now = this.#options.now();
    if (!incoming.isDirect) partial.blockMemory(block)?.set(memory);
    connection.pending.delete(key);
    connection.pipeline.blockReceived(memory.byteLength, now - sentAt);
    connection.lastBlockAt = now;
    connection.peer.isSnubbed = false;
    connection.peer.downloaded.add(memory.byteLength);
    this.#options.counters.downloadedBytes += memory.byteLength;
    if (partial.requesterCount(block) > 1) this.#cancelOthers(connection, partial, block);
    if (partial.markReceived(block, connection.peer)) this.#flushChunk(partial, partial.chunkOf(block));
  }

  pieceChecked(result: PieceChecked): void {
    const { piece, ok, blockDigests } = result;
    const partial = this.#checking.get(piece);
    if (partial === undefined) return;
    this.#checking.delete(piece);
    this.#options.picker.partials.delete(piece);
    if (ok) {
      this.#options.counters.verifiedPieces++;
      this.#options.pieceVerified(piece);
      return;
    }
    this.#options.counters.hashFailures++;
    this.#options.counters.failedBytes += partial.size;
    if (this.#options.picker.isWanted(piece)) this.#options.picker.beginOnParole(piece);
    this.#options.pieceFailed(piece, partial.contributors, blockDigests);
  }

  /**
   * Gives all memory back and forgets all blocks that are not part of a verified piece.
   * @param alsoChecking whether pieces that the storage has in hand are given up too, because it may never answer
   */
  abandonAll(alsoChecking: boolean): void {
    for (const connection of this.#options.connections()) this.releaseAll(connection, true);
    for (const partial of [...this.#options.picker.partials.values()]) {
      if (this.#checking.has(partial.piece) && !alsoChecking) continue;
      this.#checking.delete(partial.piece);
      this.#abandon(partial);
    }
  }

  /** Lets go of pieces under way that are no longer wanted: their requests are cancelled and their memory goes back. */
  dropUnwanted(): void {
    const { picker, connections } = this.#options;
    for (const partial of [...picker.partials.values()]) {
      if (picker.isWanted(partial.piece) || this.#checking.has(partial.piece)) continue;
      for (const connection of connections()) {
        if (connection.incoming?.partial === partial) connection.incoming = undefined;
      }
      for (let block = 0; block < partial.blockCount; block++) {
        for (const connection of partial.requesters(block)) this.#cancel(connection, partial, block);
      }
      this.#abandon(partial);
    }
  }

  /** Call about twice a second. */
  tick(): void {
    const now = this.#options.now();
    let fastest = 0;
    for (const connection of this.#options.connections()) {
      connection.pipeline.tick(now);
      fastest = Math.max(fastest, connection.pipeline.rateBytesPerSecond);
      if (connection.pending.size > 0 && now - connection.lastBlockAt > SNUB_MS && !connection.isReadingPaused) {
        this.#options.counters.requestTimeouts += connection.pending.size;
        connection.peer.isSnubbed = true;
        connection.lastBlockAt = now;
        connection.pipeline.snub();
        this.releaseAll(connection, true);
      }
    }
    this.#options.picker.fastestRate = fastest;
    for (const partial of this.#options.picker.partials.values()) {
      const isSlow = partial.exclusiveTo?.connections.every((each) => now - each.lastBlockAt > PAROLE_SILENCE_MS);
      if (isSlow === true) partial.exclusiveTo = undefined;
    }
    this.#starved = false;
    for (const connection of this.#options.connections()) this.fill(connection);
    if (this.#starved && this.#reclaim()) this.fillStarved();
  }

  /** Takes the memory of pieces that no peer can go on with at present. @returns whether there was any */
  #reclaim(): boolean {
    const { picker, counters, connections } = this.#options;
    let found = false;
    for (const partial of [...picker.partials.values()]) {
      let isServed = this.#checking.has(partial.piece);
      for (const connection of connections()) isServed ||= connection.peer.mayBeAskedFor(partial.piece);
      if (isServed) continue;
      for (let index = 0; index < partial.chunks.length; index++) {
        if (partial.chunks[index] === undefined || !partial.isChunkQuiet(index)) continue;
        counters.abandonedBytes += partial.forgetChunk(index);
        this.#giveChunk(partial, index);
        found = true;
      }
      if (partial.isUntouched && !partial.onParole) picker.abandon(partial);
    }
    return found;
  }

  /** @returns false when memory ran out */
  #pickBlocks(connection: PeerConnection, room: number, asked: number[]): boolean {
    const now = this.#options.now();
    let left = room;
    let isMemoryOut = false;
    while (left > 0) {
      const partial = this.#options.picker.pick(connection, isMemoryOut);
      if (partial === undefined) break;
      let block = isMemoryOut ? partial.nextFreeHeld() : partial.nextFree();
      while (block !== undefined && left > 0) {
        const index = partial.chunkOf(block);
        if (!this.#reserve(partial, index)) {
          this.#options.counters.memoryWaits++;
          if (partial.isUntouched && !partial.onParole) this.#options.picker.abandon(partial);
          isMemoryOut = true;
          break;
        }
        partial.markRequested(block, connection);
        connection.pending.set(this.#key(partial.piece, block), now);
        asked.push(partial.piece, block);
        left--;
        block = isMemoryOut ? partial.nextFreeHeld() : partial.nextFree();
      }
    }
    return !isMemoryOut;
  }

  #pickEndGame(connection: PeerConnection, room: number, isMemoryOut: boolean, asked: number[]): void {
    const now = this.#options.now();
    const takesOver = isMemoryOut && connection.pending.size === 0;
    const most = Math.min(room, (takesOver ? TAKE_OVER_DEPTH : END_GAME_DEPTH) - connection.pending.size);
    if (most <= 0) return;
    const isOverdue = (partial: PartialPiece, block: number): boolean => {
      const key = this.#key(partial.piece, block);
      return partial.requesters(block).every((each) => now - (each.pending.get(key) ?? now) > OVERDUE_MS);
    };
    for (const { partial, block } of this.#options.picker.pickEndGame(connection, most, takesOver ? isOverdue : undefined)) {
      partial.markRequested(block, connection);
      connection.pending.set(this.#key(partial.piece, block), now);
      asked.push(partial.piece, block);
      this.#options.counters.endGameRequests++;
    }
  }

  /** @returns undefined when no block of the torrent begins there, so that a key never stands for two places */
  #blockAt(piece: number, begin: number): number | undefined {
    const { have, pieceSize } = this.#options;
    return piece < have.length && begin < pieceSize(piece) && begin % BLOCK_LENGTH === 0 ? begin / BLOCK_LENGTH : undefined;
  }

  #key(piece: number, block: number): number {
    return piece * this.#blocksPerPiece + block;
  }

  #release(connection: PeerConnection, piece: number, block: number): void {
    const partial = this.#options.picker.partials.get(piece);
    if (partial === undefined || partial.isReceived(block)) return;
    partial.markReleased(block, connection);
    const index = partial.chunkOf(block);
    if (partial.isChunkIdle(index)) this.#giveChunk(partial, index);
    if (partial.isUntouched && !partial.onParole) this.#options.picker.abandon(partial);
  }

  #unasked(connection: PeerConnection, length: number): void {
    if (connection.forgivenBlocks > 0) {
      connection.forgivenBlocks--;
      this.#options.counters.redundantBytes += length;
      return;
    }
    this.#options.counters.unsolicitedBytes += length;
    const count = (this.#unsolicited.get(connection) ?? 0) + 1;
    this.#unsolicited.set(connection, count);
    if (count > MAX_UNSOLICITED) connection.close(peerError("PEER_UNSOLICITED", { blocks: count }));
  }

  #cancelOthers(connection: PeerConnection, partial: PartialPiece, block: number): void {
    for (const other of partial.requesters(block)) if (other !== connection) this.#cancel(other, partial, block);
  }

  #cancel(connection: PeerConnection, partial: PartialPiece, block: number): void {
    connection.pending.delete(this.#key(partial.piece, block));
    connection.forgivenBlocks++;
    const out = new Uint8Array(REQUEST_MESSAGE_LENGTH);
    encodeCancelInto(out, 0, partial.piece, block * BLOCK_LENGTH, partial.blockLength(block));
    connection.sendBytes(out);
    this.#options.counters.cancelsSent++;
  }

  #flushChunk(partial: PartialPiece, index: number): void {
    const chunk = partial.chunks[index];
    if (chunk === undefined) return;
    partial.chunks[index] = undefined;
    if (partial.isComplete) this.#checking.set(partial.piece, partial);
    this.#options.store.writeChunk(partial.piece, index * this.#options.pool.chunkLength, partial.chunkSize(index), chunk);
  }

  #reserve(partial: PartialPiece, index: number): boolean {
    if (partial.chunks[index] !== undefined || partial.reserved[index] === 1) return true;
    if (!this.#options.pool.tryReserve()) return false;
    partial.reserved[index] = 1;
    return true;
  }

  #memoryFor(partial: PartialPiece, block: number): Uint8Array {
    const index = partial.chunkOf(block);
    if (partial.reserved[index] === 1) {
      partial.reserved[index] = 0;
      partial.chunks[index] = this.#options.pool.takeReserved();
    }
    return partial.blockMemory(block) as Uint8Array;
  }

  #giveChunk(partial: PartialPiece, index: number): void {
    const chunk = partial.chunks[index];
    partial.chunks[index] = undefined;
    if (chunk !== undefined) this.#options.pool.give(chunk);
    else if (partial.reserved[index] === 1) this.#options.pool.cancelReserved();
    partial.reserved[index] = 0;
  }

  #abandon(partial: PartialPiece): void {
    const { counters, store, picker } = this.#options;
    counters.abandonedBytes += partial.receivedBytes;
    for (let index = 0; index < partial.chunks.length; index++) this.#giveChunk(partial, index);
    store.forgetPiece(partial.piece);
    picker.abandon(partial);
  }
}
