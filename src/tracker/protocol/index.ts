/**
 * What clients and trackers say to each other, without sockets or clocks: announces and scrapes as HTTP queries and bencoded
 * answers (BEP 3, 7, 23, 24, 31, 48) and as UDP datagrams (BEP 15, 41). Both sides encode and decode with this.
 */
export { TrackerError, type TrackerErrorCode, trackerErrorCodes } from "./errors.ts";
export {
  type AnnounceAnswer,
  type AnsweredPeer,
  decodeAnnounceAnswer,
  decodeScrapeAnswer,
  encodeAnnounceAnswer,
  encodeFailure,
  encodeScrapeAnswer,
  type TrackerFailure,
  tryReadFailure,
} from "./http-answer.ts";
export {
  type AnnounceQuery,
  announceTarget,
  decodeAnnounceQuery,
  decodeScrapeQuery,
  encodeAnnounceQuery,
  encodeScrapeQuery,
  scrapeTarget,
} from "./http-query.ts";
export {
  type AnnounceEvent,
  type AnnounceRequest,
  type AnnounceResponse,
  DEFAULT_INTERVAL_SECONDS,
  MAX_PEERS,
  type ScrapeEntry,
} from "./messages.ts";
export { parseTrackerUrl, scrapeUrlOf, type TrackerUrl } from "./tracker-url.ts";
export { type UdpAnswer, UdpConnectionId, UdpExchange, type UdpExchangeEvent, type UdpQuestion } from "./udp-exchange.ts";
export {
  decodeUdpReply,
  decodeUdpRequest,
  encodeUdpReply,
  encodeUdpRequest,
  MAX_SCRAPE_HASHES,
  type UdpAnnounceReply,
  type UdpReply,
  type UdpRequest,
} from "./udp-packets.ts";
