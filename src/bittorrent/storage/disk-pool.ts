import type { Logger } from "#/base/log.ts";
import type { ChunkPool } from "./chunk-pool.ts";

export interface DiskPoolOptions {
  readonly pool: ChunkPool;
  /** Threads that write and hash pieces as they come. @default processors - 1, from 1 to 4 */
  readonly workers?: number;
  /** Bound of the file descriptors held open over all torrents and threads. @default 192 */
  readonly maxOpenFiles?: number;
  readonly logger?: Logger;
}

export interface HashPiecesOptions {
  readonly files: readonly { readonly path: string; readonly length: number }[];
  readonly pieceLength: number;
  readonly signal?: AbortSignal;
  /** Bytes hashed so far. */
  readonly onProgress?: (bytes: number) => void;
}

/** The disk threads and open files of one client. */
export class DiskPool implements AsyncDisposable {
  readonly pool: ChunkPool;
  private constructor(options: DiskPoolOptions) {
    this.pool = options.pool;
  }
  static async open(options: DiskPoolOptions): Promise<DiskPool> {
    return new DiskPool(options);
  }
  /** SHA-1 of every piece of the files laid end to end, 20 bytes each, for making a torrent. @throws {StorageError} */
  async hashPieces(_options: HashPiecesOptions): Promise<Uint8Array> {
    throw new Error("not built yet");
  }
  async close(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
