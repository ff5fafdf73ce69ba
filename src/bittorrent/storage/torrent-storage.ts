import { resolve } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Chunk } from "./chunk-pool.ts";
import type { CheckResult, PrepareResult, SkipResult, StampsResult, VolumeSpec, WriteReply } from "./disk-messages.ts";
import { type ChunkDone, type DiskPool, maxRunCount, type PieceRun } from "./disk-pool.ts";
import { failureToError, type Volume } from "./disk-thread.ts";
import { StorageError, storageErrorCodes, toStorageError } from "./errors.ts";
import { FileSync } from "./file-sync.ts";
import type { Root } from "./inside.ts";
import { linksOf, type StorageLayoutSource, tablesOf } from "./layout.ts";
import { PieceReader } from "./piece-reader.ts";
import { fileFlag, PARTS_FILE, SpanTable, ZEROS } from "./span-table.ts";

export interface PieceChecked {
  readonly piece: number;
  readonly ok: boolean;
  /** Only when not ok: the SHA-1 (20 bytes) of each 16 KiB block as it is on disk, one after another. */
  readonly blockDigests?: Uint8Array;
}

/** Where a file, or the parts file, stood when it was looked at. */
export interface FileStamp {
  readonly size: number;
  readonly mtimeNs: bigint;
}

/** State of all files of a torrent on disk. */
export interface StorageStamps {
  /** One for each file of the torrent; undefined for a padding file, a symbolic link, or one that is not there. */
  readonly files: readonly (FileStamp | undefined)[];
  /** Of the file that keeps edges of skipped files. */
  readonly parts: FileStamp | undefined;
  /** Indexes of the files that were skipped, ascending. */
  readonly skipped: readonly number[];
}

export interface TorrentStorageOptions {
  readonly disk: DiskPool;
  readonly layout: StorageLayoutSource;
  /** The download folder; need not exist yet. */
  readonly folder: string;
  /** How room is made for a file: a hole of its full length, zeros written ahead by `prepare`, or not at all. @default "sparse" */
  readonly preallocate?: "sparse" | "full" | "none";
  readonly skippedFiles?: ReadonlySet<number>;
  /** The chunk is written and back in the pool. */
  readonly onChunkWritten: (piece: number, begin: number) => void;
  /** All chunks of a piece are written and its hash was compared; comes after the last onChunkWritten of the piece. */
  readonly onPieceChecked: (result: PieceChecked) => void;
  /**
   * A write failed, a file cannot be checked, or a file vanished while it was read.
   * After a failed write (details.piece, details.begin) the chunk is back in the pool and the piece is forgotten: all of it has to come again.
   */
  readonly onFault: (error: StorageError) => void;
}

export interface CheckOptions {
  /** @default all pieces */
  readonly pieces?: Iterable<number> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onPiece?: ((piece: number, ok: boolean) => void) | undefined;
  /** Pieces looked at so far, of how many. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Bytes of zeros written by one task of full preallocation. */
const FILL_LENGTH = 16 * 1024 * 1024;
/** Pieces of missing files answered in a row before other work gets its turn. */
const PIECES_A_TURN = 4096;

/** The files of one torrent. */
export class TorrentStorage implements AsyncDisposable {
  readonly folder: string;
  readonly #options: TorrentStorageOptions;
  readonly #disk: DiskPool;
  readonly #table: SpanTable;
  readonly #volume: Volume;
  readonly #reader: PieceReader;
  readonly #sync: FileSync;
  readonly #skipped: Set<number>;
  /** Checks and moves of skipped files come one after another. */
  #turn: Promise<unknown> = Promise.resolve();
  #writing = 0;
  #drained: (() => void) | undefined;
  /** Whether bytes in the parts file were given a chance to move home. */
  #partsAreSettled = false;
  /** Aborted when the storage closes. */
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  private constructor(options: TorrentStorageOptions) {
    this.#options = options;
    this.#disk = options.disk;
    this.folder = resolve(options.folder);
    const tables = tablesOf(options.layout);
    this.#table = new SpanTable(tables);
    this.#skipped = new Set(options.skippedFiles);
    for (const file of this.#skipped) {
      for (const { flag } of this.#table.edges(file)) tables.flags[file] = (tables.flags[file] as number) | flag;
    }
    const paths = options.layout.files.map((file) => file.safePath.join("/"));
    const partsPath = `.${options.layout.infoHashHex}.parts`;
    const pieces = new Uint8Array(new SharedArrayBuffer(options.layout.pieces.length));
    pieces.set(options.layout.pieces);
    const id = options.disk.newVolumeId();
    const fixed = { volume: id, folder: this.folder, paths, partsPath, pieces, chunkLength: options.disk.pool.chunkLength };
    const spec: VolumeSpec = { ...fixed, ...tables, preallocate: options.preallocate ?? "sparse" };
    this.#volume = { id, spec: () => spec };
    const root: Root = { path: this.folder };
    const relative = (file: number): string => (file === PARTS_FILE ? partsPath : (paths[file] as string));
    this.#reader = new PieceReader({
      root,
      relative,
      table: this.#table,
      descriptors: options.disk.descriptors,
      onFault: options.onFault,
    });
    this.#sync = new FileSync(root, relative);
  }

  /** Makes no file and no folder. */
  static async open(options: TorrentStorageOptions): Promise<TorrentStorage> {
    return new TorrentStorage(options);
  }

  /**
   * Makes folders, empty files and symbolic links, and room for all files with `preallocate: "full"`. To be awaited before the first
   * write; not needed to seed. A link that cannot be made is logged.
   * @throws {StorageError}
   */
  async prepare(): Promise<void> {
    this.#requireOpen();
    const links = linksOf(this.#options.layout);
    const result = (await this.#disk.request(this.#volume, {
      kind: "prepare",
      volume: this.#volume.id,
      links,
      skipped: [...this.#skipped],
    })) as PrepareResult;
    this.#sync.firstFolderMade ??= result.firstFolderMade;
    this.#partsAreSettled = true;
    for (const file of result.written) this.#sync.mark(file);
    for (const failed of result.failedLinks) this.#disk.logger.warn("a link of the torrent was not made", { ...failed });
    for (const file of this.#options.layout.files.keys()) {
      if (this.#options.preallocate === "full" && !this.#skipped.has(file)) await this.#fill(file);
    }
  }

  async #fill(file: number): Promise<void> {
    if (((this.#table.flags[file] as number) & fileFlag.virtual) !== 0) return;
    const length = this.#table.lengths[file] as number;
    for (let from = 0; from < length; from += FILL_LENGTH) {
      this.#requireOpen();
      await this.#disk.request(this.#volume, { kind: "fill", volume: this.#volume.id, file, from, length: FILL_LENGTH });
      this.#sync.mark(file);
    }
  }

  /**
   * Hot path. `chunk.bytes[0..length)` are the bytes of `piece` from `begin`, a multiple of the pool's chunkLength; `length` is a
   * whole chunk or reaches the piece's end. The storage owns the chunk from here on; exactly one of onChunkWritten and onFault follows.
   * @throws {StorageError} STORAGE_CLOSED, STORAGE_BAD_RANGE; the chunk is then still the caller's
   */
  writeChunk(piece: number, begin: number, length: number, chunk: Chunk): void {
    this.#requireOpen();
    const { chunkLength } = this.#disk.pool;
    const isPiece = piece >= 0 && piece < this.#table.pieceCount;
    if (
      !isPiece ||
      begin < 0 ||
      begin % chunkLength !== 0 ||
      length !== Math.min(chunkLength, this.#table.pieceSize(piece) - begin)
    ) {
      throw badRange({ piece, begin, length });
    }
    this.#writing++;
    this.#disk.writeChunk(this.#volume, piece, begin, length, chunk, this.#chunkDone);
  }

  readonly #chunkDone: ChunkDone = (piece, begin, length, reply: WriteReply | undefined): void => {
    const { onChunkWritten, onPieceChecked, onFault } = this.#options;
    try {
      if (reply?.failure !== undefined) {
        onFault(failureToError(reply.failure, { piece, begin }));
        return;
      }
      this.#markWritten(piece, begin, length);
      onChunkWritten(piece, begin);
      if (reply?.ok === true) onPieceChecked({ piece, ok: true });
      else if (reply?.blockDigests !== undefined) onPieceChecked({ piece, ok: false, blockDigests: reply.blockDigests });
    } finally {
      if (--this.#writing === 0) this.#drained?.();
    }
  };

  #markWritten(piece: number, begin: number, length: number): void {
    for (const { file } of this.#table.spans(piece, begin, length)) if (file !== ZEROS) this.#sync.mark(file);
  }

  /** Forgets which chunks of a piece were written, since all of it will come again. */
  forgetPiece(piece: number): void {
    if (this.#closing === undefined) this.#disk.writer(this.#volume, piece).forget(this.#volume, piece);
  }

  /** SHA-1 (20 bytes) of each 16 KiB block of a piece as it is on disk; undefined when it could not be read. */
  digestBlocks(piece: number, done: (digests: Uint8Array | undefined) => void): void {
    this.#requireOpen();
    const answer = this.#disk.writer(this.#volume, piece).request(this.#volume, { kind: "digest", volume: this.#volume.id, piece });
    answer.then(
      (digests) => done(digests as Uint8Array),
      () => done(undefined),
    );
  }

  /**
   * Hot path. Fills the views one after another from the piece's bytes at `begin`; they must not change until `done` is called, which
   * happens later, also for errors: STORAGE_FILE_MISSING, STORAGE_FILE_TRUNCATED, STORAGE_BAD_RANGE, STORAGE_CLOSED and system faults.
   */
  read(piece: number, begin: number, views: readonly Uint8Array[], done: (error: StorageError | undefined) => void): void {
    this.#reader.read(piece, begin, views, done);
  }

  /**
   * Compares what is on disk with the hashes, with all processors. A piece of a file that is missing or too short is not ok at once.
   * Waits for a check or setSkipped that was asked for before.
   * @throws signal.reason when aborted, STORAGE_CLOSED when the storage is closed meanwhile
   */
  check(options: CheckOptions = {}): Promise<void> {
    return this.#inTurn(() => this.#check(options));
  }

  async #check(options: CheckOptions): Promise<void> {
    const { onPiece, onProgress } = options;
    const signal = AbortSignal.any([this.#closed.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    signal.throwIfAborted();
    const { sizes } = (await this.#disk.request(this.#volume, { kind: "stamps", volume: this.#volume.id })) as StampsResult;
    const table = this.#table;
    const isThere = (piece: number): boolean =>
      table.spans(piece, 0, table.pieceSize(piece)).every(({ file, offset, length }) => {
        return file === ZEROS || (sizes[file === PARTS_FILE ? sizes.length - 1 : file] as number) >= offset + length;
      });
    const wanted = options.pieces === undefined ? undefined : [...options.pieces];
    const total = wanted?.length ?? table.pieceCount;
    const maxCount = maxRunCount(table.pieceLength);
    let done = 0;
    async function* runs(): AsyncGenerator<PieceRun> {
      let first = -1;
      let count = 0;
      for (let i = 0; i < total; i++) {
        const piece = wanted === undefined ? i : (wanted[i] as number);
        const isNeighbour = count > 0 && piece === first + count && count < maxCount;
        if (count > 0 && !isNeighbour) {
          yield { first, count };
          count = 0;
        }
        if (isThere(piece)) {
          if (count === 0) first = piece;
          count++;
          continue;
        }
        if (count > 0) yield { first, count };
        count = 0;
        onPiece?.(piece, false);
        onProgress?.(++done, total);
        if (done % PIECES_A_TURN === 0) await nextTurn();
      }
      if (count > 0) yield { first, count };
    }
    const told = new Set<string>();
    const onResult = (run: PieceRun, result: unknown): void => {
      const { ok, failure } = result as CheckResult;
      for (let i = 0; i < run.count; i++) {
        const piece = run.first + i;
        // It may be in the system's memory only, if the process that wrote it was killed.
        if (ok[i] === 1) this.#markWritten(piece, 0, table.pieceSize(piece));
        onPiece?.(piece, ok[i] === 1);
      }
      done += run.count;
      onProgress?.(done, total);
      if (failure === undefined || told.has(failure.path)) return;
      told.add(failure.path);
      this.#options.onFault(failureToError(failure));
    };
    await this.#disk.spread(this.#volume, "check", runs(), onResult, signal);
  }

  /**
   * Skips a file or wants it again: its bytes in pieces that it shares with other files move to the parts file or back.
   * Bytes that are in the file itself stay there.
   * @throws {StorageError}
   */
  setSkipped(file: number, skipped: boolean): Promise<void> {
    return this.#inTurn(async () => {
      this.#requireOpen();
      if (skipped) this.#skipped.add(file);
      else this.#skipped.delete(file);
      for (const edge of this.#table.edges(file)) {
        const flags = this.#table.flags[file] as number;
        if (((flags & edge.flag) !== 0) === skipped) continue;
        const task = { kind: "skip", volume: this.#volume.id, file, ...edge, skipped } as const;
        const owner = this.#disk.writer(this.#volume, edge.piece);
        const moved = (await owner.request(this.#volume, { ...task, move: true })) as SkipResult;
        this.#table.flags[file] = skipped ? flags | edge.flag : flags & ~edge.flag;
        if (moved) this.#sync.mark(skipped ? PARTS_FILE : file);
        const others = this.#disk.threads.filter((thread) => thread !== owner && thread.knows(this.#volume));
        await Promise.all(others.map((thread) => thread.request(this.#volume, { ...task, move: false })));
      }
      this.#partsAreSettled = true;
    });
  }

  /**
   * All that was reported written before the call is durable when the promise resolves. Runs beside the main thread.
   * @throws {StorageError} after a failed flush every later call fails with STORAGE_SYNC_FAILED: open the storage again and check
   */
  sync(): Promise<void> {
    return this.#sync.run();
  }

  async fileStamps(): Promise<StorageStamps> {
    const answer = await this.#disk.request(this.#volume, { kind: "stamps", volume: this.#volume.id });
    const { sizes, mtimesNs } = answer as StampsResult;
    const stamps = Array.from(sizes, (size, i) => (size === -1 ? undefined : { size, mtimeNs: mtimesNs[i] as bigint }));
    const parts = stamps.pop();
    return { files: stamps, parts, skipped: [...this.#skipped].sort((a, b) => a - b) };
  }

  /** Waits for writes and reads, then closes the files and removes the parts file if no skipped file needs it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#closed.abort(this.#closedError());
    await this.#turn.catch(() => {});
    if (this.#writing > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    await this.#reader.close();
    const needsParts = this.#table.flags.some((flags) => (flags & (fileFlag.headInParts | fileFlag.tailInParts)) !== 0);
    await this.#disk.closeVolume(this.#volume, this.#partsAreSettled && !needsParts).catch((error: unknown) => {
      const { code, details } = toStorageError(error, { path: this.folder, operation: "close" });
      this.#disk.logger.warn("files of a torrent were not closed well", { code, ...details });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => {
      this.#requireOpen();
      return action();
    });
    this.#turn = result.catch(() => {});
    return result;
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw this.#closedError();
  }

  #closedError(): StorageError {
    const details = { path: this.folder };
    return new StorageError("STORAGE_CLOSED", storageErrorCodes.STORAGE_CLOSED, { fault: "local", details });
  }
}

function badRange(details: Readonly<Record<string, number>>): StorageError {
  return new StorageError("STORAGE_BAD_RANGE", storageErrorCodes.STORAGE_BAD_RANGE, { fault: "local", details });
}
