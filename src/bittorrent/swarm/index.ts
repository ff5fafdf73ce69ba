/**
 * The peers of a torrent: whom to connect to, what to ask of whom, whom to send to, and whom to ban.
 * BEP 3, with the fast extension (6), the extension protocol (10), upload-only (21), peer priority (40) and donthave (54).
 * Knows no socket, clock or disk: links, `tick` and the store are brought to it.
 */
export { type PiecePriority, piecePriority } from "./availability.ts";
export { BLOCK_LENGTH } from "./block.ts";
export type { PeerOrigin } from "./candidates.ts";
export { peerError, SwarmError, type SwarmErrorCode, swarmErrorCodes } from "./errors.ts";
export { Handshaking } from "./handshaking.ts";
export type { Link, LinkListener, Transport } from "./link.ts";
export type { Direction, Peer } from "./peer.ts";
export { reasonCode } from "./peer-connection.ts";
export { RateMeter } from "./rate-meter.ts";
export { addCounters, createCounters, type SwarmCounters } from "./stats.ts";
export type { PieceStore } from "./store.ts";
export { Swarm } from "./swarm.ts";
export type { SwarmEvents, SwarmOptions, SwarmTorrent } from "./swarm-options.ts";
export { TokenBucket } from "./token-bucket.ts";
export { UploadMemory } from "./uploader.ts";
