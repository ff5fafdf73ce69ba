import type { Clock } from "#/base/clock.ts";
import { systemClock } from "#/base/clock.ts";
import type { Endpoint } from "#/base/ip.ts";
import { systemRandom } from "#/base/random.ts";
import { type AnnounceEvent, type AnnounceResponse, parseTrackerUrl, type TrackerUrl } from "../protocol/index.ts";
import { announceTo } from "./announce.ts";
import { type CallConfig, resolveCallOptions, type TrackerCallOptions } from "./call.ts";
import { withinTime } from "./deadline.ts";
import { type Destination, hostNotFound, resolveDestinations } from "./destination.ts";
import { AnnounceSchedule, type Farewell, type TrackerStatus } from "./schedule.ts";

/** What happened between a torrent and one of its trackers. */
export type AnnouncerEvent =
  | {
      readonly type: "announced";
      readonly url: string;
      readonly family: 4 | 6;
      readonly event: AnnounceEvent | undefined;
      readonly response: AnnounceResponse;
    }
  | { readonly type: "warned"; readonly url: string; readonly message: string }
  | { readonly type: "failed"; readonly url: string; readonly family: 4 | 6 | undefined; readonly error: Error };

export interface TorrentAnnouncerOptions extends TrackerCallOptions {
  /** BEP 12's announce-list; for a lone `announce`, one tier of one URL. */
  readonly tiers: readonly (readonly string[])[];
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  readonly key: number;
  /** The port we listen on. */
  readonly port: number;
  /** Private torrents use one tracker at a time (BEP 27). @default false */
  readonly isPrivate?: boolean | undefined;
  readonly stats: () => { readonly uploaded: number; readonly downloaded: number; readonly left: number };
  /** How many peers are wanted now; 0 for none. */
  readonly numWant: () => number;
  /** Called once for each answer, also when it holds no peers; `source` is the tracker's URL. */
  readonly onPeers: (peers: readonly Endpoint[], source: string) => void;
  readonly onEvent?: ((event: AnnouncerEvent) => void) | undefined;
  /** Address families that are announced over, each on its own. @default [4, 6] */
  readonly families?: readonly (4 | 6)[] | undefined;
}

interface Run {
  readonly controller: AbortController;
  timer: NodeJS.Timeout | undefined;
}

/** Keeps the trackers of one torrent informed, from `start` to `stop`. Trouble with trackers is an event, never an exception. */
export class TorrentAnnouncer implements AsyncDisposable {
  readonly #options: TorrentAnnouncerOptions;
  readonly #config: CallConfig;
  readonly #clock: Clock;
  readonly #schedule: AnnounceSchedule;
  /** Where each tracker was last reached, by URL and family: a goodbye has no time for a lookup. BOUNDED: two for each tracker. */
  readonly #reached = new Map<string, { readonly url: TrackerUrl; readonly destination: Destination }>();
  #run: Run | undefined;
  #stopping: Promise<void> | undefined;
  #startAgain = false;

  constructor(options: TorrentAnnouncerOptions) {
    this.#options = options;
    this.#config = resolveCallOptions(options);
    this.#clock = options.clock ?? systemClock;
    const random = options.random ?? systemRandom;
    this.#schedule = new AnnounceSchedule({ tiers: options.tiers, exclusive: options.isPrivate ?? false, random });
  }

  /** Announces at once, then as the trackers ask. After `stop` it starts anew; during `stop`, when that has ended. */
  start(): void {
    if (this.#stopping !== undefined) this.#startAgain = true;
    if (this.#stopping !== undefined || this.#run !== undefined) return;
    this.#run = { controller: new AbortController(), timer: undefined };
    this.#schedule.start();
    this.#pump(this.#run);
  }

  /** The download ended: tells the trackers. Not to be called for a torrent that was whole when it started. */
  completed(): void {
    this.#schedule.completed(this.#clock.now());
    if (this.#run !== undefined) this.#pump(this.#run);
  }

  /** Announces as soon as the trackers' minimum intervals allow. */
  announceNow(): void {
    this.#schedule.announceNow(this.#clock.now());
    if (this.#run !== undefined) this.#pump(this.#run);
  }

  /**
   * Ends everything under way, and tells `stopped` to the trackers that heard `started`.
   * @param options.timeoutMs after which it is given up. @default 2000
   */
  stop(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    this.#startAgain = false;
    const run = this.#run;
    if (run === undefined) return this.#stopping ?? Promise.resolve();
    this.#run = undefined;
    clearTimeout(run.timer);
    const farewells = this.#schedule.stop();
    run.controller.abort();
    const stopping = Promise.all(farewells.map((farewell) => this.#sayGoodbye(farewell, options.timeoutMs ?? 2000))).then(() => {
      this.#stopping = undefined;
      if (this.#startAgain) this.start();
    });
    this.#stopping = stopping;
    return stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** The trackers in the order in which they are tried. */
  trackers(): TrackerStatus[] {
    return this.#schedule.status();
  }

  #pump(run: Run): void {
    const now = this.#clock.now();
    for (let url = this.#schedule.poll(now); url !== undefined; url = this.#schedule.poll(now)) void this.#announce(url, run);
    clearTimeout(run.timer);
    const next = this.#schedule.nextTimeout();
    if (next !== undefined) run.timer = setTimeout(() => this.#pump(run), Math.min(Math.max(next - now, 0), 0x7fff_ffff)).unref();
  }

  async #announce(text: string, run: Run): Promise<void> {
    const { signal } = run.controller;
    let failure: unknown;
    try {
      const url = parseTrackerUrl(text);
      const found = await withinTime(this.#config.timeoutMs, signal, (inTime) => resolveDestinations(url, this.#config, inTime));
      const families = this.#options.families ?? [4, 6];
      const wanted = found.filter((destination) => families.includes(destination.family));
      if (wanted.length === 0) throw hostNotFound(url.host);
      const failures = await Promise.all(wanted.map((destination) => this.#announceLeg(text, url, destination, run)));
      failure = failures.find((each) => each !== undefined);
    } catch (error) {
      if (signal.aborted) return;
      failure = error;
      this.#report({ type: "failed", url: text, family: undefined, error: error as Error });
    }
    if (signal.aborted) return;
    this.#schedule.finished(text, failure, this.#clock.now());
    this.#pump(run);
  }

  /** @returns why it failed */
  async #announceLeg(text: string, url: TrackerUrl, destination: Destination, run: Run): Promise<unknown> {
    const { signal } = run.controller;
    const { family } = destination;
    const order = this.#schedule.begin(text, family);
    if (order === undefined) return undefined;
    let response: AnnounceResponse;
    try {
      response = await withinTime(this.#config.timeoutMs, signal, (inTime) =>
        announceTo(url, destination, this.#request(order.event, order.trackerId, this.#options.numWant()), this.#config, inTime),
      );
    } catch (error) {
      if (signal.aborted) return error;
      this.#schedule.legFailed(text, family);
      this.#report({ type: "failed", url: text, family, error: error as Error });
      return error;
    }
    if (signal.aborted) return undefined;
    this.#reached.set(`${family} ${text}`, { url, destination });
    this.#schedule.answered(text, family, response, this.#clock.now());
    this.#pump(run);
    this.#options.onPeers(response.peers, text);
    this.#report({ type: "announced", url: text, family, event: order.event, response });
    if (response.warning !== undefined) this.#report({ type: "warned", url: text, message: response.warning });
    return undefined;
  }

  #request(event: AnnounceEvent | undefined, trackerId: Uint8Array | undefined, numWant: number) {
    const { infoHash, peerId, port, key } = this.#options;
    return { infoHash, peerId, port, key, event, trackerId, numWant, ...this.#options.stats() };
  }

  async #sayGoodbye(farewell: Farewell, timeoutMs: number): Promise<void> {
    const reached = this.#reached.get(`${farewell.family} ${farewell.url}`);
    if (reached === undefined) return;
    const request = this.#request("stopped", farewell.trackerId, 0);
    try {
      await withinTime(timeoutMs, undefined, (signal) =>
        announceTo(reached.url, reached.destination, request, this.#config, signal),
      );
    } catch (error) {
      this.#config.logger.debug("a tracker did not hear our goodbye", { url: farewell.url, error });
    }
  }

  #report(event: AnnouncerEvent): void {
    if (event.type === "failed") this.#config.logger.debug("a tracker failed", { url: event.url, error: event.error });
    if (event.type === "warned") this.#config.logger.warn("a tracker warns", { url: event.url, text: event.message });
    this.#options.onEvent?.(event);
  }
}
