import { BLOCK_LENGTH } from "./block.ts";

const START_DEPTH = 16;
const MIN_DEPTH = 2;
/** No more than this many requests wait at one connection: 32 MiB of blocks. */
const MAX_DEPTH = 2048;
/** How long the requests under way should last at the measured rate, beside the round trip. */
const QUEUE_SECONDS = 1.25;
/** Growth of the rate in a second below which doubling ends. */
const SATURATED_GROWTH = 1.1;
const RATE_WEIGHT = 0.4;
/** What a peer is taken to accept until it says otherwise in its extension handshake (`reqq`, BEP 10). */
export const DEFAULT_REQUEST_LIMIT = 250;

/**
 * How many requests a connection keeps under way. It starts like TCP: each block that arrives adds a request, so the
 * depth doubles each round trip; once the rate stops growing, it follows the rate: `QUEUE_SECONDS` and one round trip.
 */
export class RequestPipeline {
  /** The peer's `reqq`. */
  limit = DEFAULT_REQUEST_LIMIT;
  #depth = START_DEPTH;
  #slowStart = true;
  #bytes = 0;
  #sampledAt: number | undefined;
  #rate = 0;
  #roundTripMs = Number.POSITIVE_INFINITY;

  /** Requests that may be under way. */
  get depth(): number {
    return Math.min(this.#depth, this.limit, MAX_DEPTH);
  }

  get rateBytesPerSecond(): number {
    return this.#rate;
  }

  /** The shortest time seen between a request and its block; Infinity before the first. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  blockReceived(bytes: number, waitedMs: number): void {
    this.#bytes += bytes;
    if (waitedMs < this.#roundTripMs) this.#roundTripMs = waitedMs;
    if (this.#slowStart && this.#depth < MAX_DEPTH) this.#depth++;
  }

  /** After a silence: one request at a time until blocks come again. */
  snub(): void {
    this.#slowStart = false;
    this.#depth = 1;
    this.#bytes = 0;
  }

  /** Call about twice a second. @param now ms, monotonic */
  tick(now: number): void {
    this.#sampledAt ??= now;
    const elapsedMs = now - this.#sampledAt;
    if (elapsedMs < 500) return;
    const sample = (this.#bytes * 1000) / elapsedMs;
    this.#sampledAt = now;
    this.#bytes = 0;
    const before = this.#rate;
    this.#rate = before === 0 ? sample : before + RATE_WEIGHT * (sample - before);
    if (this.#slowStart && (sample === 0 || sample > before * SATURATED_GROWTH)) return;
    this.#slowStart = false;
    const seconds = QUEUE_SECONDS + (Number.isFinite(this.#roundTripMs) ? Math.min(this.#roundTripMs, 4000) / 1000 : 0);
    const wanted = Math.ceil((this.#rate * seconds) / BLOCK_LENGTH);
    if (this.#depth > 1 || sample > 0) this.#depth = Math.max(MIN_DEPTH, Math.min(MAX_DEPTH, wanted));
  }
}
