import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { Bitfield } from "#/base/bitfield.ts";
import { toHex } from "#/base/bytes.ts";
import type { Endpoint } from "#/base/ip.ts";
import { clientVersion } from "#/base/version.ts";
import { type Metainfo, parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { ChunkPool, DiskPool, ResumeStore, TorrentStorage } from "#/bittorrent/storage/index.ts";
import {
  addCounters,
  createCounters,
  Handshaking,
  type Link,
  peerError,
  Swarm,
  type SwarmCounters,
  TokenBucket,
  UploadMemory,
} from "#/bittorrent/swarm/index.ts";
import { createPeerId } from "#/bittorrent/wire/index.ts";
import { TcpListener, TcpTransport } from "#/transport/index.ts";
import { Dialer } from "./dialer.ts";
import { ClientError } from "./errors.ts";
import { requireFilePriorities, skippedFiles } from "./file-choice.ts";
import { type ClientConfig, type ClientOptions, requireRate, resolveClientOptions } from "./options.ts";
import type { ClientShared } from "./shared.ts";
import { Torrent, type TorrentOptions } from "./torrent.ts";

const TICK_MS = 50;
/** Accepted links that have not shaken hands yet. Beyond it new ones are closed at once. */
const MAX_HANDSHAKES = 200;

/** One look at a client. Rates are bytes a second. */
export interface ClientStats {
  readonly torrents: number;
  readonly peers: number;
  readonly halfOpen: number;
  readonly handshakes: number;
  readonly downRate: number;
  readonly upRate: number;
  /** Chunks of memory for blocks on their way to disk. */
  readonly chunks: { readonly total: number; readonly free: number };
  readonly uploadMemoryBytes: number;
  readonly counters: SwarmCounters;
}

/** Many torrents, one listening port, one set of limits. */
export class Client implements AsyncDisposable {
  readonly peerId: Uint8Array;
  readonly #config: ClientConfig;
  readonly #owned: AsyncDisposableStack;
  readonly #disk: DiskPool;
  readonly #pool: ChunkPool;
  readonly #uploadMemory = new UploadMemory();
  readonly #down: TokenBucket;
  readonly #up: TokenBucket;
  readonly #torrents = new Map<string, Torrent>();
  /** Info-hashes of torrents that are being opened. */
  readonly #adding = new Set<string>();
  readonly #handshakes = new Set<Handshaking>();
  readonly #dialer: Dialer;
  readonly #shared: ClientShared;
  #listener: TcpListener | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;
  #refusedHandshakes = 0;

  private constructor(config: ClientConfig, pool: ChunkPool, disk: DiskPool, owned: AsyncDisposableStack) {
    this.#config = config;
    this.#pool = pool;
    this.#disk = disk;
    this.#owned = owned;
    this.peerId = createPeerId(config.random);
    this.#down = new TokenBucket(config.downRate);
    this.#up = new TokenBucket(config.upRate);
    this.#dialer = new Dialer({
      transports: [new TcpTransport()],
      maxHalfOpen: config.maxHalfOpen,
      maxPeers: config.maxPeers,
      logger: config.logger,
      connectionCount: () => this.#connectionCount(),
      now: () => config.clock.now(),
      onLink: (link, swarm, address) => this.#greet(link, swarm, address),
    });
    let isDialing = false;
    this.#shared = {
      config,
      peerId: this.peerId,
      announceKey: config.random.below(2 ** 32),
      resumeStore: config.stateFolder === undefined ? undefined : new ResumeStore(join(config.stateFolder, "resume")),
      port: () => this.port,
      dialSoon: () => {
        if (isDialing) return;
        isDialing = true;
        queueMicrotask(() => {
          isDialing = false;
          this.#dial();
        });
      },
    };
  }

  /**
   * Opens the listening port and the disk threads.
   * @throws {ClientError} CLIENT_BAD_OPTION
   * @throws {TransportError} TRANSPORT_CANNOT_LISTEN
   */
  static async open(options: ClientOptions = {}): Promise<Client> {
    const config = resolveClientOptions(options);
    options.signal?.throwIfAborted();
    await using stack = new AsyncDisposableStack();
    const pool = new ChunkPool({ bytes: config.bufferBytes });
    const workers = config.diskThreads ?? Math.min(4, Math.max(1, availableParallelism() - 1));
    const disk = stack.use(await DiskPool.open({ pool, workers, logger: config.logger }));
    const client = new Client(config, pool, disk, stack.move());
    try {
      if (config.hosts.length > 0) {
        const listener = await TcpListener.open({
          hosts: config.hosts,
          ports: config.ports,
          onLink: (link) => client.#accept(link),
        });
        client.#listener = client.#owned.use(listener);
      }
      client.#timer = setInterval(() => client.#tick(), TICK_MS);
      if (client.#listener !== undefined) client.#timer.unref();
      options.signal?.throwIfAborted();
      return client;
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** Where peers can connect. */
  get endpoints(): readonly Endpoint[] {
    return this.#listener?.endpoints ?? [];
  }

  /** The listening port; 0 when nobody can connect. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  get torrents(): readonly Torrent[] {
    return [...this.#torrents.values()];
  }

  /**
   * Adds a torrent: its data on disk is looked at, then it starts.
   * @param source a torrent file's bytes, or what `parseMetainfo` made of them
   * @throws {ClientError} CLIENT_CLOSED, CLIENT_DUPLICATE_TORRENT, CLIENT_BAD_OPTION
   * @throws {MetainfoError | BencodeError} when the bytes are not a torrent
   */
  async add(source: Uint8Array | Metainfo, options: TorrentOptions = {}): Promise<Torrent> {
    const metainfo = source instanceof Uint8Array ? parseMetainfo(source) : source;
    const { infoHashHex } = metainfo;
    this.#requireOpen();
    if (this.#torrents.has(infoHashHex) || this.#adding.has(infoHashHex)) {
      throw new ClientError("CLIENT_DUPLICATE_TORRENT", `${metainfo.name} is in this client already`, { fault: "local" });
    }
    requireFilePriorities(metainfo, options.files ?? new Map());
    this.#adding.add(infoHashHex);
    try {
      return await this.#begin(metainfo, options);
    } finally {
      this.#adding.delete(infoHashHex);
    }
  }

  /** Says goodbye to its peers and trackers and closes its files, which stay where they are. */
  async remove(torrent: Torrent): Promise<void> {
    if (this.#torrents.get(torrent.infoHash) !== torrent) return;
    await torrent.close();
    this.#torrents.delete(torrent.infoHash);
  }

  /** Bytes a second over all torrents; Infinity for no limit. */
  setLimits(limits: { readonly downRate?: number; readonly upRate?: number }): void {
    if (limits.downRate !== undefined) this.#down.setRate(requireRate("downRate", limits.downRate));
    if (limits.upRate !== undefined) this.#up.setRate(requireRate("upRate", limits.upRate));
  }

  stats(): ClientStats {
    const counters = createCounters();
    let peers = 0;
    let downRate = 0;
    let upRate = 0;
    for (const { swarm } of this.#torrents.values()) {
      addCounters(counters, swarm.counters);
      peers += swarm.peerCount;
      downRate += swarm.downloadRate.rateBytesPerSecond;
      upRate += swarm.uploadRate.rateBytesPerSecond;
    }
    counters.handshakesFailed += this.#refusedHandshakes;
    return {
      torrents: this.#torrents.size,
      peers,
      halfOpen: this.#dialer.halfOpenCount,
      handshakes: this.#handshakes.size,
      downRate,
      upRate,
      chunks: { total: this.#pool.totalCount, free: this.#pool.freeCount },
      uploadMemoryBytes: this.#uploadMemory.usedBytes,
      counters,
    };
  }

  /** Closes all torrents (goodbyes to trackers take 2 s at most), the port and the disk threads. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#dialer.close();
    for (const handshake of this.#handshakes) handshake.fail(peerError("PEER_REMOVED"));
    await Promise.all(this.torrents.map((torrent) => torrent.close()));
    clearInterval(this.#timer);
    this.#torrents.clear();
    await this.#owned.disposeAsync();
  }

  async #begin(metainfo: Metainfo, options: TorrentOptions): Promise<Torrent> {
    const folder = resolve(options.output ?? this.#config.output);
    const have = new Bitfield(metainfo.pieceCount);
    let torrent: Torrent | undefined;
    await using stack = new AsyncDisposableStack();
    const opened = await TorrentStorage.open({
      disk: this.#disk,
      layout: metainfo,
      folder,
      preallocate: options.preallocate ?? "sparse",
      skippedFiles: skippedFiles(options.files ?? new Map()),
      onChunkWritten: () => {
        for (const each of this.#torrents.values()) each.swarm.memoryFreed();
      },
      onPieceChecked: (result) => torrent?.swarm.pieceChecked(result),
      onFault: (error) => torrent?.fail(error),
    });
    const storage = stack.use(opened);
    const { config, peerId } = this.#shared;
    const swarm = new Swarm({
      torrent: metainfo,
      peerId,
      clientVersion,
      have,
      store: storage,
      pool: this.#pool,
      uploadMemory: this.#uploadMemory,
      clientDown: this.#down,
      clientUp: this.#up,
      clock: config.clock,
      random: config.random,
      logger: config.logger.child({ torrent: metainfo.name }),
      listenPort: () => this.port,
      maxPeers: config.maxPeersPerTorrent,
    });
    torrent = new Torrent({ shared: this.#shared, metainfo, folder, storage, swarm, have, options });
    this.#requireOpen();
    stack.move();
    this.#torrents.set(metainfo.infoHashHex, torrent);
    torrent.begin(options);
    return torrent;
  }

  #requireOpen(): void {
    if (this.#closed !== undefined) throw new ClientError("CLIENT_CLOSED", "the client was closed", { fault: "local" });
  }

  #tick(): void {
    const now = this.#config.clock.now();
    for (const handshake of this.#handshakes) handshake.tick(now);
    for (const torrent of this.#torrents.values()) torrent.tick(now);
    this.#dial();
  }

  #dial(): void {
    if (this.#closed === undefined) this.#dialer.run(Array.from(this.#torrents.values(), ({ swarm }) => swarm));
  }

  #connectionCount(): number {
    let count = this.#handshakes.size;
    for (const { swarm } of this.#torrents.values()) count += swarm.peerCount;
    return count;
  }

  #accept(link: Link): void {
    if (this.#closed !== undefined || this.#handshakes.size >= MAX_HANDSHAKES || this.#connectionCount() >= this.#config.maxPeers) {
      this.#refusedHandshakes++;
      link.close();
      return;
    }
    const handshaking = new Handshaking({
      link,
      now: this.#config.clock.now(),
      onHandshake: (handshake) => {
        this.#handshakes.delete(handshaking);
        const torrent = this.#torrents.get(toHex(handshake.infoHash));
        if (torrent === undefined) return peerError("PEER_UNKNOWN_TORRENT");
        torrent.swarm.counters.connectionsAccepted++;
        return torrent.swarm.attach(link, handshake, "incoming", link.address);
      },
      onFailed: (reason) => {
        this.#handshakes.delete(handshaking);
        this.#refusedHandshakes++;
        this.#config.logger.debug("incoming handshake failed", { address: link.address, reason: reason.message });
      },
    });
    this.#handshakes.add(handshaking);
    handshaking.start();
  }

  #greet(link: Link, swarm: Swarm, address: string): Handshaking {
    const handshaking = new Handshaking({
      link,
      send: swarm.handshakeBytes(),
      now: this.#config.clock.now(),
      onHandshake: (handshake) => {
        this.#handshakes.delete(handshaking);
        return swarm.attach(link, handshake, "outgoing", address);
      },
      onFailed: (reason) => {
        this.#handshakes.delete(handshaking);
        swarm.dialFailed(address, reason);
        this.#config.logger.debug("outgoing handshake failed", { address, reason: reason.message });
      },
    });
    this.#handshakes.add(handshaking);
    return handshaking;
  }
}
