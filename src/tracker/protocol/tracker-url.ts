import { TrackerError } from "./errors.ts";

/** Longest URL of a tracker that is accepted; with the query of an announce it stays under what HTTP servers take. */
const MAX_URL_LENGTH = 2048;
const DEFAULT_PORTS = { http: 80, https: 443, udp: 80 } as const;

/** A tracker's URL, taken apart. */
export interface TrackerUrl {
  readonly protocol: "http" | "https" | "udp";
  /** Name or address, IPv6 without brackets; odd spellings of IPv4 such as 0x7f.1 are in dotted form. */
  readonly host: string;
  readonly port: number;
  /** Path without the query; "" for a UDP tracker whose URL has none. */
  readonly path: string;
  /** Query with its question mark, or "". */
  readonly query: string;
  /** `user:password`, when the URL has them. */
  readonly auth: string | undefined;
  /** Canonical text, without a fragment. */
  readonly href: string;
}

/**
 * Reads the URL of a tracker, or where one redirects to.
 * @param base what a relative `text` is relative to
 * @throws {TrackerError} TRACKER_BAD_URL, TRACKER_UNSUPPORTED_SCHEME
 */
export function parseTrackerUrl(text: string, base?: TrackerUrl): TrackerUrl {
  const trimmed = text.trim();
  const isUdp = /^udp:/i.test(trimmed);
  // The URL standard canonicalises hosts only for schemes that it knows, so udp borrows http's rules.
  const url = URL.parse(isUdp ? trimmed.replace(/^udp:/i, "http:") : trimmed, base?.href);
  if (url === null || trimmed.length > MAX_URL_LENGTH) {
    const message = url === null ? `not the URL of a tracker: ${trimmed.slice(0, 100)}` : "the URL of a tracker is too long";
    throw new TrackerError("TRACKER_BAD_URL", message, { fault: "local", details: { length: trimmed.length } });
  }
  const protocol = isUdp ? "udp" : url.protocol.slice(0, -1);
  if (protocol !== "http" && protocol !== "https" && protocol !== "udp") {
    const message = `${protocol} trackers are not supported: ${trimmed.slice(0, 100)}`;
    throw new TrackerError("TRACKER_UNSUPPORTED_SCHEME", message, { fault: "local", details: { scheme: protocol } });
  }
  url.hash = "";
  const bare = isUdp && url.pathname === "/" && url.search === "";
  return {
    protocol,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? DEFAULT_PORTS[protocol] : Number(url.port),
    path: bare ? "" : url.pathname,
    query: url.search,
    auth: url.username === "" ? undefined : `${percentDecoded(url.username)}:${percentDecoded(url.password)}`,
    href: isUdp ? url.href.replace(/^http:/, "udp:") : url.href,
  };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Where the numbers of the torrents of an announce URL are asked for; BEP 48. A UDP URL, or one that is a scrape URL already, stays as it is.
 * @throws {TrackerError} TRACKER_BAD_URL, TRACKER_UNSUPPORTED_SCHEME, TRACKER_SCRAPE_UNSUPPORTED
 */
export function scrapeUrlOf(announceUrl: string): TrackerUrl {
  const url = parseTrackerUrl(announceUrl);
  if (url.protocol === "udp") return url;
  const afterSlash = url.href.lastIndexOf("/") + 1;
  const last = url.href.slice(afterSlash);
  if (/^scrape/.test(last)) return url;
  if (!/^announce/.test(last)) {
    const message = `${url.href} has no scrape URL: the text behind its last slash does not begin with "announce"`;
    throw new TrackerError("TRACKER_SCRAPE_UNSUPPORTED", message, { fault: "local" });
  }
  return parseTrackerUrl(`${url.href.slice(0, afterSlash)}scrape${last.slice("announce".length)}`);
}
