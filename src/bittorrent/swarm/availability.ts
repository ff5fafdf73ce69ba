import type { RandomSource } from "#/base/random.ts";

/** How much a piece is wanted. `skip`: not at all. */
export const piecePriority = { skip: 0, low: 1, normal: 2, high: 3, highest: 4 } as const;
export type PiecePriority = (typeof piecePriority)[keyof typeof piecePriority];
const PRIORITY_COUNT = 5;

/**
 * The pieces that may be started, by priority and then by how few peers have them; ties are in random order.
 * Adding, removing and a change of one piece's availability take constant time. Peers that have everything are
 * counted once, not piece by piece.
 */
export class PieceOrder {
  readonly pieceCount: number;
  readonly #availability: Uint16Array;
  readonly #priority: Uint8Array;
  /** Place in its bucket, or -1 when the piece is not in the order. */
  readonly #place: Int32Array;
  /** [priority][availability] → pieces. */
  readonly #buckets: number[][][] = Array.from({ length: PRIORITY_COUNT }, () => []);
  readonly #random: RandomSource;
  #size = 0;

  constructor(pieceCount: number, random: RandomSource) {
    this.pieceCount = pieceCount;
    this.#availability = new Uint16Array(pieceCount);
    this.#priority = new Uint8Array(pieceCount).fill(piecePriority.normal);
    this.#place = new Int32Array(pieceCount).fill(-1);
    this.#random = random;
  }

  /** How many pieces are in the order. */
  get size(): number {
    return this.#size;
  }

  /** How many of them no peer has, those that were counted as having everything left out. */
  get unavailableCount(): number {
    let count = 0;
    for (const level of this.#buckets) count += level[0]?.length ?? 0;
    return count;
  }

  has(piece: number): boolean {
    return this.#place[piece] !== -1;
  }

  add(piece: number): void {
    if (this.has(piece)) return;
    this.#size++;
    this.#insert(piece);
  }

  delete(piece: number): void {
    if (!this.has(piece)) return;
    this.#size--;
    this.#remove(piece);
  }

  priority(piece: number): PiecePriority {
    return this.#priority[piece] as PiecePriority;
  }

  setPriority(piece: number, priority: PiecePriority): void {
    this.#moved(piece, () => {
      this.#priority[piece] = priority;
    });
  }

  /** Peers known to have the piece, without those that were counted as having everything. */
  availability(piece: number): number {
    return this.#availability[piece] as number;
  }

  increase(piece: number): void {
    this.#moved(piece, () => {
      this.#availability[piece] = (this.#availability[piece] as number) + 1;
    });
  }

  decrease(piece: number): void {
    this.#moved(piece, () => {
      this.#availability[piece] = Math.max(0, (this.#availability[piece] as number) - 1);
    });
  }

  /** The best piece that `accepts` takes: highest priority, then rarest. */
  pick(accepts: (piece: number) => boolean): number | undefined {
    for (let priority = PRIORITY_COUNT - 1; priority > piecePriority.skip; priority--) {
      for (const bucket of this.#buckets[priority] as number[][]) {
        if (bucket === undefined) continue;
        for (const piece of bucket) if (accepts(piece)) return piece;
      }
    }
    return undefined;
  }

  /** The first piece by number that `accepts` takes, higher priorities first. */
  pickInSequence(accepts: (piece: number) => boolean): number | undefined {
    let best: number | undefined;
    let bestPriority: number = piecePriority.skip;
    for (let piece = 0; piece < this.pieceCount; piece++) {
      const priority = this.#priority[piece] as number;
      if (priority <= bestPriority || !this.has(piece) || !accepts(piece)) continue;
      best = piece;
      bestPriority = priority;
      if (priority === piecePriority.highest) break;
    }
    return best;
  }

  #moved(piece: number, change: () => void): void {
    if (!this.has(piece)) {
      change();
      return;
    }
    this.#remove(piece);
    change();
    this.#insert(piece);
  }

  #bucket(piece: number): number[] {
    const level = this.#buckets[this.#priority[piece] as number] as number[][];
    const availability = this.#availability[piece] as number;
    while (level.length <= availability) level.push([]);
    return level[availability] as number[];
  }

  #insert(piece: number): void {
    const bucket = this.#bucket(piece);
    const place = this.#random.below(bucket.length + 1);
    const moved = bucket[place];
    if (moved !== undefined) {
      this.#place[moved] = bucket.length;
      bucket.push(moved);
      bucket[place] = piece;
    } else {
      bucket.push(piece);
    }
    this.#place[piece] = place;
  }

  #remove(piece: number): void {
    const bucket = this.#bucket(piece);
    const place = this.#place[piece] as number;
    const last = bucket.pop() as number;
    if (last !== piece) {
      bucket[place] = last;
      this.#place[last] = place;
    }
    this.#place[piece] = -1;
  }
}
