/**
 * Piece data on disk: bounded memory for blocks on their way, disk threads that write and hash, reads for seeding, checks of what
 * is there, and resume records that survive a crash. Files are laid out as BEP 3 says, padding files and links as BEP 47.
 * Open a DiskPool over a ChunkPool once for a client, then a TorrentStorage for each torrent.
 */
export { type Chunk, ChunkPool, type ChunkPoolOptions } from "./chunk-pool.ts";
export { DiskPool, type DiskPoolOptions, type HashPiecesOptions } from "./disk-pool.ts";
export { StorageError, type StorageErrorCode, storageErrorCodes } from "./errors.ts";
export type { StorageFileSource, StorageLayoutSource } from "./layout.ts";
export { ResumeSaver, type ResumeSaverOptions } from "./resume-saver.ts";
export { piecesToCheck, type ResumeLoad, type ResumeRecord, ResumeStore } from "./resume-store.ts";
export {
  type CheckOptions,
  type FileStamp,
  type PieceChecked,
  type StorageStamps,
  TorrentStorage,
  type TorrentStorageOptions,
} from "./torrent-storage.ts";
