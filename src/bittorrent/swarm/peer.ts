import { Bitfield } from "#/base/bitfield.ts";
import { describePeerId, type ExtensionHandshake } from "../wire/index.ts";
import type { PeerConnection } from "./peer-connection.ts";
import { RateMeter } from "./rate-meter.ts";

/** Who opened the connection. */
export type Direction = "incoming" | "outgoing";

/**
 * What one peer has, wants and allows, and what we allow it. It may be reached over several connections;
 * requests belong to a connection, everything here to the peer.
 */
export class Peer {
  readonly id: Uint8Array;
  /** Program and version, from the peer id until the extension handshake names it. */
  clientName: string;
  /** The address it was reached at, or came from. */
  readonly address: string;
  readonly host: string;
  readonly direction: Direction;
  readonly connectedAt: number;
  readonly fast: boolean;
  readonly extended: boolean;
  readonly connections: PeerConnection[] = [];
  readonly have: Bitfield;
  /** Counted as having everything, so its pieces are not in the availability counts. */
  isCountedAsSeed = false;

  amChoking = true;
  amInterested = false;
  isChoking = true;
  isInterested = false;
  /** Pieces it has that we want and lack. */
  wantedCount = 0;
  /** Pieces that we may ask for although choked (BEP 6). Bounded by `MAX_ALLOWED_FAST`. */
  readonly allowedFastFromThem = new Set<number>();
  /** Pieces that it may ask for although choked. */
  readonly allowedFastToThem = new Set<number>();
  /** Pieces that it refused although it does not choke us: not asked for again for a while. BOUNDED by the number of pieces. */
  readonly refusedPieces = new Set<number>();
  extension: ExtensionHandshake | undefined;
  /** Where a peer that dialled us can be dialled, when it says so. */
  listensAt: string | undefined;
  uploadOnly = false;

  /** Payload bytes from and to this peer. */
  readonly downloaded = new RateMeter();
  readonly uploaded = new RateMeter();
  isSnubbed = false;
  isOptimistic = false;
  unchokedAt = 0;
  /** When either side last wanted something of the other. */
  usefulAt: number;
  /** Pieces that failed their hash and to which it had contributed. */
  hashFailures = 0;

  constructor(options: {
    readonly id: Uint8Array;
    readonly address: string;
    readonly host: string;
    readonly direction: Direction;
    readonly pieceCount: number;
    readonly fast: boolean;
    readonly extended: boolean;
    readonly now: number;
  }) {
    this.id = options.id;
    this.clientName = describePeerId(options.id);
    this.address = options.address;
    this.host = options.host;
    this.direction = options.direction;
    this.fast = options.fast;
    this.extended = options.extended;
    this.connectedAt = options.now;
    this.usefulAt = options.now;
    this.have = new Bitfield(options.pieceCount);
  }

  get isSeed(): boolean {
    return this.have.isFull;
  }

  /** Whether it may be asked for a piece now. */
  mayBeAskedFor(piece: number): boolean {
    return this.have.has(piece) && (!this.isChoking || this.allowedFastFromThem.has(piece)) && !this.refusedPieces.has(piece);
  }

  get pendingRequests(): number {
    let sum = 0;
    for (const connection of this.connections) sum += connection.pending.size;
    return sum;
  }
}

/** Pieces that we remember of a peer's allowed-fast messages; BEP 6 suggests 10. */
export const MAX_ALLOWED_FAST = 64;
