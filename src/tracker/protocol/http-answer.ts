import { concatBytes, fromLatin1, toHex, toLatin1 } from "#/base/bytes.ts";
import {
  canonicalHost,
  type Endpoint,
  encodeCompactEndpoint,
  formatIp,
  ipFamily,
  parseIp,
  tryDecodeCompactEndpoints,
} from "#/base/ip.ts";
import {
  BencodeDictionary,
  BencodeError,
  type BencodeInput,
  type BencodeValue,
  decodePrefix,
  encode,
} from "#/bittorrent/bencode/index.ts";
import { badAnswer, TrackerError } from "./errors.ts";
import { type AnnounceResponse, DEFAULT_INTERVAL_SECONDS, INFO_HASH_LENGTH, MAX_PEERS, type ScrapeEntry } from "./messages.ts";

/** Values in one answer: 1 MiB holds many more than a tracker has use for. */
const MAX_VALUES = 100_000;
const MAX_DEPTH = 8;
const MAX_INTERVAL_SECONDS = 0x7fff_ffff;
/** Text from a tracker that is shown to people, in characters. */
const MAX_TEXT_LENGTH = 500;
/** A tracker id is sent back with each announce, so it is bounded. */
const MAX_TRACKER_ID_LENGTH = 256;

/** A peer in an answer that a tracker makes. */
export interface AnsweredPeer extends Endpoint {
  /** 20 bytes; named in answers that are not compact, unless the client does not want it. */
  readonly peerId?: Uint8Array | undefined;
}

/** The answer to an HTTP announce, as a tracker makes it. */
export interface AnnounceAnswer extends Omit<AnnounceResponse, "peers"> {
  readonly peers: readonly AnsweredPeer[];
  /** Downloads that were finished, ever. */
  readonly completed?: number | undefined;
}

/** A refusal (BEP 3), with the time until it is worth asking again (BEP 31). */
export interface TrackerFailure {
  readonly reason: string;
  readonly retryInMinutes?: number | "never" | undefined;
}

/**
 * Reads the body of an answer to an HTTP announce (BEP 3, 7, 23, 24, 31). Members of a wrong type count as absent; bytes behind
 * the dictionary, peers named by host names, and peers beyond MAX_PEERS are ignored.
 * @returns copies; nothing refers to `body`
 * @throws {TrackerError} TRACKER_FAILURE when the tracker refused, TRACKER_BAD_ANSWER
 */
export function decodeAnnounceAnswer(body: Uint8Array): AnnounceResponse {
  const answer = readDictionary(body);
  const peers: Endpoint[] = [];
  collectPeers(answer.get("peers"), 4, peers);
  collectPeers(answer.get("peers6"), 6, peers);
  const external = answer.bytes("external ip");
  const trackerId = answer.bytes("tracker id");
  return {
    intervalSeconds: seconds(answer, "interval") ?? DEFAULT_INTERVAL_SECONDS,
    minIntervalSeconds: seconds(answer, "min interval"),
    seeders: count(answer, "complete"),
    leechers: count(answer, "incomplete"),
    peers,
    warning: answer.text("warning message")?.slice(0, MAX_TEXT_LENGTH),
    trackerId: trackerId !== undefined && trackerId.byteLength <= MAX_TRACKER_ID_LENGTH ? Uint8Array.from(trackerId) : undefined,
    externalIp: external?.byteLength === 4 || external?.byteLength === 16 ? formatIp(external) : undefined,
  };
}

/**
 * Reads the body of an answer to an HTTP scrape (BEP 48).
 * @returns by the info-hash in lower-case hexadecimal; a count that is absent is 0
 * @throws {TrackerError} TRACKER_FAILURE when the tracker refused, TRACKER_BAD_ANSWER
 */
export function decodeScrapeAnswer(body: Uint8Array): Map<string, ScrapeEntry> {
  const files = readDictionary(body).dictionary("files");
  if (files === undefined) throw badAnswer("the answer to a scrape has no files");
  const entries = new Map<string, ScrapeEntry>();
  for (const [key, value] of files.entries()) {
    if (key.length !== INFO_HASH_LENGTH || !(value instanceof BencodeDictionary)) continue;
    const entry = {
      seeders: count(value, "complete") ?? 0,
      leechers: count(value, "incomplete") ?? 0,
      completed: count(value, "downloaded") ?? 0,
    };
    entries.set(toHex(fromLatin1(key)), entry);
  }
  return entries;
}

/** The refusal in the body of an answer, undefined when there is none or the body is something else; never throws. */
export function tryReadFailure(body: Uint8Array): TrackerError | undefined {
  try {
    readDictionary(body);
  } catch (error) {
    if (error instanceof TrackerError && error.code === "TRACKER_FAILURE") return error;
  }
  return undefined;
}

function readDictionary(body: Uint8Array): BencodeDictionary {
  let value: BencodeValue;
  try {
    value = decodePrefix(body, { maxDepth: MAX_DEPTH, maxValues: MAX_VALUES }).value;
  } catch (error) {
    if (error instanceof BencodeError) throw badAnswer("the answer is not bencoded", { length: body.byteLength }, error);
    throw error;
  }
  if (!(value instanceof BencodeDictionary)) throw badAnswer("the answer is not a dictionary", { length: body.byteLength });
  const reason = value.text("failure reason")?.slice(0, MAX_TEXT_LENGTH);
  if (reason === undefined) return value;
  throw new TrackerError("TRACKER_FAILURE", `the tracker refused: ${reason}`, {
    fault: "remote",
    details: { reason },
    retryInSeconds: retryInSeconds(value),
  });
}

function retryInSeconds(answer: BencodeDictionary): number | undefined {
  const text = answer.text("retry in");
  if (text === "never") return Number.POSITIVE_INFINITY;
  const minutes = answer.integer("retry in") ?? (text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined);
  return minutes === undefined || minutes < 0 ? undefined : minutes * 60;
}

function seconds(answer: BencodeDictionary, key: string): number | undefined {
  const value = answer.integer(key);
  return value === undefined || value < 0 ? undefined : Math.min(value, MAX_INTERVAL_SECONDS);
}

function count(answer: BencodeDictionary, key: string): number | undefined {
  const value = answer.integer(key);
  return value === undefined || value < 0 ? undefined : value;
}

/** Adds to `out`, up to MAX_PEERS in all. Bytes behind the last whole compact entry are ignored. */
function collectPeers(value: BencodeValue | undefined, family: 4 | 6, out: Endpoint[]): void {
  const room = MAX_PEERS - out.length;
  if (value instanceof Uint8Array) {
    const entryLength = family === 4 ? 6 : 18;
    const entries = Math.min(Math.floor(value.byteLength / entryLength), room);
    out.push(...(tryDecodeCompactEndpoints(value.subarray(0, entries * entryLength), family) ?? []));
  } else if (Array.isArray(value)) {
    for (const item of value) {
      if (out.length === MAX_PEERS) return;
      const peer = item instanceof BencodeDictionary ? tryReadPeer(item) : undefined;
      if (peer !== undefined) out.push(peer);
    }
  }
}

function tryReadPeer(item: BencodeDictionary): Endpoint | undefined {
  const host = item.text("ip") ?? "";
  const port = item.integer("port") ?? 0;
  if (ipFamily(host) === undefined || port < 1 || port > 0xffff) return undefined;
  return { host: canonicalHost(host), port };
}

/**
 * The body of an answer to an HTTP announce.
 * @param form compact puts addresses in `peers` and `peers6` (BEP 23, BEP 7), else each peer is a dictionary (BEP 3)
 */
export function encodeAnnounceAnswer(
  answer: AnnounceAnswer,
  form: { readonly compact: boolean; readonly noPeerId?: boolean },
): Uint8Array {
  const packed = (family: 4 | 6): Uint8Array =>
    concatBytes(answer.peers.filter((peer) => ipFamily(peer.host) === family).map(encodeCompactEndpoint));
  const peers6 = form.compact ? packed(6) : undefined;
  return encode({
    complete: answer.seeders,
    downloaded: answer.completed,
    "external ip": answer.externalIp === undefined ? undefined : parseIp(answer.externalIp),
    incomplete: answer.leechers,
    interval: answer.intervalSeconds,
    "min interval": answer.minIntervalSeconds,
    peers: form.compact ? packed(4) : answer.peers.map((peer) => peerDictionary(peer, form.noPeerId === true)),
    peers6: peers6?.byteLength === 0 ? undefined : peers6,
    "tracker id": answer.trackerId,
    "warning message": answer.warning,
  });
}

function peerDictionary(peer: AnsweredPeer, noPeerId: boolean): BencodeInput {
  return { ip: peer.host, "peer id": noPeerId ? undefined : peer.peerId, port: peer.port };
}

/** The body of an answer to an HTTP scrape (BEP 48). */
export function encodeScrapeAnswer(entries: Iterable<readonly [infoHash: Uint8Array, entry: ScrapeEntry]>): Uint8Array {
  const files = new Map<string, BencodeInput>();
  for (const [infoHash, entry] of entries) {
    files.set(toLatin1(infoHash), { complete: entry.seeders, downloaded: entry.completed, incomplete: entry.leechers });
  }
  return encode({ files });
}

/** The body of a refusal (BEP 3, BEP 31). */
export function encodeFailure(failure: TrackerFailure): Uint8Array {
  return encode({ "failure reason": failure.reason, "retry in": failure.retryInMinutes });
}
