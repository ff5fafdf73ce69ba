export interface ChunkPoolOptions {
  /** Memory of the pool in bytes, rounded down to whole chunks, at least one. @default 64 MiB */
  readonly bytes?: number;
  /** Bytes of one chunk; a multiple of 16 KiB. @default 256 KiB */
  readonly chunkLength?: number;
}

/** A fixed piece of the pool's memory. Whoever took it owns it until it is given back or handed to the storage. */
export interface Chunk {
  readonly index: number;
  /** `chunkLength` bytes in the pool's SharedArrayBuffer; holds what its last owner left in it. */
  readonly bytes: Uint8Array;
}

/** All memory for blocks between socket and disk: bounded, made once, and visible to the disk threads. */
export class ChunkPool {
  /** Bytes of each chunk. */
  readonly chunkLength: number;
  readonly totalCount: number;
  /** The memory behind all chunks; chunk i begins at i * chunkLength. */
  readonly memory: SharedArrayBuffer;
  readonly #chunks: Chunk[] = [];
  /** Last given, first taken, so that the processor's cache still has it. BOUNDED by totalCount. */
  readonly #free: Chunk[] = [];
  readonly #isFree: Uint8Array;
  /** Promised and not taken. BOUNDED by the length of #free. */
  #reserved = 0;

  constructor(options: ChunkPoolOptions = {}) {
    this.chunkLength = options.chunkLength ?? 256 * 1024;
    this.totalCount = Math.max(1, Math.floor((options.bytes ?? 64 * 1024 * 1024) / this.chunkLength));
    this.memory = new SharedArrayBuffer(this.totalCount * this.chunkLength);
    this.#isFree = new Uint8Array(this.totalCount).fill(1);
    for (let index = this.totalCount - 1; index >= 0; index--) {
      const chunk = { index, bytes: new Uint8Array(this.memory, index * this.chunkLength, this.chunkLength) };
      this.#chunks[index] = chunk;
      this.#free.push(chunk);
    }
  }

  /** Chunks that are neither taken nor promised. */
  get freeCount(): number {
    return this.#free.length - this.#reserved;
  }

  /** @returns undefined when all memory is in use or promised */
  tryTake(): Chunk | undefined {
    return this.freeCount > 0 ? this.#pop() : undefined;
  }

  /**
   * Promises a chunk without choosing one, so that what comes next lands in the memory that was used last.
   * @returns false when all memory is in use or promised; ask for no more data until something is given back
   */
  tryReserve(): boolean {
    if (this.freeCount <= 0) return false;
    this.#reserved++;
    return true;
  }

  /** Takes the chunk that `tryReserve` promised. Throws RangeError without a promise. */
  takeReserved(): Chunk {
    this.cancelReserved();
    return this.#pop();
  }

  /** Gives a promise back. Throws RangeError without one. */
  cancelReserved(): void {
    if (this.#reserved === 0) throw new RangeError("no chunk was reserved");
    this.#reserved--;
  }

  /** Gives a chunk back. Throws RangeError when it is free already or of another pool. */
  give(chunk: Chunk): void {
    if (this.#chunks[chunk.index] !== chunk || this.#isFree[chunk.index] === 1) throw new RangeError("chunk was not taken");
    this.#isFree[chunk.index] = 1;
    this.#free.push(chunk);
  }

  #pop(): Chunk {
    const chunk = this.#free.pop() as Chunk;
    this.#isFree[chunk.index] = 0;
    return chunk;
  }
}
