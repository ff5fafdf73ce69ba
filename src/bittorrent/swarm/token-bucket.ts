/** How much may pass at once after a pause, in seconds of the rate. */
const BURST_SECONDS = 0.1;

/**
 * A rate limit in bytes a second. What passes may overdraw it; then nothing passes until the debt is paid,
 * so the mean over any long time keeps the rate whatever the size of one piece of work.
 */
export class TokenBucket {
  #rate: number;
  #level = 0;
  #filledAt = 0;

  /** @param rateBytesPerSecond Infinity for no limit */
  constructor(rateBytesPerSecond: number) {
    this.#rate = rateBytesPerSecond;
  }

  get rateBytesPerSecond(): number {
    return this.#rate;
  }

  /** Changes the limit; a debt made under the earlier limit is forgotten. */
  setRate(rateBytesPerSecond: number): void {
    this.#rate = rateBytesPerSecond;
    this.#level = Math.max(0, Math.min(this.#level, rateBytesPerSecond * BURST_SECONDS));
  }

  /** Whether something may pass at `now` (ms). */
  isOpen(now: number): boolean {
    if (this.#rate === Number.POSITIVE_INFINITY) return true;
    this.#fill(now);
    return this.#level > 0;
  }

  /** Accounts for `bytes` that have passed. */
  take(bytes: number, now: number): void {
    if (this.#rate === Number.POSITIVE_INFINITY) return;
    this.#fill(now);
    this.#level -= bytes;
  }

  #fill(now: number): void {
    const elapsedMs = now - this.#filledAt;
    if (elapsedMs <= 0) return;
    this.#filledAt = now;
    this.#level = Math.min(this.#level + (elapsedMs * this.#rate) / 1000, this.#rate * BURST_SECONDS);
  }
}

/** Several limits that hold at once: that of the client and that of the torrent. */
export class RateLimit {
  readonly #buckets: readonly TokenBucket[];

  constructor(buckets: readonly TokenBucket[]) {
    this.#buckets = buckets;
  }

  isOpen(now: number): boolean {
    for (const bucket of this.#buckets) if (!bucket.isOpen(now)) return false;
    return true;
  }

  take(bytes: number, now: number): void {
    for (const bucket of this.#buckets) bucket.take(bytes, now);
  }

  /** The tightest of the limits, in bytes a second. */
  get rateBytesPerSecond(): number {
    return Math.min(...this.#buckets.map((bucket) => bucket.rateBytesPerSecond));
  }
}
