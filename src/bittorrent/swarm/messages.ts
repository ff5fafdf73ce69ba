import { Bitfield } from "#/base/bitfield.ts";
import { formatEndpoint, tryParseEndpoint } from "#/base/ip.ts";
import { decodeDontHave, decodeExtensionHandshake, EXTENSION_HANDSHAKE_ID, type WireMessage } from "../wire/index.ts";
import type { Candidates } from "./candidates.ts";
import type { Choker } from "./choker.ts";
import type { Downloader } from "./downloader.ts";
import { peerError } from "./errors.ts";
import { MAX_ALLOWED_FAST, type Peer } from "./peer.ts";
import type { PeerConnection } from "./peer-connection.ts";
import type { PiecePicker } from "./piece-picker.ts";
import type { Uploader } from "./uploader.ts";

/** Our numbers for extension messages (BEP 10, "m"). */
export const ownExtensionIds = { lt_donthave: 7 } as const;

export interface MessageHandlerOptions {
  readonly picker: PiecePicker;
  readonly downloader: Downloader;
  readonly uploader: Uploader;
  readonly choker: Choker;
  readonly candidates: Candidates;
  readonly now: () => number;
  /** What a peer has, or that it takes no data, has changed: it may have become useless. */
  readonly peerChanged: (peer: Peer) => void;
}

/** Brings the state of a peer up to date with each message that it sends; a message against the rules closes the connection. */
export class MessageHandler {
  readonly #options: MessageHandlerOptions;

  constructor(options: MessageHandlerOptions) {
    this.#options = options;
  }

  handle(connection: PeerConnection, message: WireMessage): void {
    const { downloader, uploader, choker, now } = this.#options;
    const peer = connection.peer;
    switch (message.type) {
      case "choke":
        peer.isChoking = true;
        // With the fast extension each request is rejected by itself (BEP 6).
        if (!peer.fast) for (const each of peer.connections) downloader.releaseAll(each, true);
        return;
      case "unchoke":
        peer.isChoking = false;
        peer.refusedPieces.clear();
        downloader.fill(connection);
        return;
      case "interested":
        peer.isInterested = true;
        peer.usefulAt = now();
        choker.interested(peer, now());
        return;
      case "notInterested":
        peer.isInterested = false;
        return;
      case "have":
        this.#have(connection, message.piece);
        return;
      case "bitfield":
        this.#bitfield(connection, message.bits);
        return;
      case "haveAll":
      case "haveNone":
        if (!peer.fast) connection.close(peerError("PEER_BAD_BITFIELD", { message: message.type }));
        else if (message.type === "haveAll") this.#hasPieces(connection, undefined);
        return;
      case "request":
        uploader.requested(connection, message.piece, message.begin, message.length);
        return;
      case "cancel":
        uploader.cancelled(connection, message.piece, message.begin, message.length);
        return;
      case "reject":
        downloader.rejected(connection, message.piece, message.begin);
        return;
      case "allowedFast":
        if (message.piece >= peer.have.length) connection.close(peerError("PEER_BAD_INDEX", { piece: message.piece }));
        else if (peer.allowedFastFromThem.size < MAX_ALLOWED_FAST) {
          peer.allowedFastFromThem.add(message.piece);
          downloader.fill(connection);
        }
        return;
      case "extended":
        this.#extended(connection, message.id, message.payload);
        return;
      default:
        return; // suggest, port: hints that change nothing here
    }
  }

  /** Takes all that a peer has out of the counts, when it leaves. */
  forget(peer: Peer): void {
    if (peer.isCountedAsSeed) {
      this.#options.picker.seedCount--;
      return;
    }
    for (const piece of peer.have) this.#options.picker.order.decrease(piece);
  }

  /** Tells the peer whether we want something of it, when that has changed. */
  updateInterest(peer: Peer): void {
    const isInterested = peer.wantedCount > 0;
    if (isInterested === peer.amInterested) return;
    peer.amInterested = isInterested;
    peer.connections[0]?.send({ type: isInterested ? "interested" : "notInterested" });
    if (isInterested) peer.usefulAt = this.#options.now();
  }

  #have(connection: PeerConnection, piece: number): void {
    const { picker, downloader } = this.#options;
    const peer = connection.peer;
    if (piece >= peer.have.length) {
      connection.close(peerError("PEER_BAD_INDEX", { piece }));
      return;
    }
    if (!peer.have.add(piece)) return;
    picker.order.increase(piece);
    if (picker.isWanted(piece)) {
      peer.wantedCount++;
      this.updateInterest(peer);
      downloader.fill(connection);
    }
    if (peer.have.isFull) this.#options.peerChanged(peer);
  }

  #bitfield(connection: PeerConnection, bits: Uint8Array): void {
    const peer = connection.peer;
    const field = Bitfield.tryFrom(bits, peer.have.length);
    if (field === undefined) {
      connection.close(peerError("PEER_BAD_BITFIELD", { bytes: bits.byteLength, pieces: peer.have.length }));
      return;
    }
    this.#hasPieces(connection, field);
  }

  /**
   * Adds to what a peer has. BEP 3 has the bitfield as the first message only; aria2 sends one instead of many haves.
   * @param field what it has; undefined for everything
   */
  #hasPieces(connection: PeerConnection, field: Bitfield | undefined): void {
    const { picker, downloader } = this.#options;
    const peer = connection.peer;
    if (peer.isCountedAsSeed) return;
    if ((field === undefined || field.isFull) && peer.have.count === 0) {
      peer.have.fill();
      peer.isCountedAsSeed = true;
      picker.seedCount++;
    } else {
      for (let piece = 0; piece < peer.have.length; piece++) {
        if ((field === undefined || field.has(piece)) && peer.have.add(piece)) picker.order.increase(piece);
      }
    }
    let wanted = 0;
    for (const piece of peer.have) if (picker.isWanted(piece)) wanted++;
    peer.wantedCount = wanted;
    this.updateInterest(peer);
    downloader.fill(connection);
    this.#options.peerChanged(peer);
  }

  #dontHave(connection: PeerConnection, piece: number): void {
    const { picker } = this.#options;
    const peer = connection.peer;
    if (piece >= peer.have.length) {
      connection.close(peerError("PEER_BAD_INDEX", { piece }));
      return;
    }
    if (!peer.have.has(piece)) return;
    if (peer.isCountedAsSeed) {
      peer.isCountedAsSeed = false;
      picker.seedCount--;
      for (const each of peer.have) picker.order.increase(each);
    }
    peer.have.delete(piece);
    picker.order.decrease(piece);
    if (picker.isWanted(piece)) {
      peer.wantedCount--;
      this.updateInterest(peer);
    }
  }

  #extended(connection: PeerConnection, id: number, payload: Uint8Array): void {
    const peer = connection.peer;
    if (!peer.extended) return;
    if (id === ownExtensionIds.lt_donthave) {
      this.#dontHave(connection, decodeDontHave(payload));
      return;
    }
    if (id !== EXTENSION_HANDSHAKE_ID) return;
    const extension = decodeExtensionHandshake(payload);
    peer.extension = extension;
    if (extension.version !== undefined) peer.clientName = extension.version;
    if (extension.requestQueue !== undefined) {
      for (const each of peer.connections) each.pipeline.limit = Math.max(1, extension.requestQueue);
    }
    if (extension.port !== undefined && peer.direction === "incoming") {
      const listening = tryParseEndpoint(formatEndpoint({ host: peer.host, port: extension.port }));
      if (listening !== undefined && peer.listensAt === undefined) {
        peer.listensAt = formatEndpoint(listening);
        this.#options.candidates.reachedFrom(peer.listensAt);
      }
    }
    if (extension.uploadOnly !== undefined) peer.uploadOnly = extension.uploadOnly;
    this.#options.downloader.fill(connection);
    this.#options.peerChanged(peer);
  }
}
