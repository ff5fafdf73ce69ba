import type { Chunk } from "../storage/index.ts";

/** What the swarm asks of the storage of its torrent; `TorrentStorage` fits it. */
export interface PieceStore {
  writeChunk(piece: number, begin: number, length: number, chunk: Chunk): void;
  forgetPiece(piece: number): void;
  digestBlocks(piece: number, done: (digests: Uint8Array | undefined) => void): void;
  read(piece: number, begin: number, views: readonly Uint8Array[], done: (error: Error | undefined) => void): void;
}
