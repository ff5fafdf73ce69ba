/** What commands with a running client have in common: how a torrent is shown and told, when it has seeded enough, when to give up. */

import { CodedError } from "#/base/errors.ts";
import type { Torrent } from "#/client/index.ts";
import { CliError, NamedError } from "./errors.ts";
import type { jsonEvents } from "./io.ts";
import type { ProgressRow } from "./progress-text.ts";
import type { SettingName, SettingValues } from "./settings.ts";
import { formatTime } from "./units.ts";

export type EmitEvent = ReturnType<typeof jsonEvents>;

const PROGRESS_EVENT_INTERVAL_MS = 1000;
const LOOK_INTERVAL_MS = 200;

export function torrentRow(torrent: Torrent): ProgressRow {
  const stats = torrent.stats();
  const isChecking = stats.state === "checking";
  return {
    name: stats.name,
    ...(stats.state !== "downloading" && stats.state !== "closed" && { state: stats.state }),
    done: isChecking ? stats.checked * stats.totalBytes : stats.doneBytes,
    total: isChecking ? stats.totalBytes : stats.wantedBytes,
    downRate: stats.downRate,
    upRate: stats.upRate,
    peers: stats.peers.byTransport,
    timeLeftMs: stats.secondsLeft === undefined ? undefined : stats.secondsLeft * 1000,
  };
}

/** The fields of a `progress` event. */
export function progressFields(torrent: Torrent): Readonly<Record<string, unknown>> {
  const stats = torrent.stats();
  return {
    infoHash: stats.infoHash,
    name: stats.name,
    state: stats.state,
    checked: stats.checked,
    done: stats.doneBytes,
    wanted: stats.wantedBytes,
    total: stats.totalBytes,
    downRate: Math.round(stats.downRate),
    upRate: Math.round(stats.upRate),
    downloaded: stats.downloaded,
    uploaded: stats.uploaded,
    peers: stats.peers.byTransport,
    secondsLeft: stats.secondsLeft,
  };
}

/** Tells what happens to a torrent as JSON events. */
export function relayEvents(torrent: Torrent, emit: EmitEvent): void {
  const { infoHash } = torrent;
  torrent.on("checked", ({ have, total }) => emit("checked", { infoHash, have, total }));
  torrent.on("pieceFailed", ({ piece }) => emit("pieceFailed", { infoHash, piece }));
  torrent.on("complete", () => emit("completed", { infoHash }));
  torrent.on("stopped", ({ code, error }) => emit("stopped", { infoHash, code, message: error.message }));
  torrent.on("peerConnected", ({ address, client, direction }) => emit("peerConnected", { infoHash, address, client, direction }));
  torrent.on("peerClosed", ({ address, client, code }) => emit("peerClosed", { infoHash, address, client, code }));
  torrent.on("peerBanned", ({ address }) => emit("peerBanned", { infoHash, address }));
  torrent.on("tracker", (event) => {
    if (event.type === "announced") {
      const { seeders, leechers, peers } = event.response;
      emit("announced", { infoHash, url: event.url, seeders, leechers, peers: peers.length });
    } else if (event.type === "failed") emit("trackerFailed", { infoHash, url: event.url, message: event.error.message });
    else emit("trackerWarned", { infoHash, url: event.url, message: event.message });
  });
}

/** Emits `progress` for each torrent once a second, and aborts when nothing at all moved for `timeoutMs`. */
export class Watch implements Disposable {
  /** Aborted with a CliError of CLI_TIMEOUT. */
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #torrents: () => readonly Torrent[];
  readonly #timeoutMs: number | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #emit: EmitEvent | undefined;
  #moved = -1;
  #movedAt = performance.now();
  #emittedAt = performance.now();

  constructor(options: {
    readonly torrents: () => readonly Torrent[];
    readonly timeoutMs?: number | undefined;
    readonly emit?: EmitEvent | undefined;
  }) {
    this.signal = this.#controller.signal;
    this.#torrents = options.torrents;
    this.#timeoutMs = options.timeoutMs;
    this.#emit = options.emit;
    this.#timer = setInterval(() => this.#look(), LOOK_INTERVAL_MS);
  }

  #look(): void {
    const now = performance.now();
    const torrents = this.#torrents();
    if (this.#emit !== undefined && now - this.#emittedAt >= PROGRESS_EVENT_INTERVAL_MS) {
      this.#emittedAt = now;
      for (const torrent of torrents) this.#emit("progress", progressFields(torrent));
    }
    if (this.#timeoutMs === undefined) return;
    const moved = torrents.reduce((sum, torrent) => sum + movement(torrent), 0);
    const unfinished = torrents.filter((torrent) => torrent.state === "downloading");
    if (moved !== this.#moved || unfinished.length === 0) {
      this.#moved = moved;
      this.#movedAt = now;
    } else if (now - this.#movedAt >= this.#timeoutMs) this.#controller.abort(stalled(unfinished, this.#timeoutMs));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** A number that changes when anything moves. */
function movement(torrent: Torrent): number {
  const { counters, checked } = torrent.stats();
  return counters.downloadedBytes + counters.uploadedBytes + counters.verifiedPieces + checked;
}

function stalled(torrents: readonly Torrent[], timeoutMs: number): CliError {
  const [first] = torrents;
  const names = torrents.length > 1 ? `${first?.name} and ${torrents.length - 1} more` : (first?.name ?? "");
  const connected = torrents.reduce((sum, torrent) => sum + torrent.stats().peers.connected, 0);
  const known = torrents.reduce((sum, torrent) => sum + torrent.stats().knownAddresses, 0);
  const reason =
    connected > 0
      ? `${connected} connected ${connected === 1 ? "peer sends" : "peers send"} nothing`
      : known > 0
        ? `none of ${known} known peers can be reached`
        : "no peers were found";
  return new CliError("CLI_TIMEOUT", `${names}: nothing moved for ${formatTime(timeoutMs)}: ${reason}`, {
    fault: "remote",
    hint: "--peer names a peer, --tracker a tracker",
  });
}

/** Settings that say how long a complete torrent is seeded. */
export const seedingSettings = ["seedRatio", "seedTime", "keepSeeding"] as const satisfies readonly SettingName[];
export type SeedingOptions = SettingValues<(typeof seedingSettings)[number]>;

/**
 * Resolves when a complete torrent has seeded enough: until the ratio or the time is reached, whichever is first.
 * @throws the reason of the signal; what stopped the torrent
 */
export async function seedEnough(
  torrent: Torrent,
  { seedRatio, seedTime, keepSeeding }: SeedingOptions,
  signal: AbortSignal,
): Promise<void> {
  const endsAt = performance.now() + (keepSeeding ? Number.POSITIVE_INFINITY : (seedTime ?? Number.POSITIVE_INFINITY));
  const ratio = keepSeeding ? Number.POSITIVE_INFINITY : (seedRatio ?? Number.POSITIVE_INFINITY);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stopped = ({ error }: { readonly error: Error }): void => reject(error);
  const timer = setInterval(() => {
    const { uploaded, wantedBytes } = torrent.stats();
    if (uploaded >= ratio * wantedBytes || performance.now() >= endsAt) resolve();
  }, LOOK_INTERVAL_MS);
  torrent.once("stopped", stopped);
  try {
    if (torrent.error !== undefined) reject(torrent.error);
    await orAborted(promise, signal);
  } finally {
    clearInterval(timer);
    torrent.off("stopped", stopped);
  }
}

/** The result of `promise`, or at once the reason of the signal; what goes on in the background is ended by closing the client. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort);
  try {
    if (signal.aborted) abort();
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
    promise.catch(() => {}); // nobody waits for it any more
  }
}

/** What stopped a torrent, with its name in front. */
export function stoppedError(torrent: Torrent, error: unknown): unknown {
  return error instanceof CodedError && !(error instanceof CliError) ? new NamedError(torrent.name, error) : error;
}
