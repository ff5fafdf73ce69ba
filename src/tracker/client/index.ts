/**
 * Talks to trackers over HTTP, HTTPS and UDP (BEP 3, 7, 12, 15, 23, 24, 31, 41, 48): `announce` and `scrape` ask one tracker once,
 * a `TorrentAnnouncer` keeps all trackers of a torrent informed from start to stop.
 */
export {
  type AnnounceEvent,
  type AnnounceRequest,
  type AnnounceResponse,
  type ScrapeEntry,
  TrackerError,
  type TrackerErrorCode,
  trackerErrorCodes,
} from "../protocol/index.ts";
export { type AnnounceOptions, announce, type ScrapeOptions, scrape } from "./announce.ts";
export { type AnnouncerEvent, TorrentAnnouncer, type TorrentAnnouncerOptions } from "./announcer.ts";
export type { TrackerCallOptions } from "./call.ts";
export type { HostResolver } from "./destination.ts";
export type { TrackerState, TrackerStatus } from "./schedule.ts";
export { UdpTrackerSockets } from "./udp.ts";
