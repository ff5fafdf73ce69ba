import { TrackerError } from "../protocol/index.ts";

/**
 * Runs `work` with a signal that fires when `signal` does or the time is up.
 * @throws {TrackerError} TRACKER_TIMEOUT; the reason of `signal` when that fired; what `work` throws
 */
export async function withinTime<T>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  try {
    return await work(signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]));
  } catch (error) {
    signal?.throwIfAborted();
    if (!timeout.signal.aborted) throw error;
    throw new TrackerError("TRACKER_TIMEOUT", `no answer within ${timeoutMs} ms`, { fault: "remote", details: { timeoutMs } });
  } finally {
    clearTimeout(timer);
  }
}

/** `promise`, or a rejection with the signal's reason as soon as that fires; for work that cannot be stopped, such as a name lookup. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: result, resolve, reject } = Promise.withResolvers<T>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  return result;
}
