import { CodedError } from "#/base/errors.ts";
import { encodeMessage, FrameDecoder, type FrameSink, type WireMessage } from "../wire/index.ts";
import { peerError } from "./errors.ts";
import type { Link, LinkListener } from "./link.ts";
import type { PartialPiece } from "./partial-piece.ts";
import type { Peer } from "./peer.ts";
import { RequestPipeline } from "./pipeline.ts";

/** The most that a peer may ask for at once; BEP 3 has 16 KiB, some clients 128 KiB. */
export const MAX_REQUEST_LENGTH = 131_072;
/** Extension messages beyond this are not ours to read: metadata pieces and PEX stay far below. */
const MAX_EXTENSION_MESSAGE_LENGTH = 1_048_576;

/** Bytes that may wait for a peer to read them, above all that the uploader sends ahead. */
const MAX_QUEUED = 8 * 1024 * 1024;
/** How long something may wait for a peer without any of it being read. */
const MAX_STANDSTILL_MS = 60_000;

/** What a connection tells its torrent. Calls may close the connection. */
export interface ConnectionOwner {
  readonly counters: { sentBytes: number };
  now(): number;
  messageReceived(connection: PeerConnection, message: WireMessage): void;
  blockStarted(connection: PeerConnection, piece: number, begin: number, length: number): void;
  blockArriving(connection: PeerConnection, bytes: Uint8Array): void;
  blockEnded(connection: PeerConnection): void;
  /** After each run of bytes: the time to answer in one go. */
  bytesReceived(connection: PeerConnection, length: number): void;
  connectionClosed(connection: PeerConnection, reason: Error): void;
}

/** A block on its way in: where it goes and how much of it is here. */
export interface IncomingBlock {
  readonly partial: PartialPiece;
  readonly block: number;
  readonly memory: Uint8Array;
  /** Whether `memory` is the place in the chunk; else it is a block of its own, copied when whole. */
  readonly isDirect: boolean;
  filled: number;
}

/** One connection to a peer after the handshake: frames in, messages out, and the requests under way on it. */
export class PeerConnection implements FrameSink, LinkListener {
  readonly link: Link;
  readonly peer: Peer;
  readonly #owner: ConnectionOwner;
  readonly #decoder: FrameDecoder;
  /** Requests to the peer: key of the block (see Downloader) → when it was asked for, ms. Oldest first. */
  readonly pending = new Map<number, number>();
  readonly pipeline = new RequestPipeline();
  /** Requests from the peer: offset in the torrent → length. Oldest first; bounded by the limit that we announced. */
  readonly requested = new Map<number, number>();
  incoming: IncomingBlock | undefined;
  /** Blocks that may still come although their requests were taken back. */
  forgivenBlocks = 0;
  /** Requests that were refused: not unchoked, not here, or beyond the limit that we announced. Counted anew every ten seconds. */
  overflowingRequests = 0;
  /** Bytes of blocks being read from disk for this connection. */
  readingBytes = 0;
  /** When blocks were last taken up for it, ms: under a limit, those that waited longest come first. */
  servedAt = Number.NEGATIVE_INFINITY;
  /** All bytes given to the link. */
  sentBytes = 0;
  /** How many of them it was seen to have taken, and when that last grew, ms. */
  takenBytes = 0;
  takenAt: number;
  isReadingPaused = false;
  lastHeardAt: number;
  lastSentAt: number;
  lastBlockAt: number;
  #closed = false;

  constructor(link: Link, peer: Peer, owner: ConnectionOwner) {
    this.link = link;
    this.peer = peer;
    this.#owner = owner;
    const now = owner.now();
    this.lastHeardAt = now;
    this.lastSentAt = now;
    this.lastBlockAt = now;
    this.takenAt = now;
    this.#decoder = new FrameDecoder(this, {
      maxMessageLength: Math.max(MAX_EXTENSION_MESSAGE_LENGTH, peer.have.bytes.byteLength + 1),
      maxBlockLength: MAX_REQUEST_LENGTH,
    });
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  send(message: WireMessage): void {
    this.sendBytes(encodeMessage(message));
  }

  sendBytes(bytes: Uint8Array, onSent?: () => void): void {
    this.lastSentAt = this.#owner.now();
    this.#owner.counters.sentBytes += bytes.byteLength;
    this.sentBytes += bytes.byteLength;
    this.link.write(bytes, onSent);
  }

  onBytes(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.lastHeardAt = this.#owner.now();
    try {
      this.#decoder.receive(bytes);
      if (!this.#closed) this.#owner.bytesReceived(this, bytes.byteLength);
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  onClose(cause: Error | undefined): void {
    this.close(peerError("PEER_CLOSED", undefined, cause));
  }

  /** Whether what was sent piles up because the peer does not read. Call from time to time. */
  isStuck(now: number): boolean {
    const { queuedBytes } = this.link;
    const taken = this.sentBytes - queuedBytes;
    if (taken > this.takenBytes || queuedBytes === 0) {
      this.takenBytes = taken;
      this.takenAt = now;
    }
    return queuedBytes > MAX_QUEUED || now - this.takenAt > MAX_STANDSTILL_MS;
  }

  /** Lets the peer go; the owner hears of it once. */
  close(reason: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#decoder.stop();
    this.link.close();
    this.#owner.connectionClosed(this, reason);
  }

  message(message: WireMessage): void {
    this.#owner.messageReceived(this, message);
  }

  keepAlive(): void {}

  unknown(): void {}

  blockStart(piece: number, begin: number, length: number): void {
    this.#owner.blockStarted(this, piece, begin, length);
  }

  blockData(bytes: Uint8Array): void {
    this.#owner.blockArriving(this, bytes);
  }

  blockEnd(): void {
    this.#owner.blockEnded(this);
  }
}

/** The code of a reason, for events and logs. */
export function reasonCode(reason: Error): string {
  return reason instanceof CodedError ? reason.code : "INTERNAL";
}
