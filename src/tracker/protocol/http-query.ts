import { fromLatin1, toLatin1 } from "#/base/bytes.ts";
import { ipFamily } from "#/base/ip.ts";
import { TrackerError } from "./errors.ts";
import {
  type AnnounceRequest,
  announceEvents,
  checkAnnounceRequest,
  checkInfoHashes,
  INFO_HASH_LENGTH,
  PEER_ID_LENGTH,
} from "./messages.ts";
import type { TrackerUrl } from "./tracker-url.ts";

/** Members of a query that are read, each with its value; bounds the work that a long query can cause. */
const MAX_PARAMETERS = 256;

/** An announce as an HTTP tracker receives it. */
export interface AnnounceQuery extends Omit<AnnounceRequest, "key"> {
  /** Any text, as the client sent it. */
  readonly key?: string | undefined;
  /** undefined: the client did not say (BEP 23). */
  readonly compact?: boolean | undefined;
  readonly noPeerId: boolean;
  /** Address that the client claims (BEP 3); a name or an address. */
  readonly ip?: string | undefined;
}

/** Path and query of an HTTP announce, behind whatever query the tracker's URL has. @throws {TrackerError} TRACKER_BAD_REQUEST */
export function announceTarget(url: TrackerUrl, request: AnnounceRequest): string {
  return withQuery(url, encodeAnnounceQuery(request));
}

/** Path and query of an HTTP scrape. @throws {TrackerError} TRACKER_BAD_REQUEST */
export function scrapeTarget(url: TrackerUrl, infoHashes: readonly Uint8Array[]): string {
  return withQuery(url, encodeScrapeQuery(infoHashes));
}

function withQuery(url: TrackerUrl, query: string): string {
  const separator = url.query === "" ? "?" : /[?&]$/.test(url.query) ? "" : "&";
  return `${url.path}${url.query}${separator}${query}`;
}

/**
 * The query of an HTTP announce without a leading question mark (BEP 3, BEP 7, BEP 23); hashes and ids are percent-encoded byte by byte.
 * @throws {TrackerError} TRACKER_BAD_REQUEST
 */
export function encodeAnnounceQuery(request: AnnounceRequest): string {
  checkAnnounceRequest(request);
  const parts = [
    `info_hash=${percentEncode(request.infoHash)}`,
    `peer_id=${percentEncode(request.peerId)}`,
    `port=${request.port}`,
    `uploaded=${request.uploaded}`,
    `downloaded=${request.downloaded}`,
    `left=${request.left}`,
    "compact=1",
    "no_peer_id=1",
    `key=${request.key.toString(16).toUpperCase().padStart(8, "0")}`,
  ];
  if (request.event !== undefined) parts.push(`event=${request.event}`);
  if (request.numWant !== undefined) parts.push(`numwant=${request.numWant}`);
  if (request.ipv4 !== undefined) parts.push(`ipv4=${request.ipv4}`);
  if (request.ipv6 !== undefined) parts.push(`ipv6=${percentEncode(fromLatin1(request.ipv6))}`);
  if (request.trackerId !== undefined) parts.push(`trackerid=${percentEncode(request.trackerId)}`);
  return parts.join("&");
}

/** The query of an HTTP scrape (BEP 48). @throws {TrackerError} TRACKER_BAD_REQUEST */
export function encodeScrapeQuery(infoHashes: readonly Uint8Array[]): string {
  checkInfoHashes(infoHashes);
  return infoHashes.map((infoHash) => `info_hash=${percentEncode(infoHash)}`).join("&");
}

/**
 * Reads the query of an announce, without its question mark.
 * An unknown event, and addresses or counts that make no sense, are taken as absent; `uploaded` and `downloaded` default to 0.
 * @throws {TrackerError} TRACKER_BAD_REQUEST for `info_hash`, `peer_id`, `port` or `left` missing or out of range
 */
export function decodeAnnounceQuery(query: string): AnnounceQuery {
  const values = new Map<string, string>();
  for (const [name, value] of parameters(query)) if (!values.has(name)) values.set(name, value);
  const integer = (name: string, limit: number): number | undefined => {
    const text = values.get(name) ?? "";
    return /^\d{1,20}$/.test(text) && Number(text) <= limit ? Number(text) : undefined;
  };
  const counter = (name: string): number | undefined => {
    const value = integer(name, Number.POSITIVE_INFINITY);
    return value === undefined ? undefined : Math.min(value, Number.MAX_SAFE_INTEGER);
  };
  const address = (name: string, family: 4 | 6): string | undefined => {
    const text = (values.get(name) ?? "").replace(family === 4 ? /^([^:]*):\d+$/ : /^\[(.*)\](?::\d+)?$/, "$1");
    return ipFamily(text) === family ? text : undefined;
  };
  const trackerId = values.get("trackerid");
  return {
    infoHash: fixedBytes("info_hash", values.get("info_hash"), INFO_HASH_LENGTH),
    peerId: fixedBytes("peer_id", values.get("peer_id"), PEER_ID_LENGTH),
    port: integer("port", 0xffff) ?? refuse("port"),
    uploaded: counter("uploaded") ?? 0,
    downloaded: counter("downloaded") ?? 0,
    left: counter("left") ?? refuse("left"),
    event: announceEvents.find((event) => event === values.get("event")),
    key: values.get("key"),
    numWant: integer("numwant", 0x7fff_ffff),
    compact: values.has("compact") ? values.get("compact") !== "0" : undefined,
    noPeerId: values.get("no_peer_id") === "1",
    trackerId: trackerId === undefined ? undefined : fromLatin1(trackerId),
    ip: values.get("ip"),
    ipv4: address("ipv4", 4),
    ipv6: address("ipv6", 6),
  };
}

/**
 * Reads the query of a scrape, without its question mark.
 * @returns at least one hash; a scrape of everything, which BEP 48 allows, is refused
 * @throws {TrackerError} TRACKER_BAD_REQUEST
 */
export function decodeScrapeQuery(query: string): Uint8Array[] {
  const infoHashes: Uint8Array[] = [];
  for (const [name, value] of parameters(query)) {
    if (name === "info_hash") infoHashes.push(fixedBytes(name, value, INFO_HASH_LENGTH));
  }
  return infoHashes.length === 0 ? refuse("info_hash") : infoHashes;
}

function fixedBytes(name: string, value: string | undefined, length: number): Uint8Array {
  return value?.length === length ? fromLatin1(value) : refuse(name);
}

function refuse(member: string): never {
  throw new TrackerError("TRACKER_BAD_REQUEST", `${member} of a query is missing or out of range`, {
    fault: "remote",
    details: { member },
  });
}

/** Names and values, one character a byte. A plus sign stays one (RFC 3986): a raw hash may hold it. */
function* parameters(query: string): Generator<readonly [string, string]> {
  for (const part of query.split("&", MAX_PARAMETERS)) {
    const equals = part.indexOf("=");
    if (equals > 0) yield [percentDecode(part.slice(0, equals)), percentDecode(part.slice(equals + 1))];
  }
}

/** Every byte outside RFC 3986's unreserved characters becomes %XX. */
function percentEncode(bytes: Uint8Array): string {
  return toLatin1(bytes).replace(
    /[^A-Za-z0-9\-._~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

function percentDecode(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
