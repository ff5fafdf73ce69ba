const SAMPLE_MS = 500;
/** Weight of the newest sample; with half-second samples the mean reaches back about two seconds. */
const WEIGHT = 0.3;

/** Bytes a second, as a moving mean, and a total. Needs `tick` a few times a second. */
export class RateMeter {
  #total = 0;
  #pending = 0;
  #sampledAt: number | undefined;
  #rate = 0;

  get total(): number {
    return this.#total;
  }

  get rateBytesPerSecond(): number {
    return this.#rate;
  }

  add(bytes: number): void {
    this.#total += bytes;
    this.#pending += bytes;
  }

  /** @param now ms, monotonic */
  tick(now: number): void {
    if (this.#sampledAt === undefined) {
      this.#sampledAt = now;
      return;
    }
    const elapsedMs = now - this.#sampledAt;
    if (elapsedMs < SAMPLE_MS) return;
    const sample = (this.#pending * 1000) / elapsedMs;
    this.#rate = this.#rate === 0 ? sample : this.#rate + WEIGHT * (sample - this.#rate);
    if (this.#rate < 1) this.#rate = 0;
    this.#pending = 0;
    this.#sampledAt = now;
  }
}
