import { EventEmitter } from "node:events";
import { equalBytes, toHex } from "#/base/bytes.ts";
import type { PieceChecked } from "../storage/index.ts";
import { encodeHandshake, type Handshake, keepAlive, type WireMessage } from "../wire/index.ts";
import { type PiecePriority, piecePriority } from "./availability.ts";
import { Candidates, type ConnectionEnd, type PeerOrigin } from "./candidates.ts";
import { Choker } from "./choker.ts";
import { Downloader } from "./downloader.ts";
import { peerError } from "./errors.ts";
import { introduce, tellUploadOnly } from "./introduction.ts";
import type { Link, LinkListener } from "./link.ts";
import { MessageHandler } from "./messages.ts";
import { type Direction, Peer } from "./peer.ts";
import { type ConnectionOwner, PeerConnection, reasonCode } from "./peer-connection.ts";
import { PiecePicker } from "./piece-picker.ts";
import { RateMeter } from "./rate-meter.ts";
import { SmartBan } from "./smart-ban.ts";
import { createCounters, type SwarmCounters } from "./stats.ts";
import type { SwarmEvents, SwarmOptions } from "./swarm-options.ts";
import { RateLimit, TokenBucket } from "./token-bucket.ts";
import { Uploader } from "./uploader.ts";

/** Silence after which a peer is dropped; BEP 3 suggests two minutes. */
const IDLE_TIMEOUT_MS = 120_000;
/** A keep-alive is sent when we sent nothing else for so long. */
const KEEP_ALIVE_MS = 90_000;
/** Neither side wanted anything for so long: the place may be needed for others. */
const USELESS_MS = 60_000;
const HOUSEKEEPING_MS = 500;
/** Two connections between the same peers have crossed when both were made within this time. */
const CROSSING_MS = 10_000;
/** How to treat the address of a peer that we let go for a reason of our own. */
const connectionEnds: Partial<Record<string, ConnectionEnd>> = {
  PEER_USELESS: "useless",
  PEER_REMOVED: "unused",
  PEER_LIMIT: "unused",
};

/** The peers of one torrent and what moves between them. Knows no socket and no timer: links and `tick` are brought to it. */
export class Swarm extends EventEmitter<SwarmEvents> implements ConnectionOwner {
  readonly counters: SwarmCounters = createCounters();
  readonly downloadRate = new RateMeter();
  readonly uploadRate = new RateMeter();
  readonly downLimit = new TokenBucket(Number.POSITIVE_INFINITY);
  readonly upLimit = new TokenBucket(Number.POSITIVE_INFINITY);
  readonly candidates: Candidates;
  readonly picker: PiecePicker;
  readonly downloader: Downloader;
  readonly #options: SwarmOptions;
  readonly #peers = new Map<string, Peer>();
  readonly #connections = new Set<PeerConnection>();
  readonly #messages: MessageHandler;
  readonly #uploader: Uploader;
  readonly #choker: Choker;
  readonly #smartBan = new SmartBan();
  readonly #download: RateLimit;
  readonly #upload: RateLimit;
  #wantedLeft = 0;
  #isComplete = false;
  #housekeepingAt = 0;
  #chokeRoundAt = 0;
  isRunning = false;

  constructor(options: SwarmOptions) {
    super();
    this.#options = options;
    const { torrent, have, store, pool, random } = options;
    const pieceSize = (piece: number): number => torrent.pieceSize(piece);
    const now = (): number => options.clock.now();
    const shared = { have, store, pieceLength: torrent.pieceLength, pieceSize, counters: this.counters, now };
    this.candidates = new Candidates(random);
    this.#download = new RateLimit([options.clientDown, this.downLimit]);
    this.#upload = new RateLimit([options.clientUp, this.upLimit]);
    this.picker = new PiecePicker({ have, pieceSize, chunkLength: pool.chunkLength, random });
    this.downloader = new Downloader({
      ...shared,
      picker: this.picker,
      pool,
      connections: () => this.#connections,
      pieceVerified: (piece) => this.#pieceVerified(piece),
      pieceFailed: (piece, contributors, digests) => this.#pieceFailed(piece, contributors, digests),
    });
    this.#uploader = new Uploader({
      ...shared,
      memory: options.uploadMemory,
      limit: this.#upload,
      blocksSent: (connection, bytes) => {
        connection.peer.uploaded.add(bytes);
        this.uploadRate.add(bytes);
        this.counters.uploadedBytes += bytes;
      },
      readFailed: (error) => this.emit("readFailed", { error }),
    });
    this.#choker = new Choker({
      random,
      peers: () => this.#peers.values(),
      choke: (peer) => this.#sendChoke(peer),
      unchoke: (peer) => this.#sendUnchoke(peer),
      uploadLimit: () => this.#upload.rateBytesPerSecond,
      uploadRate: () => this.uploadRate.rateBytesPerSecond,
    });
    this.#messages = new MessageHandler({
      picker: this.picker,
      downloader: this.downloader,
      uploader: this.#uploader,
      choker: this.#choker,
      candidates: this.candidates,
      now,
      peerChanged: (peer) => this.#dropIfUseless(peer),
    });
    this.recountWanted();
  }

  get peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** Whether all wanted pieces are here. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Wanted pieces that are not here. */
  get wantedLeft(): number {
    return this.#wantedLeft;
  }

  get uploadSlots(): number {
    return this.#choker.slots;
  }

  now(): number {
    return this.#options.clock.now();
  }

  /** Lets peers in and asks them for blocks. */
  start(): void {
    this.isRunning = true;
    this.downloader.isPaused = false;
  }

  /**
   * Lets all peers go; blocks of unfinished pieces are forgotten.
   * @param afterFault whether the storage failed, so that pieces it has in hand may never be answered for
   */
  stop(afterFault = false): void {
    this.isRunning = false;
    this.downloader.isPaused = true;
    this.downloader.abandonAll(afterFault);
    for (const connection of [...this.#connections]) connection.close(peerError("PEER_REMOVED"));
  }

  /** Sets what is wanted; pieces under way that are no longer wanted are dropped, unless they are being hashed. */
  setPriorities(priorityOf: (piece: number) => PiecePriority): void {
    for (let piece = 0; piece < this.#options.torrent.pieceCount; piece++) this.picker.order.setPriority(piece, priorityOf(piece));
    this.downloader.dropUnwanted();
    this.recountWanted();
  }

  /** Call after `have` was changed from outside, as a check does. */
  recountWanted(): void {
    const { torrent } = this.#options;
    const { order, partials } = this.picker;
    this.#wantedLeft = 0;
    for (let piece = 0; piece < torrent.pieceCount; piece++) {
      const isWanted = this.picker.isWanted(piece);
      if (isWanted) this.#wantedLeft++;
      if (isWanted && !partials.has(piece)) order.add(piece);
      else order.delete(piece);
    }
    for (const peer of this.#peers.values()) {
      let wanted = 0;
      for (const piece of peer.have) if (this.picker.isWanted(piece)) wanted++;
      peer.wantedCount = wanted;
      this.#messages.updateInterest(peer);
    }
    const wasComplete = this.#isComplete;
    this.#isComplete = this.#wantedLeft === 0;
    if (this.#isComplete !== wasComplete) this.#completionChanged();
    for (const connection of this.#connections) this.downloader.fill(connection);
  }

  addCandidates(addresses: Iterable<string>, origin: PeerOrigin): number {
    let fresh = 0;
    for (const address of addresses) if (this.candidates.add(address, origin)) fresh++;
    return fresh;
  }

  /** Whether another peer would help and is allowed. */
  get wantsPeers(): boolean {
    const { maxPeers } = this.#options;
    return this.isRunning && this.#peers.size < (this.#isComplete ? maxPeers / 2 : maxPeers);
  }

  /** Our handshake for this torrent. */
  handshakeBytes(): Uint8Array {
    const { torrent, peerId } = this.#options;
    return encodeHandshake({ infoHash: torrent.infoHash, peerId, fast: true, extended: true });
  }

  /**
   * Takes over a link whose handshake has come.
   * @param address what to dial to reach the peer again; for accepted links the remote end
   * @returns who gets the link's bytes, or why it is not taken
   */
  attach(link: Link, handshake: Handshake, direction: Direction, address: string): LinkListener | Error {
    const refusal = this.#refusal(link, handshake, direction, address);
    if (refusal !== undefined) return refusal;
    const { torrent, clock } = this.#options;
    const peer = new Peer({
      id: handshake.peerId,
      address,
      host: link.host,
      direction,
      pieceCount: torrent.pieceCount,
      fast: handshake.fast,
      extended: handshake.extended,
      now: clock.now(),
    });
    const connection = new PeerConnection(link, peer, this);
    peer.connections.push(connection);
    this.#peers.set(toHex(peer.id), peer);
    this.#connections.add(connection);
    this.counters.handshakesCompleted++;
    if (direction === "incoming") connection.sendBytes(this.handshakeBytes());
    introduce(connection, {
      torrent: this.#options.torrent,
      have: this.#options.have,
      clientVersion: this.#options.clientVersion,
      listenPort: this.#options.listenPort(),
      isComplete: this.#isComplete,
    });
    this.emit("peerConnected", { peer });
    return connection;
  }

  /** No peer came of a dialled address. */
  dialFailed(address: string, reason: Error): void {
    this.counters.handshakesFailed++;
    // A second way to a peer that is connected stays busy until that peer leaves.
    const code = reasonCode(reason);
    if (code !== "PEER_DUPLICATE") this.candidates.closed(address, this.now(), connectionEnds[code] ?? "failed");
  }

  pieceChecked(result: PieceChecked): void {
    this.downloader.pieceChecked(result);
  }

  /** Memory was given back: requests that waited for it go out. */
  memoryFreed(): void {
    this.downloader.fillStarved();
  }

  /** Call every 50 to 100 ms. */
  tick(): void {
    const now = this.now();
    const mayRead = this.#download.isOpen(now);
    for (const connection of this.#connections) {
      if (mayRead && connection.isReadingPaused) {
        connection.isReadingPaused = false;
        connection.link.resumeReading();
      }
    }
    const waiting = [...this.#connections].filter((connection) => connection.requested.size > 0);
    for (const connection of waiting.sort((a, b) => a.servedAt - b.servedAt)) this.#uploader.pump(connection);
    if (now - this.#housekeepingAt < HOUSEKEEPING_MS) return;
    this.#housekeepingAt = now;
    this.#housekeeping(now);
  }

  messageReceived(connection: PeerConnection, message: WireMessage): void {
    this.#messages.handle(connection, message);
  }

  blockStarted(connection: PeerConnection, piece: number, begin: number, length: number): void {
    this.downloader.blockStarted(connection, piece, begin, length);
  }

  blockArriving(connection: PeerConnection, bytes: Uint8Array): void {
    this.downloader.blockArriving(connection, bytes);
  }

  blockEnded(connection: PeerConnection): void {
    const before = this.counters.downloadedBytes;
    this.downloader.blockEnded(connection);
    this.downloadRate.add(this.counters.downloadedBytes - before);
  }

  bytesReceived(connection: PeerConnection, length: number): void {
    const now = this.now();
    this.counters.receivedBytes += length;
    this.#download.take(length, now);
    if (!this.#download.isOpen(now) && !connection.isReadingPaused) {
      connection.isReadingPaused = true;
      connection.link.pauseReading();
    }
    this.downloader.fill(connection);
    if (connection.requested.size > 0) this.#uploader.pump(connection);
  }

  connectionClosed(connection: PeerConnection, reason: Error): void {
    const { peer } = connection;
    this.downloader.releaseAll(connection, false);
    connection.requested.clear();
    this.#connections.delete(connection);
    peer.connections.splice(peer.connections.indexOf(connection), 1);
    if (peer.connections.length > 0) return;
    this.#peers.delete(toHex(peer.id));
    this.#messages.forget(peer);
    const code = reasonCode(reason);
    this.counters.peersDropped++;
    const dialAddress = peer.direction === "outgoing" ? peer.address : peer.listensAt;
    if (dialAddress !== undefined) this.candidates.closed(dialAddress, this.now(), connectionEnds[code] ?? "used");
    if (code === "INTERNAL") this.#options.logger.error("peer dropped by an internal error", { peer: peer.address, error: reason });
    this.emit("peerClosed", { peer, reason, code });
    if (this.isRunning) for (const other of this.#connections) this.downloader.fill(other);
  }

  #refusal(link: Link, handshake: Handshake, direction: Direction, address: string): Error | undefined {
    if (!equalBytes(handshake.infoHash, this.#options.torrent.infoHash)) return peerError("PEER_WRONG_TORRENT");
    if (equalBytes(handshake.peerId, this.#options.peerId)) {
      if (direction === "outgoing") this.candidates.forget(address);
      else link.write(this.handshakeBytes()); // so that the dialling end, which knows the address, sees it too
      return peerError("PEER_SELF");
    }
    if (!this.isRunning) return peerError("PEER_REMOVED");
    if (this.candidates.isBanned(link.address) || this.candidates.isBanned(toHex(handshake.peerId)))
      return peerError("PEER_BANNED");
    const existing = this.#peers.get(toHex(handshake.peerId));
    if (existing !== undefined && !this.#replaces(existing, direction)) {
      if (direction === "outgoing") existing.listensAt ??= address;
      return peerError("PEER_DUPLICATE");
    }
    if (this.#peers.size >= this.#options.maxPeers && !this.#makeRoom())
      return peerError("PEER_LIMIT", { limit: this.#options.maxPeers });
    return undefined;
  }

  /** Two connections that crossed: both sides keep the one that the greater peer id dialled. */
  #replaces(existing: Peer, direction: Direction): boolean {
    if (existing.direction === direction || this.now() - existing.connectedAt > CROSSING_MS) return false;
    const weAreGreater = toHex(this.#options.peerId) > toHex(existing.id);
    if ((direction === "outgoing") !== weAreGreater) return false;
    for (const connection of [...existing.connections]) connection.close(peerError("PEER_DUPLICATE"));
    return true;
  }

  #makeRoom(): boolean {
    const now = this.now();
    for (const peer of this.#peers.values()) {
      if (peer.amInterested || peer.isInterested || now - peer.usefulAt < USELESS_MS) continue;
      for (const connection of [...peer.connections]) connection.close(peerError("PEER_USELESS"));
      return true;
    }
    return false;
  }

  #pieceVerified(piece: number): void {
    const { have, store } = this.#options;
    have.add(piece);
    const wasWanted = this.picker.order.priority(piece) !== piecePriority.skip;
    if (wasWanted) this.#wantedLeft--;
    if (this.#smartBan.isSuspected(piece)) {
      store.digestBlocks(piece, (digests) => {
        for (const liar of this.#smartBan.pieceVerified(piece, digests)) this.#ban(liar);
      });
    }
    for (const peer of [...this.#peers.values()]) {
      if (!peer.have.has(piece)) peer.connections[0]?.send({ type: "have", piece });
      else if (wasWanted) {
        peer.wantedCount--;
        this.#messages.updateInterest(peer);
      }
    }
    this.emit("pieceVerified", { piece });
    if (this.#wantedLeft === 0 && !this.#isComplete) {
      this.#isComplete = true;
      this.#completionChanged();
    }
  }

  #pieceFailed(piece: number, contributors: readonly (Peer | undefined)[], digests: Uint8Array | undefined): void {
    for (const peer of new Set(contributors)) if (peer !== undefined) peer.hashFailures++;
    this.#options.logger.info("piece failed its hash", { piece, contributors: new Set(contributors).size });
    const liar = this.#smartBan.pieceFailed(piece, contributors, digests);
    if (liar !== undefined) this.#ban(liar);
    this.emit("pieceFailed", { piece });
    for (const connection of this.#connections) this.downloader.fill(connection);
  }

  /** Bans a peer by its id and its address, and by its host unless that is one that many peers share, as loopback is. */
  #ban(peer: Peer): void {
    if (this.candidates.isBanned(toHex(peer.id))) return;
    this.counters.peersBanned++;
    this.candidates.ban(toHex(peer.id));
    this.candidates.ban(peer.address);
    if (!peer.host.startsWith("127.") && peer.host !== "::1") this.candidates.ban(peer.host);
    this.emit("peerBanned", { address: peer.address, clientName: peer.clientName });
    for (const connection of [...peer.connections]) connection.close(peerError("PEER_BANNED"));
  }

  #completionChanged(): void {
    if (!this.#isComplete) this.candidates.usefulAgain();
    for (const peer of [...this.#peers.values()]) {
      tellUploadOnly(peer, this.#isComplete);
      this.#dropIfUseless(peer);
    }
    if (this.#isComplete) this.emit("complete");
  }

  /** Two that have all they want have nothing to tell each other (BEP 21). */
  #dropIfUseless(peer: Peer): void {
    if (!this.#isComplete || !(peer.isSeed || peer.uploadOnly) || peer.amInterested) return;
    for (const connection of [...peer.connections]) connection.close(peerError("PEER_USELESS"));
  }

  #sendChoke(peer: Peer): void {
    this.counters.chokes++;
    for (const connection of peer.connections) {
      connection.send({ type: "choke" });
      this.#uploader.rejectAll(connection);
    }
  }

  #sendUnchoke(peer: Peer): void {
    this.counters.unchokes++;
    peer.connections[0]?.send({ type: "unchoke" });
  }

  #housekeeping(now: number): void {
    this.downloadRate.tick(now);
    this.uploadRate.tick(now);
    for (const peer of this.#peers.values()) {
      peer.downloaded.tick(now);
      peer.uploaded.tick(now);
      if (peer.amInterested || peer.isInterested) peer.usefulAt = now;
    }
    const newRound = now - this.#chokeRoundAt > 10_000;
    if (newRound) this.#chokeRoundAt = now;
    for (const connection of [...this.#connections]) {
      if (newRound) {
        connection.overflowingRequests = 0;
        connection.peer.refusedPieces.clear();
      }
      if (now - connection.lastHeardAt > IDLE_TIMEOUT_MS && !connection.isReadingPaused) connection.close(peerError("PEER_IDLE"));
      else if (connection.isStuck(now)) connection.close(peerError("PEER_SLOW_READER", { bytes: connection.link.queuedBytes }));
      else if (now - connection.lastSentAt > KEEP_ALIVE_MS) connection.sendBytes(keepAlive);
    }
    this.downloader.tick();
    this.#choker.tick(now, this.#isComplete);
  }
}
