import type { Clock } from "#/base/clock.ts";
import { systemClock } from "#/base/clock.ts";
import { ipFamily } from "#/base/ip.ts";
import { type Logger, silentLogger } from "#/base/log.ts";
import { type RandomSource, systemRandom } from "#/base/random.ts";
import { ClientError } from "./errors.ts";

export interface ClientOptions {
  /** Addresses to listen on, without port. An empty list: be reached by nobody. @default ["0.0.0.0", "::"] */
  readonly hosts?: readonly string[];
  /** Ports tried in turn; 0 lets the system choose. @default 6881 to 6889, then any */
  readonly ports?: readonly number[];
  /** Where downloads go unless a torrent says otherwise. @default the working folder */
  readonly output?: string;
  /** Where resume records are kept; undefined: nowhere, every start checks what is on disk. */
  readonly stateFolder?: string | undefined;
  /** Peers over all torrents. @default 400 */
  readonly maxPeers?: number;
  /** Peers of one torrent. @default 120 */
  readonly maxPeersPerTorrent?: number;
  /** Connections being opened at a time. @default 40 */
  readonly maxHalfOpen?: number;
  /** Bytes a second over all torrents. @default no limit */
  readonly downRate?: number;
  readonly upRate?: number;
  /** Memory for blocks between the network and the disk, in bytes. @default 40 MiB */
  readonly bufferBytes?: number;
  /** Threads that write and hash. @default processors - 1, from 1 to 4 */
  readonly diskThreads?: number;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: RandomSource;
  readonly signal?: AbortSignal;
}

export interface ClientConfig {
  readonly hosts: readonly string[];
  readonly ports: readonly number[];
  readonly output: string;
  readonly stateFolder: string | undefined;
  readonly maxPeers: number;
  readonly maxPeersPerTorrent: number;
  readonly maxHalfOpen: number;
  readonly downRate: number;
  readonly upRate: number;
  readonly bufferBytes: number;
  readonly diskThreads: number | undefined;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: RandomSource;
}

const DEFAULT_PORTS = [6881, 6882, 6883, 6884, 6885, 6886, 6887, 6888, 6889, 0];
/** Four chunks: less would stop a single peer. */
const MIN_BUFFER_BYTES = 1024 * 1024;

/** Fills in what was left out. @throws {ClientError} CLIENT_BAD_OPTION */
export function resolveClientOptions(options: ClientOptions): ClientConfig {
  const hosts = options.hosts ?? ["0.0.0.0", "::"];
  for (const host of hosts) if (ipFamily(host) === undefined) throw badOption("hosts", `${host} is not an IP address`);
  const ports = options.ports ?? DEFAULT_PORTS;
  if (ports.length === 0) throw badOption("ports", "at least one port is needed");
  for (const port of ports) requireInteger("ports", port, 0, 65_535);
  return {
    hosts,
    ports,
    output: options.output ?? ".",
    stateFolder: options.stateFolder,
    maxPeers: requireInteger("maxPeers", options.maxPeers ?? 400, 1, 65_535),
    maxPeersPerTorrent: requireInteger("maxPeersPerTorrent", options.maxPeersPerTorrent ?? 120, 1, 65_535),
    maxHalfOpen: requireInteger("maxHalfOpen", options.maxHalfOpen ?? 40, 1, 1000),
    downRate: requireRate("downRate", options.downRate),
    upRate: requireRate("upRate", options.upRate),
    bufferBytes: requireInteger("bufferBytes", options.bufferBytes ?? 40 * 1024 * 1024, MIN_BUFFER_BYTES, 2 ** 31),
    diskThreads: options.diskThreads === undefined ? undefined : requireInteger("diskThreads", options.diskThreads, 1, 64),
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  };
}

/** A rate limit in bytes a second; undefined is none. @throws {ClientError} CLIENT_BAD_OPTION */
export function requireRate(name: string, rate: number | undefined): number {
  if (rate === undefined || rate === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (!(rate > 0)) throw badOption(name, `${rate} is not a rate above zero`);
  return rate;
}

function requireInteger(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw badOption(name, `${value} is not a whole number from ${least} to ${most}`);
}

export function badOption(name: string, why: string): ClientError {
  return new ClientError("CLIENT_BAD_OPTION", `${name}: ${why}`, { fault: "local", details: { option: name } });
}
