import { type Endpoint, ipFamily } from "#/base/ip.ts";
import { TrackerError } from "./errors.ts";

export const INFO_HASH_LENGTH = 20;
export const PEER_ID_LENGTH = 20;

export const announceEvents = ["started", "completed", "stopped"] as const;
export type AnnounceEvent = (typeof announceEvents)[number];

/** What a client tells a tracker about one torrent, whatever carries it (BEP 3, BEP 15). */
export interface AnnounceRequest {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** Where the client listens, 0 to 65535. */
  readonly port: number;
  /** Bytes since `started`. */
  readonly uploaded: number;
  readonly downloaded: number;
  /** Bytes that are still missing. */
  readonly left: number;
  readonly event?: AnnounceEvent | undefined;
  /** 32 bits that prove identity when the address changes. */
  readonly key: number;
  /** Peers wanted; 0 for none, undefined for the tracker's default. */
  readonly numWant?: number | undefined;
  /** What the tracker's last answer gave as `tracker id`. HTTP only. */
  readonly trackerId?: Uint8Array | undefined;
  /** Own address of the other family (BEP 7); over UDP `ipv4` fills the IP field. */
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
}

/** What a client takes from the answer to an announce. */
export interface AnnounceResponse {
  /** Seconds to wait until the next regular announce. */
  readonly intervalSeconds: number;
  readonly minIntervalSeconds?: number | undefined;
  readonly seeders?: number | undefined;
  readonly leechers?: number | undefined;
  /** At most MAX_PEERS; IP addresses only, never a port 0. */
  readonly peers: readonly Endpoint[];
  /** Text for people. */
  readonly warning?: string | undefined;
  readonly trackerId?: Uint8Array | undefined;
  /** Our address as the tracker sees it (BEP 24). */
  readonly externalIp?: string | undefined;
}

/** Numbers of one torrent at a tracker (BEP 48). */
export interface ScrapeEntry {
  readonly seeders: number;
  readonly leechers: number;
  /** Downloads that were finished, ever. */
  readonly completed: number;
}

/** Peers taken from one answer; the rest is ignored. */
export const MAX_PEERS = 2000;

/** For an answer that names no interval. BEP 3 gives no default; half an hour is what trackers commonly ask for. */
export const DEFAULT_INTERVAL_SECONDS = 1800;

/**
 * Checks lengths and ranges before anything is encoded.
 * @throws {TrackerError} TRACKER_BAD_REQUEST, with the member's name
 */
export function checkAnnounceRequest(request: AnnounceRequest): void {
  checkHash("infoHash", request.infoHash);
  checkHash("peerId", request.peerId);
  checkInteger("port", request.port, 0xffff);
  checkInteger("uploaded", request.uploaded);
  checkInteger("downloaded", request.downloaded);
  checkInteger("left", request.left);
  checkInteger("key", request.key, 0xffff_ffff);
  if (request.numWant !== undefined) checkInteger("numWant", request.numWant, 0x7fff_ffff);
  if (request.ipv4 !== undefined && ipFamily(request.ipv4) !== 4) throw badRequest("ipv4", "is not an IPv4 address");
  if (request.ipv6 !== undefined && ipFamily(request.ipv6) !== 6) throw badRequest("ipv6", "is not an IPv6 address");
}

/** @throws {TrackerError} TRACKER_BAD_REQUEST */
export function checkInfoHashes(infoHashes: readonly Uint8Array[], limit = Number.POSITIVE_INFINITY): void {
  if (infoHashes.length === 0 || infoHashes.length > limit) {
    throw new TrackerError("TRACKER_BAD_REQUEST", `${infoHashes.length} info-hashes in one scrape`, {
      fault: "local",
      details: { got: infoHashes.length },
    });
  }
  for (const infoHash of infoHashes) checkHash("infoHash", infoHash);
}

function checkHash(member: string, bytes: Uint8Array): void {
  if (bytes.byteLength !== 20) throw badRequest(member, `has ${bytes.byteLength} bytes, not 20`);
}

function checkInteger(member: string, value: number, limit = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isInteger(value) || value < 0 || value > limit)
    throw badRequest(member, `is ${value}, not a whole number from 0 to ${limit}`);
}

function badRequest(member: string, what: string): TrackerError {
  return new TrackerError("TRACKER_BAD_REQUEST", `${member} of a request ${what}`, { fault: "local", details: { member } });
}
