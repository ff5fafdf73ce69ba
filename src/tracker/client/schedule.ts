import { type RandomSource, shuffle } from "#/base/random.ts";
import { type AnnounceEvent, type AnnounceResponse, TrackerError } from "../protocol/index.ts";

/** Trackers of one torrent that are used; a torrent must not make us knock on thousands of doors. */
const MAX_TRACKERS = 100;
const MIN_INTERVAL_MS = 30_000;
const MAX_INTERVAL_MS = 3_600_000;
/** Bound for what a tracker may ask as its minimum, so that a slip of its pen does not silence us for years. */
const MAX_MIN_INTERVAL_MS = 24 * 3_600_000;
const FIRST_BACK_OFF_MS = 15_000;
const MAX_BACK_OFF_MS = 1_800_000;
/** A tracker that did not answer for so long does not hold up the next one of its tier. */
const PATIENCE_MS = 5_000;
/** Asked for by hand, a tracker that failed is tried again this soon. */
const MIN_RETRY_MS = 5_000;

export type TrackerState = "idle" | "announcing" | "working" | "failing" | "disabled";

/** What is known of one tracker of a torrent. */
export interface TrackerStatus {
  readonly url: string;
  /** Place of its tier in the announce list, from 0. */
  readonly tier: number;
  readonly state: TrackerState;
  readonly lastError: { readonly code: string; readonly message: string } | undefined;
  /** When it is announced to next on the schedule's clock; undefined while that is not known, or stands behind another of its tier. */
  readonly nextAnnounceAt: number | undefined;
  readonly seeders: number | undefined;
  readonly leechers: number | undefined;
  /** Peers in its last answer. */
  readonly peers: number | undefined;
}

/** What one announce over one family has to say. */
export interface AnnounceOrder {
  readonly event: AnnounceEvent | undefined;
  readonly trackerId: Uint8Array | undefined;
}

/** A tracker, over one family, that heard `started` and is owed a `stopped`. */
export interface Farewell {
  readonly url: string;
  readonly family: 4 | 6;
  readonly trackerId: Uint8Array | undefined;
}

/** What one tracker heard over one address family. */
interface Leg {
  heardStarted: boolean;
  owedCompleted: boolean;
  inFlight: { readonly event: AnnounceEvent | undefined } | undefined;
  trackerId: Uint8Array | undefined;
}

interface Entry {
  readonly url: string;
  readonly tier: number;
  readonly legs: Map<4 | 6, Leg>;
  disabled: boolean;
  failures: number;
  /** Not before: after a failure, by back-off or as the tracker asked. */
  notBefore: number;
  failedAt: number;
  /** The tracker itself said when to come back. */
  retryImposed: boolean;
  /** Not even by hand before, after an answer. */
  earliest: number;
  answeredInThisRound: boolean;
  lastError: { readonly code: string; readonly message: string } | undefined;
  seeders: number | undefined;
  leechers: number | undefined;
  peers: number | undefined;
}

/** Trackers of which one that answers is enough, tiers in order: one tier, or all of them when only one tracker may be used at a time. */
interface Group {
  readonly tiers: Entry[][];
  dueAt: number;
  readonly pending: Set<Entry>;
  patienceUntil: number;
}

export interface AnnounceScheduleOptions {
  /** BEP 12's announce-list. A URL that stands there twice counts where it stands first; beyond 100 they are left out. */
  readonly tiers: readonly (readonly string[])[];
  /** One tracker at a time, tiers strictly in order, as private torrents want it (BEP 27). Otherwise all tiers side by side. */
  readonly exclusive: boolean;
  readonly random: RandomSource;
}

/**
 * When to announce to which tracker of a torrent. Rules of this machine:
 * - A tier is shuffled once; one that answered moves to its front (BEP 12). A tier is satisfied by one answer until the interval is over.
 * - A tracker that failed makes way for the next of its tier at once; one that is silent, after 5 s. Itself it waits 15 s · 2^n ± 25 %.
 * - Families of one tracker are announced together; the first that is answered counts. Each is told `started` until it heard it.
 * - `completed` is owed to those that heard `started`, or are just hearing it, when the download ends.
 * Times are milliseconds on one monotonic clock. BOUNDED: 100 trackers.
 */
export class AnnounceSchedule {
  readonly #entries = new Map<string, Entry>();
  readonly #groups: Group[];
  readonly #random: RandomSource;
  readonly #exclusive: boolean;
  #running = false;

  constructor(options: AnnounceScheduleOptions) {
    this.#random = options.random;
    this.#exclusive = options.exclusive;
    const tiers = options.tiers
      .map((urls, tier) => shuffle(this.#newEntries(urls, tier), options.random))
      .filter((tier) => tier.length > 0);
    const grouped = options.exclusive ? [tiers] : tiers.map((tier) => [tier]);
    this.#groups = grouped.map((each) => ({ tiers: each, dueAt: -Infinity, pending: new Set(), patienceUntil: -Infinity }));
  }

  #newEntries(urls: readonly string[], tier: number): Entry[] {
    const entries: Entry[] = [];
    for (const url of urls) {
      if (this.#entries.size === MAX_TRACKERS) break;
      if (this.#entries.has(url)) continue;
      const entry: Entry = {
        url,
        tier,
        legs: new Map(),
        disabled: false,
        failures: 0,
        notBefore: -Infinity,
        failedAt: -Infinity,
        retryImposed: false,
        earliest: -Infinity,
        answeredInThisRound: false,
        lastError: undefined,
        seeders: undefined,
        leechers: undefined,
        peers: undefined,
      };
      this.#entries.set(url, entry);
      entries.push(entry);
    }
    return entries;
  }

  /** Everything is due at once, as if nothing had been announced; only what a tracker asked for when it refused still holds. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    for (const group of this.#groups) group.dueAt = -Infinity;
    for (const entry of this.#entries.values()) {
      if (entry.retryImposed) continue;
      entry.notBefore = -Infinity;
      entry.failures = 0;
    }
  }

  /** Ends all announces. @returns who is to be told `stopped` */
  stop(): Farewell[] {
    this.#running = false;
    const farewells: Farewell[] = [];
    for (const group of this.#groups) group.pending.clear();
    for (const { url, legs } of this.#entries.values()) {
      for (const [family, { heardStarted, trackerId }] of legs) if (heardStarted) farewells.push({ url, family, trackerId });
      legs.clear();
    }
    return farewells;
  }

  /** The URL to announce to at `now`. Call until undefined; end each with `finished`. */
  poll(now: number): string | undefined {
    if (!this.#running) return undefined;
    for (const group of this.#groups) {
      if (this.#groupWakesAt(group) > now) continue;
      const entry = candidates(group).find((each) => each.notBefore <= now);
      if (entry === undefined) continue;
      group.pending.add(entry);
      group.patienceUntil = now + PATIENCE_MS;
      entry.answeredInThisRound = false;
      return entry.url;
    }
    return undefined;
  }

  /** When to call `poll` next; undefined while nothing is to come. */
  nextTimeout(): number | undefined {
    if (!this.#running) return undefined;
    const next = Math.min(...this.#groups.map((group) => this.#groupWakesAt(group)));
    return next === Infinity ? undefined : next;
  }

  #groupWakesAt(group: Group): number {
    const firstReady = Math.min(...candidates(group).map((entry) => entry.notBefore));
    const patience = group.pending.size === 0 ? -Infinity : this.#exclusive ? Infinity : group.patienceUntil;
    return Math.max(group.dueAt, patience, firstReady);
  }

  /** Begins the announce of one family. @returns undefined when the one before is still under way */
  begin(url: string, family: 4 | 6): AnnounceOrder | undefined {
    const { legs } = this.#entry(url);
    let leg = legs.get(family);
    if (leg === undefined) {
      leg = { heardStarted: false, owedCompleted: false, inFlight: undefined, trackerId: undefined };
      legs.set(family, leg);
    }
    if (leg.inFlight !== undefined) return undefined;
    const event = !leg.heardStarted ? "started" : leg.owedCompleted ? "completed" : undefined;
    leg.inFlight = { event };
    return { event, trackerId: leg.trackerId };
  }

  /** One family was answered. */
  answered(url: string, family: 4 | 6, response: AnnounceResponse, now: number): void {
    const entry = this.#entry(url);
    const leg = entry.legs.get(family);
    const event = leg?.inFlight?.event;
    if (leg !== undefined) {
      if (event === "started") leg.heardStarted = true;
      if (event === "completed") leg.owedCompleted = false;
      leg.inFlight = undefined;
      leg.trackerId = response.trackerId ?? leg.trackerId;
    }
    entry.failures = 0;
    entry.notBefore = -Infinity;
    entry.retryImposed = false;
    entry.lastError = undefined;
    entry.seeders = larger(entry.answeredInThisRound ? entry.seeders : undefined, response.seeders);
    entry.leechers = larger(entry.answeredInThisRound ? entry.leechers : undefined, response.leechers);
    entry.peers = (entry.answeredInThisRound ? (entry.peers ?? 0) : 0) + response.peers.length;
    entry.answeredInThisRound = true;
    const wait = intervalMs(response);
    entry.earliest = now + wait.least;
    const group = this.#groupOf(entry);
    group.pending.delete(entry);
    if (group.dueAt <= now) {
      group.dueAt = now + wait.regular;
      promote(group, entry);
    }
    if (leg?.owedCompleted === true) group.dueAt = now;
  }

  /** One family failed; whether the tracker failed is decided when all its families are finished. */
  legFailed(url: string, family: 4 | 6): void {
    const leg = this.#entry(url).legs.get(family);
    if (leg !== undefined) leg.inFlight = undefined;
  }

  /**
   * All families of an announce have ended.
   * @param error why, when none was answered; undefined when nothing was asked
   */
  finished(url: string, error: unknown, now: number): void {
    const entry = this.#entry(url);
    this.#groupOf(entry).pending.delete(entry);
    if (entry.answeredInThisRound || error === undefined) return;
    const retryInSeconds = error instanceof TrackerError ? error.retryInSeconds : undefined;
    const code = error instanceof TrackerError ? error.code : "";
    entry.failures++;
    entry.failedAt = now;
    entry.retryImposed = retryInSeconds !== undefined;
    entry.notBefore = now + (retryInSeconds === undefined ? this.#backOffMs(entry.failures) : retryInSeconds * 1000);
    entry.disabled = code === "TRACKER_BAD_URL" || code === "TRACKER_UNSUPPORTED_SCHEME";
    entry.lastError = { code, message: error instanceof Error ? error.message : String(error) };
  }

  #backOffMs(failures: number): number {
    const delay = Math.min(FIRST_BACK_OFF_MS * 2 ** (failures - 1), MAX_BACK_OFF_MS);
    return delay * (0.75 + this.#random.below(501) / 1000);
  }

  /** The download ended now. */
  completed(now: number): void {
    for (const entry of this.#entries.values()) {
      for (const leg of entry.legs.values()) {
        if (!leg.heardStarted && leg.inFlight === undefined) continue;
        leg.owedCompleted = true;
        if (leg.heardStarted) this.#groupOf(entry).dueAt = now;
      }
    }
  }

  /** Announces again as soon as the trackers allow it: after their minimum interval (30 s if they name none), or 5 s after a failure. */
  announceNow(now: number): void {
    for (const group of this.#groups) {
      if (group.dueAt > now) group.dueAt = Math.min(group.dueAt, Math.max(now, candidates(group)[0]?.earliest ?? now));
    }
    for (const entry of this.#entries.values()) {
      if (!entry.retryImposed) entry.notBefore = Math.min(entry.notBefore, Math.max(now, entry.failedAt + MIN_RETRY_MS));
    }
  }

  status(): TrackerStatus[] {
    return this.#groups.flatMap((group) =>
      group.tiers.flat().map((entry) => ({
        url: entry.url,
        tier: entry.tier,
        state: stateOf(entry, group),
        lastError: entry.lastError,
        nextAnnounceAt: this.#nextAnnounceAt(entry, group),
        seeders: entry.seeders,
        leechers: entry.leechers,
        peers: entry.peers,
      })),
    );
  }

  #nextAnnounceAt(entry: Entry, group: Group): number | undefined {
    if (!this.#running || entry.disabled || group.pending.has(entry)) return undefined;
    if (entry.failures === 0 && candidates(group)[0] !== entry) return undefined;
    const at = Math.max(group.dueAt, entry.notBefore);
    return Number.isFinite(at) ? at : undefined;
  }

  #entry(url: string): Entry {
    const entry = this.#entries.get(url);
    if (entry === undefined) throw new RangeError(`no tracker of this torrent: ${url}`);
    return entry;
  }

  #groupOf(entry: Entry): Group {
    return this.#groups.find((group) => group.tiers.some((tier) => tier.includes(entry))) as Group;
  }
}

/** In the order in which they are tried. */
function candidates(group: Group): Entry[] {
  return group.tiers.flat().filter((entry) => !entry.disabled && !group.pending.has(entry));
}

function promote(group: Group, entry: Entry): void {
  const tier = group.tiers.find((each) => each.includes(entry)) as Entry[];
  tier.splice(tier.indexOf(entry), 1);
  tier.unshift(entry);
}

function stateOf(entry: Entry, group: Group): TrackerState {
  if (entry.disabled) return "disabled";
  if (group.pending.has(entry)) return "announcing";
  if (entry.failures > 0) return "failing";
  return [...entry.legs.values()].some((leg) => leg.heardStarted) ? "working" : "idle";
}

function larger(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined ? b : b === undefined ? a : Math.max(a, b);
}

function intervalMs(response: AnnounceResponse): { readonly regular: number; readonly least: number } {
  const asked = response.minIntervalSeconds;
  const least = asked === undefined ? MIN_INTERVAL_MS : Math.min(asked * 1000, MAX_MIN_INTERVAL_MS);
  const regular = Math.max(Math.min(response.intervalSeconds * 1000, MAX_INTERVAL_MS), least, MIN_INTERVAL_MS);
  return { regular, least };
}
