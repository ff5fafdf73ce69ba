import type { Bitfield } from "#/base/bitfield.ts";
import type { RandomSource } from "#/base/random.ts";
import { PieceOrder, piecePriority } from "./availability.ts";
import { PartialPiece } from "./partial-piece.ts";
import type { Peer } from "./peer.ts";
import type { PeerConnection } from "./peer-connection.ts";

/** A block is asked of at most this many connections in the end game; the last place is kept for a fast one. */
const END_GAME_COPIES = 3;
/** A connection is a fast one when it reaches this part of the fastest one's rate. */
const FAST_FRACTION = 0.25;

/**
 * Which piece a peer is asked for next. In this order:
 * 1. a piece under way that peers of the same speed began (so that slow peers do not hold up fast ones),
 * 2. for fast peers, a piece under way that slow ones began,
 * 3. a new piece: highest priority, then rarest, ties at random; or in sequence,
 * 4. any piece under way.
 * When no block is free any more, the end game asks for blocks that others were asked for.
 */
export class PiecePicker {
  readonly order: PieceOrder;
  /** Pieces under way, oldest first. */
  readonly partials = new Map<number, PartialPiece>();
  readonly #have: Bitfield;
  readonly #pieceSize: (piece: number) => number;
  readonly #chunkLength: number;
  isSequential = false;
  /** Peers that were counted as having everything. */
  seedCount = 0;
  /** The rate of the fastest connection, bytes a second. */
  fastestRate = 0;

  constructor(options: {
    readonly have: Bitfield;
    readonly pieceSize: (piece: number) => number;
    readonly chunkLength: number;
    readonly random: RandomSource;
  }) {
    this.#have = options.have;
    this.#pieceSize = options.pieceSize;
    this.#chunkLength = options.chunkLength;
    this.order = new PieceOrder(options.have.length, options.random);
  }

  /** Whether a piece is wanted and not here. */
  isWanted(piece: number): boolean {
    return !this.#have.has(piece) && this.order.priority(piece) !== piecePriority.skip;
  }

  /**
   * A piece with a free block for this connection, under way or begun by the call.
   * @param heldOnly only a piece under way with a free block whose memory is here or promised: there is no more memory
   */
  pick(connection: PeerConnection, heldOnly: boolean): PartialPiece | undefined {
    const peer = connection.peer;
    const isFast = this.isFast(connection);
    let other: PartialPiece | undefined;
    for (const partial of this.partials.values()) {
      if (partial.freeCount === 0 || !this.#mayAsk(peer, partial)) continue;
      if (heldOnly && partial.nextFreeHeld() === undefined) continue;
      if (partial.begunByFast === isFast) return this.#take(partial, peer);
      other ??= partial;
    }
    if (other !== undefined && isFast) return this.#take(other, peer);
    const begun = heldOnly ? undefined : this.#begin(peer, isFast);
    return begun ?? (other === undefined ? undefined : this.#take(other, peer));
  }

  isFast(connection: PeerConnection): boolean {
    return connection.pipeline.rateBytesPerSecond >= this.fastestRate * FAST_FRACTION;
  }

  /**
   * Blocks that others were asked for and that this connection may be asked for too, the ones asked for last first,
   * since those will be longest in coming. None while there are blocks that somebody has and nobody was asked for.
   * @param isOverdue told when memory is out: blocks that it accepts may be doubled at any time, since they hold the memory
   */
  pickEndGame(
    connection: PeerConnection,
    most: number,
    isOverdue: ((partial: PartialPiece, block: number) => boolean) | undefined,
  ): { readonly partial: PartialPiece; readonly block: number }[] {
    const found: { partial: PartialPiece; block: number }[] = [];
    const isEndGame = this.#isEndGame();
    if (!isEndGame && isOverdue === undefined) return found;
    const copies = this.isFast(connection) ? END_GAME_COPIES : END_GAME_COPIES - 1;
    for (const partial of [...this.partials.values()].reverse()) {
      if (!this.#mayAsk(connection.peer, partial)) continue;
      for (let block = partial.blockCount - 1; block >= 0 && found.length < most; block--) {
        const count = partial.requesterCount(block);
        if (count === 0 || count >= copies || partial.requesters(block).includes(connection)) continue;
        if (!isEndGame && isOverdue?.(partial, block) !== true) continue;
        found.push({ partial, block });
      }
      if (found.length >= most) break;
    }
    return found;
  }

  /** Gives a piece back to the order; its blocks have to be asked for again. */
  abandon(partial: PartialPiece): void {
    this.partials.delete(partial.piece);
    if (this.isWanted(partial.piece)) this.order.add(partial.piece);
  }

  /** Begins a piece anew after a hash failure, so that one peer alone sends all of it. */
  beginOnParole(piece: number): void {
    const partial = new PartialPiece(piece, this.#pieceSize(piece), this.#chunkLength);
    partial.onParole = true;
    this.order.delete(piece);
    this.partials.set(piece, partial);
  }

  #isEndGame(): boolean {
    if (this.order.size > (this.seedCount > 0 ? 0 : this.order.unavailableCount)) return false;
    for (const partial of this.partials.values()) if (partial.freeCount > 0 && !partial.onParole) return false;
    return true;
  }

  #mayAsk(peer: Peer, partial: PartialPiece): boolean {
    return peer.mayBeAskedFor(partial.piece) && partial.mayServe(peer) && this.order.priority(partial.piece) !== piecePriority.skip;
  }

  #take(partial: PartialPiece, peer: Peer): PartialPiece {
    if (partial.onParole) partial.exclusiveTo = peer;
    return partial;
  }

  #begin(peer: Peer, isFast: boolean): PartialPiece | undefined {
    const accepts = (piece: number): boolean => peer.mayBeAskedFor(piece);
    const piece = this.isSequential ? this.order.pickInSequence(accepts) : this.order.pick(accepts);
    if (piece === undefined) return undefined;
    this.order.delete(piece);
    const partial = new PartialPiece(piece, this.#pieceSize(piece), this.#chunkLength);
    partial.begunByFast = isFast;
    this.partials.set(piece, partial);
    return partial;
  }
}
