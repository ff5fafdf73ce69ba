import { equalBytes } from "#/base/bytes.ts";
import type { Peer } from "./peer.ts";

const DIGEST_LENGTH = 20;
/** Pieces whose failed copies are remembered. BOUNDED: the oldest is forgotten. */
const MAX_REMEMBERED = 64;

interface FailedCopy {
  readonly digests: Uint8Array;
  readonly contributors: readonly (Peer | undefined)[];
}

/**
 * Finds who sent bad blocks. A failed copy of a piece is remembered as a digest of each block and who sent it; when a later copy
 * is right, the blocks that differ name the liars, and the honest peers that shared the piece with them stay.
 */
export class SmartBan {
  readonly #failed = new Map<number, FailedCopy[]>();

  /**
   * A copy failed.
   * @returns the peer that sent all of it, if it was one alone: no second copy is needed to know
   */
  pieceFailed(piece: number, contributors: readonly (Peer | undefined)[], digests: Uint8Array | undefined): Peer | undefined {
    const senders = new Set(contributors);
    const [only] = senders;
    if (senders.size === 1 && only !== undefined) return only;
    if (digests === undefined) return undefined;
    const copies = this.#failed.get(piece) ?? [];
    copies.push({ digests, contributors: [...contributors] });
    if (copies.length > 4) copies.shift();
    this.#failed.delete(piece);
    this.#failed.set(piece, copies);
    if (this.#failed.size > MAX_REMEMBERED) this.#failed.delete(this.#failed.keys().next().value as number);
    return undefined;
  }

  /** Whether the digests of the good copy of a piece are wanted. */
  isSuspected(piece: number): boolean {
    return this.#failed.has(piece);
  }

  /** A copy was right, and these are its block digests. @returns those who sent other blocks before */
  pieceVerified(piece: number, digests: Uint8Array | undefined): Peer[] {
    const copies = this.#failed.get(piece) ?? [];
    this.#failed.delete(piece);
    const liars = new Set<Peer>();
    if (digests === undefined) return [];
    for (const copy of copies) {
      copy.contributors.forEach((peer, block) => {
        const at = block * DIGEST_LENGTH;
        const same = equalBytes(copy.digests.subarray(at, at + DIGEST_LENGTH), digests.subarray(at, at + DIGEST_LENGTH));
        if (peer !== undefined && !same) liars.add(peer);
      });
    }
    return [...liars];
  }
}
