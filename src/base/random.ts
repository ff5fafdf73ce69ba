import { randomBytes } from "node:crypto";

/** Where sans-IO code gets chance from; seeded in tests and simulations. */
export interface RandomSource {
  bytes(length: number): Uint8Array;
  /** A whole number from 0 up to, not including, `limit` (1 to 2^32). */
  below(limit: number): number;
}

/** Unpredictable; for peer ids, keys, transaction ids and ties. */
export const systemRandom: RandomSource = {
  bytes: (length) => Uint8Array.from(randomBytes(length)),
  below: (limit) => Math.floor(Math.random() * limit),
};

/** Repeatable: the same seed gives the same sequence (mulberry32). Not for secrets. */
export function seededRandom(seed: number): RandomSource {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    below: (limit) => Math.floor((next() / 2 ** 32) * limit),
    bytes: (length) => {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i++) out[i] = next() & 0xff;
      return out;
    },
  };
}

/** Shuffles in place (Fisher and Yates) and returns the same array. */
export function shuffle<T>(items: T[], random: RandomSource): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const swapped = items[i] as T;
    items[i] = items[j] as T;
    items[j] = swapped;
  }
  return items;
}
