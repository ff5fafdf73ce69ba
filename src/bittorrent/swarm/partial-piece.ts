import type { Chunk } from "../storage/index.ts";
import { BLOCK_LENGTH } from "./block.ts";
import type { Peer } from "./peer.ts";
import type { PeerConnection } from "./peer-connection.ts";

const blockState = { free: 0, requested: 1, received: 2 } as const;

/** A piece on its way: which of its blocks are free, asked for (and of whom) or here, and the chunks of memory they land in. */
export class PartialPiece {
  readonly piece: number;
  readonly size: number;
  readonly blockCount: number;
  readonly blocksPerChunk: number;
  /** A chunk is here from the first block that comes for it until all of them came. */
  readonly chunks: (Chunk | undefined)[];
  /** Whether the pool promised a chunk, from the first request for one of its blocks until its first block comes: 1 or 0. */
  readonly reserved: Uint8Array;
  /** Who sent each block; kept for the search for a liar. */
  readonly contributors: (Peer | undefined)[];
  /** Set after a hash failure: only this peer may send the piece, so that a second failure names the liar. */
  exclusiveTo: Peer | undefined;
  /** Whether exclusivity is asked for; the next peer that takes the piece gets it. */
  onParole = false;
  /** Whether the peer that began it was a fast one; peers prefer the pieces of their own kind. */
  begunByFast = false;

  readonly #state: Uint8Array;
  readonly #requesters: (PeerConnection | undefined)[];
  /** Second and further requesters of a block, in the end game. */
  #extraRequesters: Map<number, PeerConnection[]> | undefined;
  readonly #writers: (PeerConnection | undefined)[];
  readonly #missingInChunk: Uint16Array;
  /** Blocks of a chunk that are asked for or here. */
  readonly #busyInChunk: Uint16Array;
  #freeCount: number;
  #receivedCount = 0;
  #cursor = 0;

  constructor(piece: number, size: number, chunkLength: number) {
    this.piece = piece;
    this.size = size;
    this.blockCount = Math.ceil(size / BLOCK_LENGTH);
    this.blocksPerChunk = chunkLength / BLOCK_LENGTH;
    const chunkCount = Math.ceil(this.blockCount / this.blocksPerChunk);
    this.chunks = new Array(chunkCount).fill(undefined);
    this.reserved = new Uint8Array(chunkCount);
    this.contributors = new Array(this.blockCount).fill(undefined);
    this.#requesters = new Array(this.blockCount).fill(undefined);
    this.#writers = new Array(this.blockCount).fill(undefined);
    this.#state = new Uint8Array(this.blockCount);
    this.#missingInChunk = Uint16Array.from({ length: chunkCount }, (_, index) => this.#blocksIn(index));
    this.#busyInChunk = new Uint16Array(chunkCount);
    this.#freeCount = this.blockCount;
  }

  /** Blocks that nobody was asked for. */
  get freeCount(): number {
    return this.#freeCount;
  }

  get receivedCount(): number {
    return this.#receivedCount;
  }

  /** Bytes of the blocks that are here. */
  get receivedBytes(): number {
    let bytes = 0;
    for (let block = 0; block < this.blockCount; block++) if (this.isReceived(block)) bytes += this.blockLength(block);
    return bytes;
  }

  get isComplete(): boolean {
    return this.#receivedCount === this.blockCount;
  }

  blockLength(block: number): number {
    return block === this.blockCount - 1 ? this.size - block * BLOCK_LENGTH : BLOCK_LENGTH;
  }

  chunkOf(block: number): number {
    return Math.floor(block / this.blocksPerChunk);
  }

  isReceived(block: number): boolean {
    return this.#state[block] === blockState.received;
  }

  /** Whether no other peer has the piece to itself; one that chokes us, is silent or refuses the piece does not keep it. */
  mayServe(peer: Peer): boolean {
    const owner = this.exclusiveTo;
    return owner === undefined || owner === peer || owner.isSnubbed || !owner.mayBeAskedFor(this.piece);
  }

  /** Whether no block of a chunk is here or asked for, so that its memory is not needed. */
  isChunkIdle(index: number): boolean {
    return this.#busyInChunk[index] === 0;
  }

  /** Whether nothing of the piece is here or asked for. */
  get isUntouched(): boolean {
    return this.#freeCount === this.blockCount;
  }

  /** The lowest free block, or undefined. */
  nextFree(): number | undefined {
    if (this.#freeCount === 0) return undefined;
    while (this.#state[this.#cursor] !== blockState.free) this.#cursor++;
    return this.#cursor;
  }

  /** The lowest free block whose memory is here or promised, or undefined. */
  nextFreeHeld(): number | undefined {
    for (let index = 0; index < this.chunks.length; index++) {
      const isHeld = this.chunks[index] !== undefined || this.reserved[index] === 1;
      if (!isHeld || this.#busyInChunk[index] === this.#blocksIn(index)) continue;
      for (let block = index * this.blocksPerChunk; ; block++) if (this.#state[block] === blockState.free) return block;
    }
    return undefined;
  }

  /** Whether none of a chunk's blocks is asked for. */
  isChunkQuiet(index: number): boolean {
    return this.#busyInChunk[index] === this.#blocksIn(index) - (this.#missingInChunk[index] as number);
  }

  /** Makes the blocks of a quiet chunk free again, so that its memory can be given back. @returns the bytes that are lost */
  forgetChunk(index: number): number {
    let bytes = 0;
    const first = index * this.blocksPerChunk;
    for (let block = first; block < first + this.#blocksIn(index); block++) {
      if (this.#state[block] !== blockState.received) continue;
      this.#state[block] = blockState.free;
      this.contributors[block] = undefined;
      this.#freeCount++;
      this.#receivedCount--;
      bytes += this.blockLength(block);
    }
    this.#missingInChunk[index] = this.#blocksIn(index);
    this.#busyInChunk[index] = 0;
    this.#cursor = Math.min(this.#cursor, first);
    return bytes;
  }

  markRequested(block: number, by: PeerConnection): void {
    if (this.#state[block] === blockState.free) {
      this.#state[block] = blockState.requested;
      this.#freeCount--;
      this.#requesters[block] = by;
      this.#shiftBusy(block, 1);
      return;
    }
    this.#extraRequesters ??= new Map();
    const extra = this.#extraRequesters.get(block);
    if (extra === undefined) this.#extraRequesters.set(block, [by]);
    else extra.push(by);
  }

  /** Takes back what `by` was asked for; the block is free again when nobody else was asked for it. */
  markReleased(block: number, by: PeerConnection): void {
    if (this.#writers[block] === by) this.#writers[block] = undefined;
    if (this.#state[block] !== blockState.requested) return;
    const extra = this.#extraRequesters?.get(block);
    if (this.#requesters[block] === by) {
      const heir = extra?.shift();
      this.#requesters[block] = heir;
      if (heir === undefined) {
        this.#state[block] = blockState.free;
        this.#freeCount++;
        this.#shiftBusy(block, -1);
        this.#cursor = Math.min(this.#cursor, block);
      }
    } else if (extra !== undefined) {
      const at = extra.indexOf(by);
      if (at !== -1) extra.splice(at, 1);
    }
    if (extra?.length === 0) this.#extraRequesters?.delete(block);
  }

  /** Everyone who was asked for a block that is not here yet. */
  requesters(block: number): PeerConnection[] {
    const first = this.#requesters[block];
    return first === undefined ? [] : [first, ...(this.#extraRequesters?.get(block) ?? [])];
  }

  requesterCount(block: number): number {
    return (this.#requesters[block] === undefined ? 0 : 1) + (this.#extraRequesters?.get(block)?.length ?? 0);
  }

  /**
   * Lets one connection write a block straight into its chunk.
   * @returns false when another is doing so; then the caller gathers the block elsewhere
   */
  tryClaim(block: number, by: PeerConnection): boolean {
    if (this.#writers[block] !== undefined) return false;
    this.#writers[block] = by;
    return true;
  }

  isWriter(block: number, by: PeerConnection): boolean {
    return this.#writers[block] === by;
  }

  /**
   * Notes that a block is in its chunk.
   * @returns whether its chunk is now whole
   */
  markReceived(block: number, from: Peer): boolean {
    this.#state[block] = blockState.received;
    this.#receivedCount++;
    this.#writers[block] = undefined;
    this.#requesters[block] = undefined;
    this.#extraRequesters?.delete(block);
    this.contributors[block] = from;
    const chunk = this.chunkOf(block);
    const missing = (this.#missingInChunk[chunk] as number) - 1;
    this.#missingInChunk[chunk] = missing;
    return missing === 0;
  }

  /** Where a block lies in memory: its chunk's bytes from its offset on, `blockLength` long; undefined without a chunk. */
  blockMemory(block: number): Uint8Array | undefined {
    const index = this.chunkOf(block);
    const start = (block - index * this.blocksPerChunk) * BLOCK_LENGTH;
    return this.chunks[index]?.bytes.subarray(start, start + this.blockLength(block));
  }

  /** Bytes of a chunk that belong to the piece; the last chunk may be shorter than the others. */
  chunkSize(index: number): number {
    const chunkLength = this.blocksPerChunk * BLOCK_LENGTH;
    return Math.min(chunkLength, this.size - index * chunkLength);
  }

  #blocksIn(index: number): number {
    return Math.min(this.blocksPerChunk, this.blockCount - index * this.blocksPerChunk);
  }

  #shiftBusy(block: number, by: number): void {
    const index = this.chunkOf(block);
    this.#busyInChunk[index] = (this.#busyInChunk[index] as number) + by;
  }
}
