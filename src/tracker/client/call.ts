import { type Clock, systemClock } from "#/base/clock.ts";
import { isLocalAddress } from "#/base/ip.ts";
import { type Logger, silentLogger } from "#/base/log.ts";
import { type RandomSource, systemRandom } from "#/base/random.ts";
import { version } from "#/base/version.ts";
import { type HostResolver, type LookupConfig, systemResolver } from "./destination.ts";
import { UdpTrackerSockets } from "./udp.ts";

/** How trackers are called; the same for announces and scrapes. */
export interface TrackerCallOptions {
  /** Time for the whole call, in milliseconds; 60 s leaves room for three datagrams to a UDP tracker. @default 60_000 */
  readonly timeoutMs?: number | undefined;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: RandomSource | undefined;
  /** Name lookup. @default the system's */
  readonly resolve?: HostResolver | undefined;
  /** What counts as a loopback or private address. @default isLocalAddress of base */
  readonly isLocal?: ((address: string) => boolean) | undefined;
  /** @default "Freshet/" and the version */
  readonly userAgent?: string | undefined;
  /** Certificates, in PEM, trusted for https instead of the usual authorities. */
  readonly certificateAuthorities?: string | undefined;
  /** Sockets and connection ids of UDP trackers. @default one set for the process; idle sockets close after a minute */
  readonly sockets?: UdpTrackerSockets | undefined;
}

export interface CallConfig extends LookupConfig {
  readonly timeoutMs: number;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: RandomSource;
  readonly userAgent: string;
  readonly certificateAuthorities: string | undefined;
  readonly sockets: UdpTrackerSockets;
}

const processSockets = new UdpTrackerSockets();

export function resolveCallOptions(options: TrackerCallOptions): CallConfig {
  return {
    timeoutMs: options.timeoutMs ?? 60_000,
    logger: options.logger ?? silentLogger,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    resolve: options.resolve ?? systemResolver,
    isLocal: options.isLocal ?? isLocalAddress,
    userAgent: options.userAgent ?? `Freshet/${version}`,
    certificateAuthorities: options.certificateAuthorities,
    sockets: options.sockets ?? processSockets,
  };
}
