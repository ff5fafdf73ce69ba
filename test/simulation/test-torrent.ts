import { createHash } from "node:crypto";
import { concatBytes, equalBytes } from "#/base/bytes.ts";
import { seededRandom } from "#/base/random.ts";
import { BLOCK_LENGTH, type SwarmTorrent } from "#/bittorrent/swarm/index.ts";

export function sha1(bytes: Uint8Array): Uint8Array {
  return createHash("sha1").update(bytes).digest();
}

/** A torrent of random bytes, with the bytes. */
export class TestTorrent implements SwarmTorrent {
  readonly data: Uint8Array;
  readonly pieceLength: number;
  readonly pieceCount: number;
  readonly infoHash: Uint8Array;
  readonly isPrivate = false;
  readonly #hashes: Uint8Array[] = [];

  /** @default 16 pieces of 4 blocks, the last one shorter and ending within a block */
  constructor(options: { readonly pieceLength?: number; readonly totalLength?: number; readonly seed?: number } = {}) {
    this.pieceLength = options.pieceLength ?? 4 * BLOCK_LENGTH;
    const totalLength = options.totalLength ?? 16 * this.pieceLength - BLOCK_LENGTH - 1234;
    this.data = new Uint8Array(totalLength);
    const random = seededRandom(options.seed ?? 1);
    const words = new Uint32Array(this.data.buffer, 0, totalLength >>> 2);
    for (let i = 0; i < words.length; i++) words[i] = random.below(2 ** 32);
    this.pieceCount = Math.ceil(totalLength / this.pieceLength);
    for (let piece = 0; piece < this.pieceCount; piece++) this.#hashes.push(sha1(this.pieceData(piece)));
    this.infoHash = sha1(concatBytes(this.#hashes));
  }

  pieceSize(piece: number): number {
    return Math.min(this.pieceLength, this.data.byteLength - piece * this.pieceLength);
  }

  pieceData(piece: number): Uint8Array {
    return this.data.subarray(piece * this.pieceLength, piece * this.pieceLength + this.pieceSize(piece));
  }

  isRight(piece: number, bytes: Uint8Array): boolean {
    return equalBytes(sha1(bytes), this.#hashes[piece] as Uint8Array);
  }
}
