import type { RandomSource } from "#/base/random.ts";
import type { Peer } from "./peer.ts";

/** How often the choice is made anew; BEP 3: every ten seconds. */
export const CHOKE_INTERVAL_MS = 10_000;
/** How long an optimistic unchoke lasts; BEP 3: thirty seconds. */
const OPTIMISTIC_INTERVAL_MS = 30_000;
/** A peer connected for less than this is this many times likelier to be tried. */
const NEWCOMER_MS = 60_000;
const NEWCOMER_WEIGHT = 3;
/** As a seeder: after so long in a slot a peer yields to one of about the same speed that waits. */
const SEED_TURN_MS = 60_000;
const MIN_SLOTS = 4;
const START_SLOTS = 8;
const MAX_SLOTS = 64;

/** What choosing does: the torrent sends the messages. */
export interface ChokerOptions {
  readonly random: RandomSource;
  readonly peers: () => Iterable<Peer>;
  readonly choke: (peer: Peer) => void;
  readonly unchoke: (peer: Peer) => void;
  /** Bytes a second that this torrent may send; Infinity without a limit. */
  readonly uploadLimit: () => number;
  /** Bytes a second that it sends. */
  readonly uploadRate: () => number;
}

/**
 * Chooses whom to send to. As a leecher, those who send most to us (tit for tat, BEP 3); as a seeder, those who take
 * fastest, in turns. One slot or more is optimistic: given to one that waits, by chance, newcomers first.
 */
export class Choker {
  readonly #options: ChokerOptions;
  #nextRound = 0;
  #nextOptimistic = 0;
  #fastest = 0;

  constructor(options: ChokerOptions) {
    this.#options = options;
  }

  /** How many peers are unchoked at once, those not interested left out: grows with the square root of what is sent. */
  get slots(): number {
    const limit = this.#options.uploadLimit();
    const rate = Number.isFinite(limit) ? limit : this.#fastest;
    if (rate === 0) return START_SLOTS;
    const bySpeed = Math.round(Math.sqrt((rate / 1024) * 0.6));
    const least = Number.isFinite(limit) ? MIN_SLOTS : START_SLOTS;
    return Math.max(least, Math.min(MAX_SLOTS, bySpeed));
  }

  /** A peer became interested: it need not wait for the next round when a slot is free. */
  interested(peer: Peer, now: number): void {
    if (!peer.amChoking) return;
    let used = 0;
    for (const other of this.#options.peers()) if (!other.amChoking && other.isInterested) used++;
    if (used >= this.slots) return;
    this.#unchoke(peer, now);
  }

  /** @param isSeeding whether nothing is left to download */
  tick(now: number, isSeeding: boolean): void {
    this.#fastest = Math.max(this.#fastest * 0.999, this.#options.uploadRate());
    if (now < this.#nextRound) return;
    this.#nextRound = now + CHOKE_INTERVAL_MS;
    const candidates = [...this.#options.peers()].filter((peer) => peer.isInterested && peer.connections.length > 0);
    const slots = this.slots;
    const optimisticSlots = Math.max(1, Math.floor(slots / 5));
    const ranked = candidates
      .filter((peer) => isSeeding || !peer.isSnubbed)
      .sort((a, b) => this.#rank(b, now, isSeeding) - this.#rank(a, now, isSeeding) || b.unchokedAt - a.unchokedAt);
    const chosen = new Set(ranked.slice(0, Math.max(1, slots - optimisticSlots)));
    this.#chooseOptimistic(candidates, chosen, slots - chosen.size, now);
    for (const peer of this.#options.peers()) {
      if (chosen.has(peer)) this.#unchoke(peer, now);
      else if (!peer.amChoking) this.#choke(peer);
    }
  }

  #rank(peer: Peer, now: number, isSeeding: boolean): number {
    if (!isSeeding) return peer.downloaded.rateBytesPerSecond;
    const hadItsTurn = !peer.amChoking && now - peer.unchokedAt > SEED_TURN_MS;
    return peer.uploaded.rateBytesPerSecond * (hadItsTurn ? 0.5 : 1) + (peer.amChoking ? 0 : 1);
  }

  #chooseOptimistic(candidates: readonly Peer[], chosen: Set<Peer>, slots: number, now: number): void {
    const rotate = now >= this.#nextOptimistic;
    if (rotate) this.#nextOptimistic = now + OPTIMISTIC_INTERVAL_MS;
    let left = slots;
    for (const peer of candidates) {
      if (peer.isOptimistic && (rotate || chosen.has(peer) || left === 0)) peer.isOptimistic = false;
      else if (peer.isOptimistic && !peer.amChoking) {
        chosen.add(peer);
        left--;
      }
    }
    const waiting = candidates.filter((peer) => !chosen.has(peer));
    while (left > 0 && waiting.length > 0) {
      const peer = this.#draw(waiting, now);
      peer.isOptimistic = true;
      chosen.add(peer);
      left--;
    }
  }

  /** Takes one out of `waiting` by chance. */
  #draw(waiting: Peer[], now: number): Peer {
    const weight = (peer: Peer): number => (now - peer.connectedAt < NEWCOMER_MS ? NEWCOMER_WEIGHT : 1);
    let ticket = this.#options.random.below(waiting.reduce((sum, peer) => sum + weight(peer), 0));
    let at = 0;
    while (ticket >= weight(waiting[at] as Peer)) ticket -= weight(waiting[at++] as Peer);
    return waiting.splice(at, 1)[0] as Peer;
  }

  #unchoke(peer: Peer, now: number): void {
    if (!peer.amChoking) return;
    peer.amChoking = false;
    peer.unchokedAt = now;
    this.#options.unchoke(peer);
  }

  #choke(peer: Peer): void {
    peer.amChoking = true;
    peer.isOptimistic = false;
    this.#options.choke(peer);
  }
}
