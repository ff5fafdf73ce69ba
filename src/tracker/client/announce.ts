import { toHex } from "#/base/bytes.ts";
import {
  type AnnounceRequest,
  type AnnounceResponse,
  announceTarget,
  decodeAnnounceAnswer,
  decodeScrapeAnswer,
  MAX_SCRAPE_HASHES,
  parseTrackerUrl,
  type ScrapeEntry,
  scrapeTarget,
  scrapeUrlOf,
  TrackerError,
  type TrackerUrl,
  type UdpAnswer,
  type UdpQuestion,
} from "../protocol/index.ts";
import { type CallConfig, resolveCallOptions, type TrackerCallOptions } from "./call.ts";
import { withinTime } from "./deadline.ts";
import { checkDestination, type Destination, hostNotFound, resolveDestinations } from "./destination.ts";
import { getFromTracker } from "./http.ts";

/** Keeps the line of an HTTP scrape under 4 KiB. */
const MAX_HTTP_SCRAPE_HASHES = 50;

export interface AnnounceOptions extends TrackerCallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Ask over this family only. @default the first that can be reached, IPv4 before IPv6 */
  readonly family?: 4 | 6 | undefined;
}

export type ScrapeOptions = AnnounceOptions;

/**
 * Announces to one tracker, once: `http:`, `https:` or `udp:`.
 * @throws {TrackerError} any code but TRACKER_SCRAPE_UNSUPPORTED; the reason of `signal` when that fired
 */
export async function announce(url: string, request: AnnounceRequest, options: AnnounceOptions = {}): Promise<AnnounceResponse> {
  const config = resolveCallOptions(options);
  const parsed = parseTrackerUrl(url);
  return withinTime(config.timeoutMs, options.signal, (signal) =>
    firstReachable(parsed, options.family, config, signal, (destination) =>
      announceTo(parsed, destination, request, config, signal),
    ),
  );
}

/**
 * Asks a tracker for the numbers of torrents; `url` is its announce URL, or its scrape URL.
 * @returns in the order of `infoHashes`, undefined for those that the tracker does not know
 * @throws {TrackerError} any code; the reason of `signal` when that fired
 */
export async function scrape(
  url: string,
  infoHashes: readonly Uint8Array[],
  options: ScrapeOptions = {},
): Promise<(ScrapeEntry | undefined)[]> {
  const config = resolveCallOptions(options);
  const parsed = scrapeUrlOf(url);
  const step = parsed.protocol === "udp" ? MAX_SCRAPE_HASHES : MAX_HTTP_SCRAPE_HASHES;
  return withinTime(config.timeoutMs, options.signal, (signal) =>
    firstReachable(parsed, options.family, config, signal, async (destination) => {
      const entries: (ScrapeEntry | undefined)[] = [];
      for (let start = 0; start < infoHashes.length; start += step) {
        entries.push(...(await scrapeSome(parsed, destination, infoHashes.slice(start, start + step), config, signal)));
      }
      return entries;
    }),
  );
}

async function firstReachable<T>(
  url: TrackerUrl,
  family: 4 | 6 | undefined,
  config: CallConfig,
  signal: AbortSignal,
  call: (destination: Destination) => Promise<T>,
): Promise<T> {
  let unreachable: unknown = hostNotFound(url.host);
  for (const destination of await resolveDestinations(url, config, signal)) {
    if (family !== undefined && destination.family !== family) continue;
    try {
      return await call(destination);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      unreachable = error;
    }
  }
  throw unreachable;
}

function isUnreachable(error: unknown): boolean {
  return error instanceof TrackerError && error.code === "TRACKER_UNREACHABLE";
}

/** Announces over one family, to addresses that were looked up before. */
export async function announceTo(
  url: TrackerUrl,
  destination: Destination,
  request: AnnounceRequest,
  config: CallConfig,
  signal: AbortSignal,
): Promise<AnnounceResponse> {
  if (url.protocol !== "udp") {
    const targetOf = (to: TrackerUrl): string => announceTarget(to, request);
    return decodeAnnounceAnswer(await getFromTracker({ url, destination, targetOf }, config, signal));
  }
  const path = url.path + url.query;
  const { ipv4, ...withoutIp } = request;
  const asked = destination.family === 4 ? request : withoutIp; // BEP 15: the IP field means nothing over IPv6
  const question: UdpQuestion = (connectionId, transactionId) => ({
    type: "announce",
    connectionId,
    transactionId,
    request: asked,
    path,
  });
  const answer = await askUdp(url, destination, question, config, signal);
  if (answer.type !== "announce") throw new TypeError(`a ${answer.type} answer to an announce`);
  const { intervalSeconds, seeders, leechers, peers } = answer;
  return { intervalSeconds, seeders, leechers, peers };
}

async function scrapeSome(
  url: TrackerUrl,
  destination: Destination,
  infoHashes: readonly Uint8Array[],
  config: CallConfig,
  signal: AbortSignal,
): Promise<(ScrapeEntry | undefined)[]> {
  if (url.protocol !== "udp") {
    const targetOf = (to: TrackerUrl): string => scrapeTarget(to, infoHashes);
    const found = decodeScrapeAnswer(await getFromTracker({ url, destination, targetOf }, config, signal));
    return infoHashes.map((infoHash) => found.get(toHex(infoHash)));
  }
  const question: UdpQuestion = (connectionId, transactionId) => ({ type: "scrape", connectionId, transactionId, infoHashes });
  const answer = await askUdp(url, destination, question, config, signal);
  if (answer.type !== "scrape") throw new TypeError(`a ${answer.type} answer to a scrape`);
  return infoHashes.map((_, i) => answer.entries[i]);
}

async function askUdp(
  url: TrackerUrl,
  destination: Destination,
  question: UdpQuestion,
  config: CallConfig,
  signal: AbortSignal,
): Promise<UdpAnswer> {
  checkDestination(url, destination, false);
  let unreachable: unknown;
  for (const address of destination.addresses) {
    try {
      const to = { address, port: url.port, family: destination.family };
      return await config.sockets.ask(to, question, { clock: config.clock, random: config.random, signal });
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      unreachable = error;
    }
  }
  throw unreachable;
}
