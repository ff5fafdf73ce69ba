import { createHash } from "node:crypto";
import { localWireError } from "./errors.ts";
import { INFO_HASH_LENGTH } from "./handshake.ts";

export interface AllowedFastOptions {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** The IPv4 address of the peer that may ask, 4 bytes; BEP 6 defines no set for IPv6. */
  readonly ip: Uint8Array;
  readonly pieceCount: number;
  /** How many pieces the set has, unless the torrent has fewer. */
  readonly count: number;
}

/**
 * The pieces that a peer may ask for while it is choked, in the order in which they are found (BEP 6, "Allowed Fast set generation").
 * It depends on the upper three bytes of the address only, so that a peer gains nothing by moving within its network.
 * @throws {WireError} WIRE_OUT_OF_RANGE
 */
export function allowedFastSet({ infoHash, ip, pieceCount, count }: AllowedFastOptions): number[] {
  if (infoHash.byteLength !== INFO_HASH_LENGTH) throw localWireError("infoHash is not 20 bytes", { got: infoHash.byteLength });
  if (ip.byteLength !== 4) throw localWireError("ip is not an IPv4 address of 4 bytes", { got: ip.byteLength });
  if (pieceCount >>> 0 !== pieceCount) throw localWireError("pieceCount does not fit a message", { got: pieceCount });
  if (count >= pieceCount) return Array.from({ length: pieceCount }, (_, piece) => piece);
  let seed = new Uint8Array(4 + INFO_HASH_LENGTH);
  seed.set(ip.subarray(0, 3));
  seed.set(infoHash, 4);
  const pieces = new Set<number>();
  while (pieces.size < count) {
    const digest = createHash("sha1").update(seed).digest();
    for (let at = 0; at < digest.byteLength && pieces.size < count; at += 4) pieces.add(digest.readUInt32BE(at) % pieceCount);
    seed = digest;
  }
  return [...pieces];
}
