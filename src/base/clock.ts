/** Where sans-IO code learns the time: milliseconds, monotonic, from an arbitrary origin. */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => performance.now() };
