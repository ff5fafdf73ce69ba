import type { Chunk } from "./chunk-pool.ts";
import type { DiskPool } from "./disk-pool.ts";
import type { StorageError } from "./errors.ts";
import type { StorageLayoutSource } from "./layout.ts";

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
  /** A write failed. Its chunk is back in the pool and its piece is forgotten: all of the piece has to come again. */
  readonly onFault: (error: StorageError) => void;
}

export interface CheckOptions {
  /** @default all pieces */
  readonly pieces?: Iterable<number> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onPiece?: (piece: number, ok: boolean) => void;
  /** Pieces looked at so far, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The files of one torrent. */
export class TorrentStorage implements AsyncDisposable {
  private constructor(_options: TorrentStorageOptions) {}
  /** Makes no file and no folder. */
  static async open(options: TorrentStorageOptions): Promise<TorrentStorage> {
    return new TorrentStorage(options);
  }
  /** Makes folders, empty files and symbolic links. Call once before the first write; not needed to seed. @throws {StorageError} */
  async prepare(): Promise<void> {}
  /**
   * Hot path. `chunk.bytes[0..length)` are the bytes of `piece` from `begin`, a multiple of the pool's chunkLength; `length` is a
   * whole chunk or reaches the piece's end. The storage owns the chunk from here on; exactly one of onChunkWritten and onFault follows.
   */
  writeChunk(_piece: number, _begin: number, _length: number, _chunk: Chunk): void {
    throw new Error("not built yet");
  }
  /** Forgets which chunks of a piece were written, since all of it will come again. */
  forgetPiece(_piece: number): void {}
  /** SHA-1 (20 bytes) of each 16 KiB block of a piece as it is on disk; undefined when it could not be read. */
  digestBlocks(_piece: number, _done: (digests: Uint8Array | undefined) => void): void {}
  /** Hot path. Fills the views one after another from the piece's bytes at `begin`; they must not change until `done` is called. */
  read(_piece: number, _begin: number, _views: readonly Uint8Array[], _done: (error: StorageError | undefined) => void): void {}
  /** Pieces that are right on disk are reported with ok. Rejects with signal.reason when aborted. */
  async check(_options?: CheckOptions): Promise<void> {}
  /** Moves the file's edge bytes to where they belong and uses that place from then on. */
  async setSkipped(_file: number, _skipped: boolean): Promise<void> {}
  /** All that was reported written before the call is durable when the promise resolves. @throws {StorageError} */
  async sync(): Promise<void> {}
  async fileStamps(): Promise<StorageStamps> {
    throw new Error("not built yet");
  }
  /** Waits for writes and reads, then closes the files. Idempotent. */
  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
