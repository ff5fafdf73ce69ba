import { type Endpoint, tryParseEndpoint } from "#/base/ip.ts";
import type { RandomSource } from "#/base/random.ts";
import { peerPriority } from "./peer-priority.ts";

/** Where an address was heard of. */
export type PeerOrigin = "given" | "tracker" | "dht" | "pex" | "lsd" | "resume" | "incoming";

/** Addresses remembered for one torrent. BOUNDED: beyond it, those that failed most make room. */
const MAX_CANDIDATES = 4000;
const FIRST_RETRY_MS = 5_000;
const MAX_RETRY_MS = 30 * 60_000;
/** Failures in a row after which an address that nobody named again is forgotten. */
const MAX_FAILURES = 8;

/**
 * How a connection went. `unused`: we gave it up ourselves; `failed`: no handshake came; `used`: there was a peer;
 * `useless`: that peer has nothing for us and wants nothing.
 */
export type ConnectionEnd = "unused" | "failed" | "used" | "useless";

interface Candidate {
  readonly address: string;
  readonly origin: PeerOrigin;
  readonly priority: number;
  failures: number;
  notBefore: number;
  isBusy: boolean;
  isUseless: boolean;
}

/** The addresses that a torrent knows: whom to dial next, who failed and when to try again, who is banned. */
export class Candidates {
  readonly #known = new Map<string, Candidate>();
  /** Hosts (or, where many peers share one, addresses) that sent bad data. BOUNDED by MAX_CANDIDATES. */
  readonly #banned = new Set<string>();
  readonly #random: RandomSource;
  /** Our own addresses as others see them: never dialled, and one side of BEP 40's priority. */
  readonly #own = new Set<string>();
  #ownEndpoint: Endpoint | undefined;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  get count(): number {
    return this.#known.size;
  }

  /** Tells our own address, so that priorities can be computed and we do not dial ourselves. */
  addOwn(address: string): void {
    this.#own.add(address);
    this.#known.delete(address);
    this.#ownEndpoint ??= tryParseEndpoint(address);
  }

  /** @returns whether the address is new */
  add(address: string, origin: PeerOrigin): boolean {
    const known = this.#known.get(address);
    if (known !== undefined) {
      if (known.failures >= MAX_FAILURES) known.failures = MAX_FAILURES - 1;
      return false;
    }
    if (this.#own.has(address) || this.isBanned(address)) return false;
    if (this.#known.size >= MAX_CANDIDATES && !this.#evict()) return false;
    const endpoint = tryParseEndpoint(address);
    const priority =
      endpoint !== undefined && this.#ownEndpoint !== undefined
        ? peerPriority(endpoint, this.#ownEndpoint)
        : this.#random.below(2 ** 32);
    this.#known.set(address, {
      address,
      origin,
      priority,
      failures: 0,
      notBefore: Number.NEGATIVE_INFINITY,
      isBusy: false,
      isUseless: false,
    });
    return true;
  }

  /** The address to dial next: fewest failures, then highest priority (BEP 40). It is busy until `closed`. */
  take(now: number): string | undefined {
    let best: Candidate | undefined;
    for (const candidate of this.#known.values()) {
      if (candidate.isBusy || candidate.notBefore > now || candidate.failures >= MAX_FAILURES) continue;
      if (
        best === undefined ||
        candidate.failures < best.failures ||
        (candidate.failures === best.failures && candidate.priority > best.priority)
      ) {
        best = candidate;
      }
    }
    if (best === undefined) return undefined;
    best.isBusy = true;
    return best.address;
  }

  /** The connection to an address ended, or was never made. */
  closed(address: string, now: number, how: ConnectionEnd): void {
    const candidate = this.#known.get(address);
    if (candidate === undefined) return;
    candidate.isBusy = false;
    if (how === "unused") return;
    candidate.isUseless = how === "useless";
    if (candidate.isUseless) {
      candidate.notBefore = now + MAX_RETRY_MS;
      return;
    }
    candidate.failures = how === "used" ? 1 : candidate.failures + 1;
    candidate.notBefore =
      now + Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (candidate.failures - 1)) * (0.9 + this.#random.below(200) / 1000);
  }

  /** Something is wanted again: those who had nothing for us may have it. */
  usefulAgain(): void {
    for (const candidate of this.#known.values()) if (candidate.isUseless) candidate.notBefore = Number.NEGATIVE_INFINITY;
  }

  /** A peer that dialled us says that it listens here: known, and busy until `closed`. */
  reachedFrom(address: string): void {
    this.add(address, "incoming");
    const candidate = this.#known.get(address);
    if (candidate !== undefined) candidate.isBusy = true;
  }

  /** Takes an address out for good: it is ourselves. */
  forget(address: string): void {
    this.#own.add(address);
    this.#known.delete(address);
  }

  /** @param key an address, a host (then all its addresses), or a peer id in hexadecimal */
  ban(key: string): void {
    if (this.#banned.size < MAX_CANDIDATES) this.#banned.add(key);
    for (const address of this.#known.keys()) if (this.isBanned(address)) this.#known.delete(address);
  }

  isBanned(address: string): boolean {
    return this.#banned.has(address) || this.#banned.has(tryParseEndpoint(address)?.host ?? address);
  }

  /** Addresses that may be worth dialling later, for the next start. */
  *addresses(): Generator<string> {
    for (const candidate of this.#known.values()) if (candidate.failures < 2) yield candidate.address;
  }

  /** When the next address may be dialled, ms; undefined when none is waiting. */
  nextDialAt(): number | undefined {
    let next: number | undefined;
    for (const candidate of this.#known.values()) {
      if (candidate.isBusy || candidate.failures >= MAX_FAILURES) continue;
      if (next === undefined || candidate.notBefore < next) next = candidate.notBefore;
    }
    return next;
  }

  #evict(): boolean {
    let worst: Candidate | undefined;
    for (const candidate of this.#known.values()) {
      if (!candidate.isBusy && candidate.failures > (worst?.failures ?? 0)) worst = candidate;
    }
    if (worst === undefined) return false;
    this.#known.delete(worst.address);
    return true;
  }
}
