import assert from "node:assert/strict";
import { Bitfield } from "#/base/bitfield.ts";
import { type Logger, silentLogger } from "#/base/log.ts";
import { type RandomSource, seededRandom } from "#/base/random.ts";
import { ChunkPool } from "#/bittorrent/storage/index.ts";
import {
  BLOCK_LENGTH,
  Handshaking,
  type Link,
  type Peer,
  reasonCode,
  Swarm,
  TokenBucket,
  UploadMemory,
} from "#/bittorrent/swarm/index.ts";
import { createPeerId } from "#/bittorrent/wire/index.ts";
import { MemoryStore } from "./memory-store.ts";
import { Host, type HostOptions, type Network } from "./network.ts";
import type { TestTorrent } from "./test-torrent.ts";

const TICK_MS = 50;
const MAX_HALF_OPEN = 8;
const PORT = 6881;

export interface StationOptions extends HostOptions {
  readonly network: Network;
  readonly torrent: TestTorrent;
  readonly ip: string;
  readonly seed: number;
  /** What it has when it starts. @default nothing */
  readonly have?: "all" | Iterable<number>;
  readonly peerId?: Uint8Array;
  readonly maxPeers?: number;
  /** @default 64 chunks of 4 blocks */
  readonly poolChunks?: number;
  readonly chunkBlocks?: number;
  readonly diskWriteRate?: number;
  /** Limits shared with other stations, as torrents of one client share them. @default none */
  readonly clientDown?: TokenBucket;
  readonly clientUp?: TokenBucket;
  /** Whether others learn the port at which it can be dialled. @default true */
  readonly tellsPort?: boolean;
}

/** A real Swarm on a simulated host, driven as a client drives it: dialling, handshakes, ticks, a store. */
export class Station {
  readonly host: Host;
  readonly address: string;
  readonly torrent: TestTorrent;
  readonly swarm: Swarm;
  readonly store: MemoryStore;
  readonly pool: ChunkPool;
  readonly uploadMemory = new UploadMemory();
  readonly clientDown: TokenBucket;
  readonly clientUp: TokenBucket;
  readonly have: Bitfield;
  readonly peerId: Uint8Array;
  /** Codes of peers that were let go, and of handshakes that failed, in their order. */
  readonly closed: { readonly address: string; readonly code: string; readonly at: number }[] = [];
  readonly refused: string[] = [];
  readonly banned: string[] = [];
  /** Pieces in the order in which they were verified. */
  readonly verified: number[] = [];
  readonly internalErrors: unknown[] = [];
  completedAt: number | undefined;
  readonly #options: StationOptions;
  readonly #handshakes = new Set<Handshaking>();
  #halfOpen = 0;

  constructor(options: StationOptions) {
    this.#options = options;
    const { network, torrent, ip, have = [] } = options;
    const random = seededRandom(options.seed);
    this.torrent = torrent;
    this.clientDown = options.clientDown ?? new TokenBucket(Number.POSITIVE_INFINITY);
    this.clientUp = options.clientUp ?? new TokenBucket(Number.POSITIVE_INFINITY);
    this.host = new Host(ip, options);
    this.address = `${ip}:${PORT}`;
    this.peerId = options.peerId ?? createPeerId(random);
    const chunkLength = (options.chunkBlocks ?? 4) * BLOCK_LENGTH;
    this.pool = new ChunkPool({ bytes: (options.poolChunks ?? 64) * chunkLength, chunkLength });
    this.have = new Bitfield(torrent.pieceCount);
    this.store = new MemoryStore({
      timeline: network.timeline,
      torrent,
      pool: this.pool,
      ...(options.diskWriteRate === undefined ? {} : { writeRate: options.diskWriteRate }),
      onChunkWritten: () => this.swarm.memoryFreed(),
      onPieceChecked: (result) => this.swarm.pieceChecked(result),
    });
    if (have === "all") this.have.fill();
    else for (const piece of have) this.have.add(piece);
    for (const piece of this.have) this.store.data.set(torrent.pieceData(piece), piece * torrent.pieceLength);
    this.swarm = this.#createSwarm(random);
    network.listen(this.host, PORT, (link) => this.#accept(link));
    network.timeline.after(random.below(TICK_MS), () => network.timeline.every(TICK_MS, () => this.#tick()));
    this.swarm.start();
  }

  get peers(): Peer[] {
    return [...this.swarm.peers];
  }

  get isComplete(): boolean {
    return this.swarm.isComplete;
  }

  peerAt(station: Station): Peer | undefined {
    return this.peers.find((peer) => peer.host === station.host.ip);
  }

  /** Tells the address of others, which are dialled on the next tick. */
  meet(...others: readonly Station[]): void {
    this.swarm.addCandidates(
      others.map((other) => other.address),
      "given",
    );
  }

  closeCodes(): string[] {
    return this.closed.map(({ code }) => code);
  }

  /** Every piece that is said to be here has the right bytes. */
  assertData(): void {
    for (const piece of this.have) {
      const start = piece * this.torrent.pieceLength;
      const bytes = this.store.data.subarray(start, start + this.torrent.pieceSize(piece));
      assert.ok(this.torrent.isRight(piece, bytes), `piece ${piece} of ${this.host.ip} has the right bytes`);
    }
    assert.deepEqual(this.internalErrors, []);
  }

  /** What must hold when all that is wanted is here and the disk is idle. */
  assertSettled(): void {
    const { counters, picker, downloader } = this.swarm;
    this.assertData();
    assert.equal(this.pool.freeCount, this.pool.totalCount, "all chunks are back in the pool");
    assert.equal(picker.partials.size, 0, "no piece is under way");
    assert.equal(downloader.checkingCount, 0, "no piece is being hashed");
    assert.equal(counters.verifiedPieces, this.verified.length);
    let verifiedBytes = 0;
    for (const piece of this.verified) verifiedBytes += this.torrent.pieceSize(piece);
    assert.ok(
      counters.downloadedBytes >= verifiedBytes + counters.failedBytes,
      "kept bytes are verified or failed, or were given up",
    );
    for (const peer of this.swarm.peers) assert.equal(peer.pendingRequests, 0, `nothing is asked of ${peer.address}`);
  }

  #createSwarm(random: RandomSource): Swarm {
    const { network, torrent } = this.#options;
    const swarm = new Swarm({
      torrent,
      peerId: this.peerId,
      clientVersion: "Simulated 1",
      have: this.have,
      store: this.store,
      pool: this.pool,
      uploadMemory: this.uploadMemory,
      clientDown: this.clientDown,
      clientUp: this.clientUp,
      clock: network.timeline,
      random,
      logger: this.#logger(),
      listenPort: () => (this.#options.tellsPort === false ? 0 : PORT),
      maxPeers: this.#options.maxPeers ?? 50,
    });
    swarm.on("peerClosed", ({ peer, code }) => this.closed.push({ address: peer.address, code, at: network.timeline.now() }));
    swarm.on("peerBanned", ({ address }) => this.banned.push(address));
    swarm.on("pieceVerified", ({ piece }) => this.verified.push(piece));
    swarm.on("complete", () => {
      this.completedAt = network.timeline.now();
    });
    swarm.on("readFailed", ({ error }) => this.internalErrors.push(error));
    return swarm;
  }

  #logger(): Logger {
    return { ...silentLogger, error: (message, fields) => this.internalErrors.push(fields?.["error"] ?? message) };
  }

  #tick(): void {
    const now = this.#options.network.timeline.now();
    for (const handshaking of this.#handshakes) handshaking.tick(now);
    if (!this.swarm.isRunning) return;
    this.swarm.tick();
    while (this.#halfOpen < MAX_HALF_OPEN && this.swarm.wantsPeers) {
      const address = this.swarm.candidates.take(now);
      if (address === undefined) break;
      this.#dial(address);
    }
  }

  #dial(address: string): void {
    const { network } = this.#options;
    this.#halfOpen++;
    this.swarm.counters.dialsStarted++;
    network.dial(this.host, address, (link) => {
      this.#halfOpen--;
      if (link === undefined) {
        this.swarm.counters.dialsFailed++;
        this.swarm.candidates.closed(address, network.timeline.now(), "failed");
        return;
      }
      this.#shakeHands(link, address);
    });
  }

  #accept(link: Link): void {
    this.#shakeHands(link, undefined);
  }

  /** @param dialled undefined for an accepted link */
  #shakeHands(link: Link, dialled: string | undefined): void {
    const handshaking = new Handshaking({
      link,
      ...(dialled === undefined ? {} : { send: this.swarm.handshakeBytes() }),
      now: this.#options.network.timeline.now(),
      onHandshake: (handshake) => {
        this.#handshakes.delete(handshaking);
        return this.swarm.attach(link, handshake, dialled === undefined ? "incoming" : "outgoing", dialled ?? link.address);
      },
      onFailed: (reason) => {
        this.#handshakes.delete(handshaking);
        this.refused.push(reasonCode(reason));
        if (dialled !== undefined) this.swarm.dialFailed(dialled, reason);
      },
    });
    this.#handshakes.add(handshaking);
    handshaking.start();
  }
}
