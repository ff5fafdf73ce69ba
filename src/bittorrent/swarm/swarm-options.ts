import type { Bitfield } from "#/base/bitfield.ts";
import type { Clock } from "#/base/clock.ts";
import type { Logger } from "#/base/log.ts";
import type { RandomSource } from "#/base/random.ts";
import type { ChunkPool } from "../storage/index.ts";
import type { Peer } from "./peer.ts";
import type { PieceStore } from "./store.ts";
import type { TokenBucket } from "./token-bucket.ts";
import type { UploadMemory } from "./uploader.ts";

/** What of a torrent the swarm needs; `Metainfo` fits it. */
export interface SwarmTorrent {
  readonly infoHash: Uint8Array;
  readonly pieceCount: number;
  readonly pieceLength: number;
  pieceSize(piece: number): number;
}

export interface SwarmOptions {
  readonly torrent: SwarmTorrent;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Sent as `v` in the extension handshake. */
  readonly clientVersion: string;
  /** What is verified on disk; the swarm adds to it. */
  readonly have: Bitfield;
  readonly store: PieceStore;
  readonly pool: ChunkPool;
  readonly uploadMemory: UploadMemory;
  /** Limits of the whole client. */
  readonly clientDown: TokenBucket;
  readonly clientUp: TokenBucket;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly logger: Logger;
  /** Where other peers may reach us, 0 when they cannot. */
  readonly listenPort: () => number;
  readonly maxPeers: number;
}

export interface SwarmEvents {
  peerConnected: [{ readonly peer: Peer }];
  peerClosed: [{ readonly peer: Peer; readonly reason: Error; readonly code: string }];
  peerBanned: [{ readonly address: string; readonly clientName: string }];
  pieceVerified: [{ readonly piece: number }];
  pieceFailed: [{ readonly piece: number }];
  /** All wanted pieces are here. */
  complete: [];
  /** Data could not be read for a peer. */
  readFailed: [{ readonly error: Error }];
}
