import { concatBytes, decodeUtf8Loose, encodeUtf8, fromLatin1, toLatin1 } from "#/base/bytes.ts";
import { type Endpoint, encodeCompactEndpoint, formatIp, ipFamily, parseIp, tryDecodeCompactEndpoints } from "#/base/ip.ts";
import { badAnswer, TrackerError } from "./errors.ts";
import {
  type AnnounceEvent,
  type AnnounceRequest,
  checkAnnounceRequest,
  checkInfoHashes,
  INFO_HASH_LENGTH,
  MAX_PEERS,
  type ScrapeEntry,
} from "./messages.ts";

/** Opens every connect request; BEP 15, "connect request". */
const PROTOCOL_ID = 0x417_2710_1980n;
const action = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;
/** BEP 15, "announce request", by the value of the field. */
const eventNames = [undefined, "completed", "started", "stopped"] as const satisfies readonly (AnnounceEvent | undefined)[];
/** BEP 41, "Extension format". */
const option = { endOfOptions: 0, nop: 1, urlData: 2 } as const;
const MAX_OPTION_LENGTH = 255;

/** Requests: connection id 8, action 4, transaction id 4. Replies: action 4, transaction id 4. */
const REQUEST_HEADER_LENGTH = 16;
const REPLY_HEADER_LENGTH = 8;
const CONNECT_REPLY_LENGTH = 16;
const ANNOUNCE_REPLY_LENGTH = 20;
const SCRAPE_ENTRY_LENGTH = 12;

/** More do not fit where datagrams are kept under 1,500 bytes; BEP 15, "scrape request". */
export const MAX_SCRAPE_HASHES = 74;

/**
 * Offsets in an announce request; BEP 15, "IPv4 announce request".
 *
 *   0 connection id   8 action   12 transaction id   16 info hash   36 peer id
 *  56 downloaded     64 left     72 uploaded         80 event       84 IP
 *  88 key            92 numwant  96 port             98 options (BEP 41)
 */
const at = {
  infoHash: 16,
  peerId: 36,
  downloaded: 56,
  left: 64,
  uploaded: 72,
  event: 80,
  ip: 84,
  key: 88,
  numWant: 92,
  port: 96,
  options: 98,
} as const;

export type UdpRequest =
  | { readonly type: "connect"; readonly transactionId: number }
  | {
      readonly type: "announce";
      readonly connectionId: bigint;
      readonly transactionId: number;
      /** `numWant` undefined stands for the -1 of BEP 15. */
      readonly request: AnnounceRequest;
      /** Path and query of the tracker's URL, "" when there are none (BEP 41). */
      readonly path: string;
    }
  | {
      readonly type: "scrape";
      readonly connectionId: bigint;
      readonly transactionId: number;
      readonly infoHashes: readonly Uint8Array[];
    };

export interface UdpAnnounceReply {
  readonly type: "announce";
  readonly transactionId: number;
  readonly intervalSeconds: number;
  readonly leechers: number;
  readonly seeders: number;
  /** 6 bytes each from a tracker that was asked over IPv4, 18 over IPv6. */
  readonly peers: readonly Endpoint[];
}

export type UdpReply =
  | { readonly type: "connect"; readonly transactionId: number; readonly connectionId: bigint }
  | UdpAnnounceReply
  | { readonly type: "scrape"; readonly transactionId: number; readonly entries: readonly ScrapeEntry[] }
  | { readonly type: "error"; readonly transactionId: number; readonly message: string };

/**
 * One datagram from a client to a tracker (BEP 15, with the options of BEP 41).
 * @throws {TrackerError} TRACKER_BAD_REQUEST
 */
export function encodeUdpRequest(request: UdpRequest): Uint8Array {
  switch (request.type) {
    case "connect":
      return header(REQUEST_HEADER_LENGTH, PROTOCOL_ID, action.connect, request.transactionId);
    case "announce": {
      checkAnnounceRequest(request.request);
      return concatBytes([
        announceBody(request.connectionId, request.transactionId, request.request),
        urlDataOptions(request.path),
      ]);
    }
    case "scrape": {
      checkInfoHashes(request.infoHashes, MAX_SCRAPE_HASHES);
      const { connectionId, transactionId, infoHashes } = request;
      return concatBytes([header(REQUEST_HEADER_LENGTH, connectionId, action.scrape, transactionId), ...infoHashes]);
    }
  }
}

function header(length: number, connectionId: bigint, actionId: number, transactionId: number): Uint8Array {
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, connectionId);
  view.setUint32(8, actionId);
  view.setUint32(12, transactionId);
  return out;
}

function announceBody(connectionId: bigint, transactionId: number, request: AnnounceRequest): Uint8Array {
  const out = header(at.options, connectionId, action.announce, transactionId);
  const view = new DataView(out.buffer);
  out.set(request.infoHash, at.infoHash);
  out.set(request.peerId, at.peerId);
  view.setBigUint64(at.downloaded, BigInt(request.downloaded));
  view.setBigUint64(at.left, BigInt(request.left));
  view.setBigUint64(at.uploaded, BigInt(request.uploaded));
  view.setUint32(at.event, eventNames.indexOf(request.event));
  if (request.ipv4 !== undefined) out.set(parseIp(request.ipv4), at.ip);
  view.setUint32(at.key, request.key);
  view.setInt32(at.numWant, request.numWant ?? -1);
  view.setUint16(at.port, request.port);
  return out;
}

function urlDataOptions(path: string): Uint8Array {
  const bytes = encodeUtf8(path);
  const parts: Uint8Array[] = [];
  for (let start = 0; start < bytes.byteLength; start += MAX_OPTION_LENGTH) {
    const chunk = bytes.subarray(start, start + MAX_OPTION_LENGTH);
    parts.push(Uint8Array.of(option.urlData, chunk.byteLength), chunk);
  }
  return concatBytes(parts);
}

/**
 * One datagram that a client sent. Checks lengths and the protocol id; whether the connection id is one of ours is for the server to say.
 * Counters beyond 2^53 become Number.MAX_SAFE_INTEGER; an unknown event counts as none, as does an IP field of 0.
 * @returns hashes as views of `datagram`
 * @throws {TrackerError} TRACKER_BAD_REQUEST
 */
export function decodeUdpRequest(datagram: Uint8Array): UdpRequest {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (datagram.byteLength < REQUEST_HEADER_LENGTH) throw badPacket("a request is shorter than its header", datagram.byteLength);
  const connectionId = view.getBigUint64(0);
  const transactionId = view.getUint32(12);
  switch (view.getUint32(8)) {
    case action.connect:
      if (connectionId !== PROTOCOL_ID)
        throw badPacket("a connect request does not open with the protocol id", datagram.byteLength);
      return { type: "connect", transactionId };
    case action.announce:
      if (datagram.byteLength < at.options) throw badPacket("an announce request is too short", datagram.byteLength);
      return { type: "announce", connectionId, transactionId, request: readAnnounce(datagram, view), path: readUrlData(datagram) };
    case action.scrape: {
      const infoHashes: Uint8Array[] = [];
      for (let start = REQUEST_HEADER_LENGTH; start + INFO_HASH_LENGTH <= datagram.byteLength; start += INFO_HASH_LENGTH) {
        if (infoHashes.length === MAX_SCRAPE_HASHES)
          throw badPacket("a scrape request has more than 74 hashes", datagram.byteLength);
        infoHashes.push(datagram.subarray(start, start + INFO_HASH_LENGTH));
      }
      if (infoHashes.length === 0) throw badPacket("a scrape request has no hash", datagram.byteLength);
      return { type: "scrape", connectionId, transactionId, infoHashes };
    }
    default:
      throw badPacket("a request has an unknown action", datagram.byteLength);
  }
}

function readAnnounce(datagram: Uint8Array, view: DataView): AnnounceRequest {
  const numWant = view.getInt32(at.numWant);
  const ip = datagram.subarray(at.ip, at.key);
  return {
    infoHash: datagram.subarray(at.infoHash, at.peerId),
    peerId: datagram.subarray(at.peerId, at.downloaded),
    downloaded: clampedUint64(view, at.downloaded),
    left: clampedUint64(view, at.left),
    uploaded: clampedUint64(view, at.uploaded),
    event: eventNames[view.getUint32(at.event)],
    key: view.getUint32(at.key),
    numWant: numWant < 0 ? undefined : numWant,
    port: view.getUint16(at.port),
    ...(ip.every((byte) => byte === 0) ? {} : { ipv4: formatIp(ip) }),
  };
}

function clampedUint64(view: DataView, offset: number): number {
  return Math.min(Number(view.getBigUint64(offset)), Number.MAX_SAFE_INTEGER);
}

function readUrlData(datagram: Uint8Array): string {
  let path = "";
  let offset: number = at.options;
  while (offset < datagram.byteLength) {
    const type = datagram[offset++];
    if (type === option.endOfOptions) break;
    if (type === option.nop) continue;
    const length = datagram[offset++];
    if (length === undefined || offset + length > datagram.byteLength) throw badPacket("an option is cut off", datagram.byteLength);
    if (type === option.urlData) path += toLatin1(datagram.subarray(offset, offset + length));
    offset += length;
  }
  return decodeUtf8Loose(fromLatin1(path));
}

/** One datagram from a tracker to a client. `family` of the asker decides the length of a peer; others are left out. */
export function encodeUdpReply(reply: UdpReply, family: 4 | 6): Uint8Array {
  switch (reply.type) {
    case "connect": {
      const out = replyHeader(CONNECT_REPLY_LENGTH, action.connect, reply.transactionId);
      new DataView(out.buffer).setBigUint64(REPLY_HEADER_LENGTH, reply.connectionId);
      return out;
    }
    case "announce": {
      const out = replyHeader(ANNOUNCE_REPLY_LENGTH, action.announce, reply.transactionId);
      const view = new DataView(out.buffer);
      view.setUint32(8, reply.intervalSeconds);
      view.setUint32(12, reply.leechers);
      view.setUint32(16, reply.seeders);
      return concatBytes([out, ...reply.peers.filter((peer) => ipFamily(peer.host) === family).map(encodeCompactEndpoint)]);
    }
    case "scrape": {
      const out = replyHeader(REPLY_HEADER_LENGTH + reply.entries.length * SCRAPE_ENTRY_LENGTH, action.scrape, reply.transactionId);
      const view = new DataView(out.buffer);
      reply.entries.forEach((entry, i) => {
        const offset = REPLY_HEADER_LENGTH + i * SCRAPE_ENTRY_LENGTH;
        view.setUint32(offset, entry.seeders);
        view.setUint32(offset + 4, entry.completed);
        view.setUint32(offset + 8, entry.leechers);
      });
      return out;
    }
    case "error":
      return concatBytes([replyHeader(REPLY_HEADER_LENGTH, action.error, reply.transactionId), encodeUtf8(reply.message)]);
  }
}

function replyHeader(length: number, actionId: number, transactionId: number): Uint8Array {
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setUint32(0, actionId);
  view.setUint32(4, transactionId);
  return out;
}

/** The transaction id of a reply, to find the request it belongs to before the rest is read; undefined when it is too short to have one. */
export function tryReadTransactionId(datagram: Uint8Array): number | undefined {
  if (datagram.byteLength < REPLY_HEADER_LENGTH) return undefined;
  return new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength).getUint32(4);
}

/**
 * One datagram that a tracker sent. Bytes behind the last whole peer or entry are ignored (BEP 15 leaves room for extensions).
 * @param family of the socket: decides whether a peer has 6 or 18 bytes
 * @throws {TrackerError} TRACKER_BAD_ANSWER
 */
export function decodeUdpReply(datagram: Uint8Array, family: 4 | 6): UdpReply {
  const length = datagram.byteLength;
  if (length < REPLY_HEADER_LENGTH) throw badAnswer("a reply is shorter than its header", { length });
  const view = new DataView(datagram.buffer, datagram.byteOffset, length);
  const transactionId = view.getUint32(4);
  switch (view.getUint32(0)) {
    case action.connect:
      if (length < CONNECT_REPLY_LENGTH) throw badAnswer("a connect reply is too short", { length });
      return { type: "connect", transactionId, connectionId: view.getBigUint64(8) };
    case action.announce: {
      if (length < ANNOUNCE_REPLY_LENGTH) throw badAnswer("an announce reply is too short", { length });
      const peerLength = family === 4 ? 6 : 18;
      const count = Math.min(Math.floor((length - ANNOUNCE_REPLY_LENGTH) / peerLength), MAX_PEERS);
      const packed = datagram.subarray(ANNOUNCE_REPLY_LENGTH, ANNOUNCE_REPLY_LENGTH + count * peerLength);
      return {
        type: "announce",
        transactionId,
        intervalSeconds: view.getUint32(8),
        leechers: view.getUint32(12),
        seeders: view.getUint32(16),
        peers: tryDecodeCompactEndpoints(packed, family) ?? [],
      };
    }
    case action.scrape: {
      const entries: ScrapeEntry[] = [];
      for (
        let offset = REPLY_HEADER_LENGTH;
        offset + SCRAPE_ENTRY_LENGTH <= length && entries.length < MAX_SCRAPE_HASHES;
        offset += SCRAPE_ENTRY_LENGTH
      ) {
        entries.push({
          seeders: view.getUint32(offset),
          completed: view.getUint32(offset + 4),
          leechers: view.getUint32(offset + 8),
        });
      }
      return { type: "scrape", transactionId, entries };
    }
    case action.error:
      return { type: "error", transactionId, message: decodeUtf8Loose(datagram.subarray(REPLY_HEADER_LENGTH)) };
    default:
      throw badAnswer("a reply has an unknown action", { action: view.getUint32(0) });
  }
}

function badPacket(message: string, length: number): TrackerError {
  return new TrackerError("TRACKER_BAD_REQUEST", message, { fault: "remote", details: { length } });
}
