/**
 * A BitTorrent client: many torrents, one port, over TCP on IPv4 and IPv6.
 * `Client.open`, then `add` a torrent's bytes; await `torrent.whenComplete()`; dispose the client when done.
 */

export { createLogger, type Logger, type LogLevel } from "#/base/log.ts";
export { clientVersion } from "#/base/version.ts";
export { type Metainfo, parseMetainfo } from "#/bittorrent/metainfo/index.ts";
export { type PiecePriority, piecePriority } from "#/bittorrent/swarm/index.ts";
export { Client, type ClientStats } from "./client.ts";
export { ClientError, type ClientErrorCode, clientErrorCodes } from "./errors.ts";
export type { FilePriorities } from "./file-choice.ts";
export type { ClientOptions } from "./options.ts";
export type { PeerCounts, PeerStats, TorrentState, TorrentStats } from "./stats.ts";
export { Torrent, type TorrentEvents, type TorrentOptions } from "./torrent.ts";
