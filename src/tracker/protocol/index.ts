/**
 * What clients and trackers say to each other, without sockets or clocks: announces and scrapes as HTTP queries and bencoded
 * answers (BEP 3, 7, 23, 24, 31, 48) and as UDP datagrams (BEP 15, 41). Both sides encode and decode with this.
 */
export { TrackerError, type TrackerErrorCode, trackerErrorCodes } from "./errors.ts";
export {
  decodeAnnounceAnswer,
  decodeScrapeAnswer,
  encodeAnnounceAnswer,
  encodeFailure,
  encodeScrapeAnswer,
  tryReadFailure,
} from "./http-answer.ts";
export {
  type AnnounceQuery,
  announceTarget,
  decodeAnnounceQuery,
  decodeScrapeQuery,
  scrapeTarget,
} from "./http-query.ts";
export type {
  AnnounceEvent,
  AnnounceRequest,
  AnnounceResponse,
  ScrapeEntry,
} from "./messages.ts";
export { parseTrackerUrl, scrapeUrlOf, type TrackerUrl } from "./tracker-url.ts";
export { type UdpAnswer, UdpConnectionId, UdpExchange, type UdpQuestion } from "./udp-exchange.ts";
export {
  decodeUdpRequest,
  encodeUdpReply,
  MAX_SCRAPE_HASHES,
  type UdpReply,
  type UdpRequest,
} from "./udp-packets.ts";
