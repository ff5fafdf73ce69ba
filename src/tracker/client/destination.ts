import { lookup } from "node:dns/promises";
import { canonicalHost, ipFamily } from "#/base/ip.ts";
import { TrackerError, type TrackerUrl } from "../protocol/index.ts";
import { orAborted } from "./deadline.ts";

/** Addresses of one host that are tried, of each family. */
const MAX_ADDRESSES = 4;

/** Where a request really goes: the addresses that were looked up and checked once, of one family. */
export interface Destination {
  readonly family: 4 | 6;
  /** 1 to 4. */
  readonly addresses: readonly string[];
  /** Whether the host has a loopback or private address, of either family. */
  readonly isLocal: boolean;
}

/** Finds the addresses of a host name; rejects or gives none when there are none. */
export type HostResolver = (host: string) => Promise<readonly string[]>;

/** How names become addresses. */
export interface LookupConfig {
  readonly resolve: HostResolver;
  readonly isLocal: (address: string) => boolean;
}

export const systemResolver: HostResolver = async (host) => {
  const found = await lookup(host, { all: true, order: "verbatim" });
  return found.map((entry) => entry.address);
};

/**
 * Looks the host of `url` up, or takes it as it is when it is an address.
 * @returns one destination for each family that the host has, IPv4 first; never empty
 * @throws {TrackerError} TRACKER_HOST_NOT_FOUND
 */
export async function resolveDestinations(url: TrackerUrl, config: LookupConfig, signal: AbortSignal): Promise<Destination[]> {
  const addresses = new Set(await addressesOf(url.host, config.resolve, signal));
  const isLocal = [...addresses].some(config.isLocal);
  const destinations: Destination[] = [];
  for (const family of [4, 6] as const) {
    const own = [...addresses].filter((address) => ipFamily(address) === family).slice(0, MAX_ADDRESSES);
    if (own.length > 0) destinations.push({ family, addresses: own, isLocal });
  }
  if (destinations.length === 0) throw hostNotFound(url.host);
  return destinations;
}

async function addressesOf(host: string, resolve: HostResolver, signal: AbortSignal): Promise<readonly string[]> {
  if (ipFamily(host) !== undefined) return [canonicalHost(host)];
  try {
    return (await orAborted(resolve(host), signal)).map(canonicalHost);
  } catch (error) {
    signal.throwIfAborted();
    throw hostNotFound(host, error);
  }
}

export function hostNotFound(host: string, cause?: unknown): TrackerError {
  return new TrackerError("TRACKER_HOST_NOT_FOUND", `no address for ${host}`, { fault: "remote", details: { host }, cause });
}

/**
 * Keeps a torrent from making us ask the machines near us for anything but an announce: a loopback or private address is asked only for
 * a path that ends in /announce or /scrape, and never because a public tracker sent us there.
 * A UDP tracker's URL without a path may be asked, since its datagrams carry no text of the torrent's choice.
 * @param redirectedFromPublic whether a public address is anywhere in the chain of redirects that led here
 * @throws {TrackerError} TRACKER_LOCAL_REDIRECT, TRACKER_LOCAL_PATH
 */
export function checkDestination(url: TrackerUrl, destination: Destination, redirectedFromPublic: boolean): void {
  if (!destination.isLocal) return;
  const details = { host: url.host, path: url.path };
  if (redirectedFromPublic) {
    const message = `a public tracker redirects to ${url.host}, which is a local address`;
    throw new TrackerError("TRACKER_LOCAL_REDIRECT", message, { fault: "remote", details });
  }
  if (/\/(announce|scrape)$/.test(url.path) || (url.protocol === "udp" && url.path === "")) return;
  const message = `${url.host} is a local address, and the path ${url.path} ends neither in /announce nor in /scrape`;
  throw new TrackerError("TRACKER_LOCAL_PATH", message, { fault: "remote", details });
}
