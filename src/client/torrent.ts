import { EventEmitter } from "node:events";
import type { Bitfield } from "#/base/bitfield.ts";
import { CodedError } from "#/base/errors.ts";
import { formatEndpoint } from "#/base/ip.ts";
import type { Metainfo } from "#/bittorrent/metainfo/index.ts";
import { piecesToCheck, type ResumeRecord, ResumeSaver, type TorrentStorage } from "#/bittorrent/storage/index.ts";
import type { PiecePriority, Swarm } from "#/bittorrent/swarm/index.ts";
import { type AnnouncerEvent, TorrentAnnouncer, type TrackerStatus } from "#/tracker/client/index.ts";
import { ClientError } from "./errors.ts";
import { type FilePriorities, piecePriorities, requireFilePriorities, skippedFiles } from "./file-choice.ts";
import { requireRate } from "./options.ts";
import type { ClientShared } from "./shared.ts";
import { countPeers, type PeerStats, peerStats, type TorrentState, type TorrentStats } from "./stats.ts";

/** Peers asked of a tracker while more are wanted. */
const PEERS_WANTED = 100;

export interface TorrentOptions {
  /** The download folder. @default the client's */
  readonly output?: string;
  /** How much each file is wanted, by index; `skip` leaves it out. @default all `normal` */
  readonly files?: FilePriorities;
  /** Pieces in order instead of rarest first. @default false */
  readonly sequential?: boolean;
  /** Peers to try besides those found: `host:port` or `[v6]:port`. */
  readonly peers?: readonly string[];
  /** Trackers besides those of the torrent, a tier each. */
  readonly trackers?: readonly string[];
  /** Whether trackers are asked at all. @default true */
  readonly useTrackers?: boolean;
  /** Verify all that is on disk, whatever the resume record says. @default false */
  readonly check?: boolean;
  /** Add it without starting it. @default false */
  readonly paused?: boolean;
  /** How room is made for files. @default "sparse" */
  readonly preallocate?: "sparse" | "full" | "none";
  readonly downRate?: number;
  readonly upRate?: number;
}

export interface TorrentEvents {
  /** What was on disk is known; the torrent starts unless paused. */
  checked: [{ readonly have: number; readonly total: number }];
  pieceVerified: [{ readonly piece: number; readonly have: number; readonly total: number }];
  pieceFailed: [{ readonly piece: number }];
  /** Everything wanted is verified and in its files. */
  complete: [];
  /** It cannot go on; what was verified stays. */
  stopped: [{ readonly error: Error; readonly code: string }];
  peerConnected: [{ readonly address: string; readonly client: string; readonly direction: "incoming" | "outgoing" }];
  peerClosed: [{ readonly address: string; readonly client: string; readonly reason: Error; readonly code: string }];
  peerBanned: [{ readonly address: string; readonly clientName: string }];
  tracker: [AnnouncerEvent];
}

/** One torrent of a client: its files, its peers, its trackers, and what is remembered of it. */
export class Torrent extends EventEmitter<TorrentEvents> {
  readonly metainfo: Metainfo;
  readonly folder: string;
  readonly swarm: Swarm;
  readonly #shared: ClientShared;
  readonly #storage: TorrentStorage;
  readonly #announcer: TorrentAnnouncer;
  readonly #saver: ResumeSaver | undefined;
  readonly #have: Bitfield;
  readonly #closing = new AbortController();
  #addedAt: number;
  #files: FilePriorities;
  #state: TorrentState = "checking";
  #isPaused: boolean;
  #error: Error | undefined;
  #checkedShare = 0;
  #completedAt: number | undefined;
  #earlier = { uploaded: 0, downloaded: 0 };
  #wantedBytes = 0;
  #doneBytes = 0;
  #isPrepared = false;
  /** Whether an empty file is wanted that is not there: no piece brings it. */
  #lacksEmptyFile = false;
  #whenChecked: Promise<void> = Promise.resolve();

  /** Use `Client.add`. */
  constructor(parts: {
    readonly shared: ClientShared;
    readonly metainfo: Metainfo;
    readonly folder: string;
    readonly storage: TorrentStorage;
    readonly swarm: Swarm;
    readonly have: Bitfield;
    readonly options: TorrentOptions;
  }) {
    super();
    const { shared, metainfo, options } = parts;
    this.metainfo = metainfo;
    this.folder = parts.folder;
    this.swarm = parts.swarm;
    this.#shared = shared;
    this.#storage = parts.storage;
    this.#have = parts.have;
    this.#files = options.files ?? new Map();
    this.#isPaused = options.paused ?? false;
    this.#addedAt = Date.now();
    this.swarm.picker.isSequential = options.sequential ?? false;
    this.swarm.downLimit.setRate(requireRate("downRate", options.downRate));
    this.swarm.upLimit.setRate(requireRate("upRate", options.upRate));
    this.#applyPriorities();
    const extra = (options.trackers ?? []).map((url) => [url]);
    this.#announcer = new TorrentAnnouncer({
      tiers: options.useTrackers === false ? [] : [...metainfo.trackers, ...extra],
      infoHash: metainfo.infoHash,
      peerId: shared.peerId,
      key: shared.announceKey,
      port: shared.port(),
      isPrivate: metainfo.isPrivate,
      stats: () => ({
        uploaded: this.swarm.counters.uploadedBytes,
        downloaded: this.swarm.counters.downloadedBytes,
        left: this.#wantedBytes - this.#doneBytes,
      }),
      numWant: () => (this.swarm.wantsPeers && !this.swarm.isComplete ? PEERS_WANTED : 0),
      onPeers: (peers) => this.#heardOf(peers.map(formatEndpoint), "tracker"),
      onEvent: (event) => this.emit("tracker", event),
      clock: shared.config.clock,
      random: shared.config.random,
      logger: shared.config.logger,
    });
    this.#saver =
      shared.resumeStore === undefined
        ? undefined
        : new ResumeSaver({
            storage: this.#storage,
            store: shared.resumeStore,
            snapshot: () => this.#resumeSnapshot(),
            onError: (error) => this.#notSaved(error),
          });
    this.#listen();
    this.swarm.addCandidates(options.peers ?? [], "given");
  }

  get infoHash(): string {
    return this.metainfo.infoHashHex;
  }

  get name(): string {
    return this.metainfo.name;
  }

  get state(): TorrentState {
    return this.#state;
  }

  /** What stopped it. */
  get error(): Error | undefined {
    return this.#error;
  }

  get isComplete(): boolean {
    return this.swarm.isComplete;
  }

  /** Verified pieces; a copy. */
  get have(): Bitfield {
    return this.#have.clone();
  }

  /** Looks at what is on disk, then starts. Called once, by the client. */
  begin(options: TorrentOptions): void {
    this.#startCheck(options.check ?? false, true);
  }

  /** Resolves when what was on disk is known. @throws what stopped the torrent */
  async whenChecked(): Promise<void> {
    await this.#whenChecked;
    if (this.#error !== undefined) throw this.#error;
  }

  /** Resolves when all that is wanted is here. @throws what stopped the torrent, or CLIENT_TORRENT_STOPPED when it was removed */
  async whenComplete(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.whenChecked();
    if (this.isComplete) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onStopped = ({ error }: { readonly error: Error }): void => reject(error);
    const onAbort = (): void => reject(options.signal?.reason);
    const onClosed = (): void => reject(closedError(this.name));
    this.once("complete", resolve);
    this.once("stopped", onStopped);
    options.signal?.addEventListener("abort", onAbort);
    this.#closing.signal.addEventListener("abort", onClosed);
    if (options.signal?.aborted) onAbort();
    else if (this.#closing.signal.aborted) onClosed();
    try {
      await promise;
    } finally {
      this.off("complete", resolve);
      this.off("stopped", onStopped);
      options.signal?.removeEventListener("abort", onAbort);
      this.#closing.signal.removeEventListener("abort", onClosed);
    }
  }

  /** Lets all peers go and tells trackers; files stay. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    if (this.#state === "checking" || this.#state === "closed" || this.#state === "stopped") return;
    this.#state = "paused";
    this.swarm.stop();
    await Promise.all([this.#announcer.stop(), this.#save()]);
  }

  /** Goes on after `pause`, or tries again after it was stopped. */
  async resume(): Promise<void> {
    this.#isPaused = false;
    if (this.#state === "checking" || this.#state === "closed") return;
    const wasStopped = this.#state === "stopped";
    if (wasStopped) {
      this.#error = undefined;
      this.#state = "checking";
      this.#have.clear();
      this.#isPrepared = false;
      this.#startCheck(true, false);
      await this.#whenChecked;
    } else await this.#run();
  }

  /** Announces to trackers as soon as they allow. */
  announce(): void {
    this.#announcer.announceNow();
  }

  /** @returns how many of the addresses are new */
  addPeers(addresses: readonly string[]): number {
    return this.#heardOf(addresses, "given");
  }

  /**
   * Changes how much a file is wanted; one that was skipped is made when it is wanted again.
   * @throws {ClientError} CLIENT_BAD_OPTION
   * @throws {StorageError} when bytes that it shares with others cannot be moved
   */
  async setFilePriority(file: number, priority: PiecePriority): Promise<void> {
    requireFilePriorities(this.metainfo, new Map([[file, priority]]));
    const before = skippedFiles(this.#files);
    this.#files = new Map(this.#files).set(file, priority);
    const skipped = skippedFiles(this.#files);
    if (before.has(file) !== skipped.has(file)) await this.#storage.setSkipped(file, skipped.has(file));
    if (before.has(file)) this.#isPrepared = false;
    if (this.#state !== "checking" && !skipped.has(file)) await this.#prepare();
    this.#applyPriorities();
    if (this.#state === "seeding" && !this.swarm.isComplete) this.#state = "downloading";
    this.#saver?.changed();
  }

  /** Bytes a second; Infinity for no limit. */
  setLimits(limits: { readonly downRate?: number; readonly upRate?: number }): void {
    if (limits.downRate !== undefined) this.swarm.downLimit.setRate(requireRate("downRate", limits.downRate));
    if (limits.upRate !== undefined) this.swarm.upLimit.setRate(requireRate("upRate", limits.upRate));
  }

  peers(): PeerStats[] {
    return Array.from(this.swarm.peers, peerStats);
  }

  trackers(): TrackerStatus[] {
    return this.#announcer.trackers();
  }

  stats(): TorrentStats {
    const { swarm, metainfo } = this;
    const left = this.#wantedBytes - this.#doneBytes;
    const downRate = swarm.downloadRate.rateBytesPerSecond;
    let requestsToPeers = 0;
    let requestsFromPeers = 0;
    for (const peer of swarm.peers) {
      requestsToPeers += peer.pendingRequests;
      for (const connection of peer.connections) requestsFromPeers += connection.requested.size;
    }
    return {
      name: metainfo.name,
      infoHash: metainfo.infoHashHex,
      state: this.#state,
      stoppedBy: this.#error instanceof CodedError ? this.#error.code : this.#error?.name,
      totalBytes: metainfo.totalLength,
      wantedBytes: this.#wantedBytes,
      doneBytes: this.#doneBytes,
      pieces: {
        total: metainfo.pieceCount,
        have: this.#have.count,
        wantedLeft: swarm.wantedLeft,
        underWay: swarm.picker.partials.size,
        hashing: swarm.downloader.checkingCount,
      },
      checked: this.#state === "checking" ? this.#checkedShare : 1,
      downRate,
      upRate: swarm.uploadRate.rateBytesPerSecond,
      downloaded: this.#earlier.downloaded + swarm.counters.downloadedBytes,
      uploaded: this.#earlier.uploaded + swarm.counters.uploadedBytes,
      peers: countPeers(swarm.peers),
      knownAddresses: swarm.candidates.count,
      requestsToPeers,
      requestsFromPeers,
      uploadSlots: swarm.uploadSlots,
      secondsLeft: left === 0 ? 0 : downRate > 0 ? left / downRate : undefined,
      counters: { ...swarm.counters },
    };
  }

  /** Called by the client every 50 ms or so. */
  tick(now: number): void {
    if (!this.swarm.isRunning) return;
    this.swarm.tick();
    this.#saver?.tick(now);
  }

  /** Stops with a reason; what was verified stays. */
  fail(error: Error): void {
    if (this.#state === "stopped" || this.#state === "closed") return;
    this.#error = error;
    this.#state = "stopped";
    this.swarm.stop(true);
    void this.#announcer.stop();
    this.#shared.config.logger.error("torrent stopped", { torrent: this.name, error });
    this.emit("stopped", { error, code: error instanceof CodedError ? error.code : error.name });
  }

  /** Says goodbye to trackers (2 s at most) and peers, saves the resume record, closes the files. Called by the client. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    const wasRunning = this.#state !== "stopped";
    this.#state = "closed";
    this.#closing.abort(closedError(this.name));
    this.swarm.stop();
    const goodbye = this.#announcer.stop({ timeoutMs: 2000 });
    await this.#whenChecked;
    if (wasRunning) await this.#save();
    await Promise.all([goodbye, this.#storage.close()]);
  }

  #heardOf(addresses: readonly string[], origin: "tracker" | "given"): number {
    const fresh = this.swarm.addCandidates(addresses, origin);
    if (fresh > 0) this.#shared.dialSoon();
    return fresh;
  }

  #applyPriorities(): void {
    const priorities = piecePriorities(this.metainfo, this.#files);
    this.swarm.setPriorities((piece) => priorities[piece] as PiecePriority);
    this.#recount();
  }

  #recount(): void {
    const { order } = this.swarm.picker;
    this.#wantedBytes = 0;
    this.#doneBytes = 0;
    for (let piece = 0; piece < this.metainfo.pieceCount; piece++) {
      if (order.priority(piece) === 0) continue;
      this.#wantedBytes += this.metainfo.pieceSize(piece);
      if (this.#have.has(piece)) this.#doneBytes += this.metainfo.pieceSize(piece);
    }
  }

  #listen(): void {
    const { swarm } = this;
    swarm.on("pieceVerified", ({ piece }) => {
      if (swarm.picker.order.priority(piece) !== 0) this.#doneBytes += this.metainfo.pieceSize(piece);
      this.#saver?.changed();
      this.emit("pieceVerified", { piece, have: this.#have.count, total: this.metainfo.pieceCount });
    });
    swarm.on("pieceFailed", ({ piece }) => this.emit("pieceFailed", { piece }));
    swarm.on("complete", () => {
      if (this.#state !== "downloading") return;
      this.#state = "seeding";
      this.#completedAt = Date.now();
      this.#announcer.completed();
      this.emit("complete");
    });
    swarm.on("peerConnected", ({ peer }) =>
      this.emit("peerConnected", { address: peer.address, client: peer.clientName, direction: peer.direction }),
    );
    swarm.on("peerClosed", ({ peer, reason, code }) =>
      this.emit("peerClosed", { address: peer.address, client: peer.clientName, reason, code }),
    );
    swarm.on("peerBanned", (event) => this.emit("peerBanned", event));
    swarm.on("readFailed", ({ error }) => this.fail(error));
  }

  #startCheck(everything: boolean, isFirst: boolean): void {
    this.#whenChecked = this.#check(everything, isFirst).catch((error: unknown) => this.fail(asError(error)));
  }

  async #check(everything: boolean, isFirst: boolean): Promise<void> {
    const { metainfo } = this;
    const loaded = await this.#shared.resumeStore?.load(metainfo.infoHashHex);
    const record = loaded?.record;
    if (loaded?.reason === "damaged") this.#shared.config.logger.warn("resume record is damaged", { torrent: this.name });
    // What was skipped may have changed since the record was made: then bytes move before they are looked at.
    if (record !== undefined && !record.have.isFull) await this.#prepare();
    const stamps = await this.#storage.fileStamps();
    const skipped = skippedFiles(this.#files);
    this.#lacksEmptyFile = metainfo.files.some(
      (file) =>
        file.length === 0 &&
        !file.padding &&
        file.symlink === undefined &&
        !skipped.has(file.index) &&
        stamps.files[file.index] === undefined,
    );
    let pieces: number[] | undefined;
    if (record !== undefined) {
      if (isFirst) {
        this.#earlier = { uploaded: record.uploaded, downloaded: record.downloaded };
        this.#addedAt = record.addedAt;
        this.#completedAt = record.completedAt;
      }
      if (!everything && record.folder === this.folder) {
        const { trusted, check } = piecesToCheck(record, stamps, metainfo);
        for (const piece of trusted) this.#have.add(piece);
        pieces = check;
      }
    }
    if (pieces === undefined) {
      const isAnythingThere = stamps.parts !== undefined || stamps.files.some((stamp) => stamp !== undefined && stamp.size > 0);
      pieces = isAnythingThere || everything ? Array.from({ length: metainfo.pieceCount }, (_, piece) => piece) : [];
    }
    if (pieces.length > 0) {
      await this.#storage.check({
        pieces,
        signal: this.#closing.signal,
        onPiece: (piece, ok) => {
          if (ok) this.#have.add(piece);
          else this.#have.delete(piece);
        },
        onProgress: (done, total) => {
          this.#checkedShare = total === 0 ? 1 : done / total;
        },
      });
    }
    if (this.#state !== "checking") return;
    this.swarm.recountWanted();
    this.#recount();
    this.#saver?.changed();
    this.emit("checked", { have: this.#have.count, total: metainfo.pieceCount });
    this.#state = "paused";
    if (!this.#isPaused) await this.#run();
  }

  async #run(): Promise<void> {
    if (!this.swarm.isComplete || this.#lacksEmptyFile) await this.#prepare();
    if (this.#state !== "paused" || this.#isPaused) return;
    this.#state = this.swarm.isComplete ? "seeding" : "downloading";
    this.swarm.start();
    this.#announcer.start();
    this.#shared.dialSoon();
  }

  async #prepare(): Promise<void> {
    if (this.#isPrepared) return;
    await this.#storage.prepare();
    this.#isPrepared = true;
  }

  /** Call when no more blocks come. */
  async #save(): Promise<void> {
    await this.#saver?.flush();
    await this.#saver?.flush(); // pieces that were on their way to disk have been verified meanwhile
  }

  #notSaved(error: unknown): void {
    // The system may have thrown away what it had not written: nothing that came since the last save can be relied on.
    if (error instanceof CodedError && error.code === "STORAGE_SYNC_FAILED") this.fail(error);
    else this.#shared.config.logger.warn("resume record not saved", { torrent: this.name, error });
  }

  #resumeSnapshot(): Omit<ResumeRecord, "stamps"> {
    const { counters } = this.swarm;
    return {
      infoHashHex: this.metainfo.infoHashHex,
      have: this.#have,
      folder: this.folder,
      uploaded: this.#earlier.uploaded + counters.uploadedBytes,
      downloaded: this.#earlier.downloaded + counters.downloadedBytes,
      addedAt: this.#addedAt,
      completedAt: this.#completedAt,
    };
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function closedError(name: string): ClientError {
  return new ClientError("CLIENT_TORRENT_STOPPED", `${name} was removed`, { fault: "local", details: { torrent: name } });
}
