import { availableParallelism } from "node:os";
import { type Logger, silentLogger } from "#/base/log.ts";
import type { Chunk, ChunkPool } from "./chunk-pool.ts";
import { DescriptorPool } from "./descriptor-pool.ts";
import type { RequestBody, WriteReply } from "./disk-messages.ts";
import { DiskThread, type Volume } from "./disk-thread.ts";
import { StorageError, storageErrorCodes } from "./errors.ts";

const DIGEST_LENGTH = 20;
/** Bytes of one task of hashing many pieces: long enough to hide its message, short enough to stop soon. */
const RUN_BYTES = 16 * 1024 * 1024;

export interface DiskPoolOptions {
  readonly pool: ChunkPool;
  /** Threads that write and hash pieces as they come; more are started for checks and for making torrents. @default processors - 1, from 1 to 4 */
  readonly workers?: number;
  /** Bound of the file descriptors held open over all torrents and threads, at least 16. @default 192 */
  readonly maxOpenFiles?: number;
  readonly logger?: Logger;
}

export interface HashPiecesOptions {
  readonly files: readonly { readonly path: string; readonly length: number }[];
  readonly pieceLength: number;
  readonly signal?: AbortSignal | undefined;
  /** Bytes hashed so far. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** What becomes of a chunk that was handed to a thread; the chunk is back in the pool by then. */
export type ChunkDone = (piece: number, begin: number, length: number, reply: WriteReply | undefined) => void;

interface PendingChunk {
  readonly chunk: Chunk;
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
  readonly done: ChunkDone;
}

export interface PieceRun {
  readonly first: number;
  readonly count: number;
}

/** The disk threads and open files of one client. */
export class DiskPool implements AsyncDisposable {
  readonly pool: ChunkPool;
  /** Descriptors that the main thread reads from. */
  readonly descriptors: DescriptorPool;
  readonly logger: Logger;
  readonly #threads: DiskThread[] = [];
  readonly #writers: number;
  readonly #maxThreads: number;
  readonly #filesPerThread: number;
  readonly #pending: (PendingChunk | undefined)[];
  #nextVolume = 0;
  #closing: Promise<void> | undefined;

  private constructor(options: DiskPoolOptions) {
    const processors = availableParallelism();
    const maxOpenFiles = Math.max(16, options.maxOpenFiles ?? 192);
    this.pool = options.pool;
    this.logger = options.logger ?? silentLogger;
    this.#writers = options.workers ?? Math.min(4, Math.max(1, processors - 1));
    this.#maxThreads = Math.max(this.#writers, processors);
    this.#filesPerThread = Math.max(2, Math.floor(maxOpenFiles / 2 / this.#maxThreads));
    this.descriptors = new DescriptorPool(Math.floor(maxOpenFiles / 2));
    this.#pending = new Array(options.pool.totalCount);
  }

  static async open(options: DiskPoolOptions): Promise<DiskPool> {
    const disk = new DiskPool(options);
    disk.#startThreads(disk.#writers);
    return disk;
  }

  #startThreads(count: number): void {
    const { memory, chunkLength } = this.pool;
    while (this.#threads.length < count) {
      const settings = { memory, chunkLength, maxOpenFiles: this.#filesPerThread };
      this.#threads.push(new DiskThread(settings, (chunk, reply) => this.#chunkSettled(chunk, reply)));
    }
  }

  /** A number that no other volume of this pool has. */
  newVolumeId(): number {
    return this.#nextVolume++;
  }

  /** Hot path: the chunk is written by the thread of its piece and given back to the pool, then `done` is called. */
  writeChunk(volume: Volume, piece: number, begin: number, length: number, chunk: Chunk, done: ChunkDone): void {
    this.#requireOpen();
    this.#pending[chunk.index] = { chunk, piece, begin, length, done };
    this.writer(volume, piece).write(volume, piece, begin, length, chunk.index);
  }

  #chunkSettled(index: number, reply: WriteReply | undefined): void {
    const { chunk, piece, begin, length, done } = this.#pending[index] as PendingChunk;
    this.#pending[index] = undefined;
    this.pool.give(chunk);
    done(piece, begin, length, reply);
  }

  /** The thread that writes a piece; it does so in the order of the calls. */
  writer(volume: Volume, piece: number): DiskThread {
    return this.#threads[(piece + volume.id) % this.#writers] as DiskThread;
  }

  /** All threads that run. */
  get threads(): readonly DiskThread[] {
    return this.#threads;
  }

  /** A task that belongs to no piece. @throws {StorageError} */
  async request(volume: Volume, body: RequestBody): Promise<unknown> {
    this.#requireOpen();
    return this.writer(volume, 0).request(volume, body);
  }

  /**
   * Hands runs of pieces to all threads, as many as there are processors, until there is none left or the signal is aborted.
   * @param onResult called once for each run, in any order
   * @throws signal.reason, or the {StorageError} of the run that failed first, after all threads have stopped
   */
  async spread(
    volume: Volume,
    kind: "check" | "hash",
    runs: AsyncIterator<PieceRun>,
    onResult: (run: PieceRun, result: unknown) => void,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    this.#requireOpen();
    this.#startThreads(this.#maxThreads);
    let failure: { readonly error: unknown } | undefined;
    const work = async (thread: DiskThread): Promise<void> => {
      while (failure === undefined && !signal?.aborted) {
        try {
          const next = await runs.next();
          if (next.done) return;
          onResult(next.value, await thread.request(volume, { kind, volume: volume.id, ...next.value }));
        } catch (error) {
          failure ??= { error };
        }
      }
    };
    // Two a thread, so that it has the next while the answer to the last is on its way.
    await Promise.all([...this.#threads, ...this.#threads].map(work));
    signal?.throwIfAborted();
    if (failure !== undefined) throw failure.error;
  }

  /**
   * SHA-1 of every piece of the files laid end to end, 20 bytes each, for making a torrent. Uses all processors.
   * @throws {StorageError} when a file cannot be read or is shorter than said; signal.reason when aborted
   */
  async hashPieces(options: HashPiecesOptions): Promise<Uint8Array> {
    const { files, pieceLength, signal, onProgress } = options;
    const lengths = Float64Array.from(files, (file) => file.length);
    const offsets = new Float64Array(files.length);
    let totalLength = 0;
    for (const [i, length] of lengths.entries()) {
      offsets[i] = totalLength;
      totalLength += length;
    }
    const id = this.newVolumeId();
    const paths = files.map((file) => file.path);
    const flags = new Uint8Array(files.length);
    const nothing = new Uint8Array();
    const own = {
      folder: undefined,
      partsPath: "",
      pieces: nothing,
      preallocate: "none",
      chunkLength: this.pool.chunkLength,
    } as const;
    const volume = { id, spec: () => ({ ...own, volume: id, paths, lengths, offsets, flags, pieceLength, totalLength }) };
    const pieceCount = Math.ceil(totalLength / pieceLength);
    const out = new Uint8Array(pieceCount * DIGEST_LENGTH);
    const perRun = maxRunCount(pieceLength);
    async function* runs(): AsyncGenerator<PieceRun> {
      for (let first = 0; first < pieceCount; first += perRun) yield { first, count: Math.min(perRun, pieceCount - first) };
    }
    let done = 0;
    try {
      const onResult = (run: PieceRun, result: unknown): void => {
        out.set(result as Uint8Array, run.first * DIGEST_LENGTH);
        done += Math.min(run.count * pieceLength, totalLength - run.first * pieceLength);
        onProgress?.(done);
      };
      await this.spread(volume, "hash", runs(), onResult, signal);
    } finally {
      await this.closeVolume(volume, false);
    }
    return out;
  }

  /** Makes every thread forget the volume and close its files. */
  async closeVolume(volume: Volume, removeParts: boolean): Promise<void> {
    const close = { kind: "close", volume: volume.id, removeParts: false } as const;
    const threads = this.#threads.filter((thread) => thread.knows(volume));
    await Promise.all(threads.slice(1).map((thread) => thread.request(volume, close)));
    await threads[0]?.request(volume, { ...close, removeParts });
  }

  /** Ends the threads; storages must be closed before. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
    await this.descriptors.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new StorageError("STORAGE_CLOSED", storageErrorCodes.STORAGE_CLOSED, { fault: "local" });
  }
}

/** Runs of neighbouring pieces, each of about 16 MiB at most. */
export function maxRunCount(pieceLength: number): number {
  return Math.max(1, Math.floor(RUN_BYTES / pieceLength));
}
