import { fromLatin1 } from "#/base/bytes.ts";
import { localWireError, remoteWireError } from "./errors.ts";

/** Bytes of a handshake: 1 + 19 for the protocol's name, 8 reserved, 20 info-hash, 20 peer id (BEP 3, "peer protocol"). */
export const HANDSHAKE_LENGTH = 68;
export const INFO_HASH_LENGTH = 20;
export const PEER_ID_LENGTH = 20;

const protocolName = fromLatin1("\x13BitTorrent protocol");
const at = { reserved: 20, infoHash: 28, peerId: 48 } as const;
const RESERVED_LENGTH = 8;

/** Which byte of the reserved eight says what. */
const reservedBits = {
  /** BEP 10 */
  extended: { byte: 5, mask: 0x10 },
  /** BEP 6 */
  fast: { byte: 7, mask: 0x04 },
  /** BEP 5 */
  dht: { byte: 7, mask: 0x01 },
} as const;

/** What each side says first. */
export interface Handshake {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** The 8 reserved bytes as they came. */
  readonly reserved: Uint8Array;
  /** The sender speaks the fast extension (BEP 6). */
  readonly fast: boolean;
  /** The sender speaks the extension protocol (BEP 10). */
  readonly extended: boolean;
  /** The sender has a DHT node (BEP 5). */
  readonly dht: boolean;
}

export interface HandshakeFields {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  /** 20 bytes. */
  readonly peerId: Uint8Array;
  /** @default false */
  readonly fast?: boolean;
  /** @default false */
  readonly extended?: boolean;
  /** @default false */
  readonly dht?: boolean;
}

/**
 * The 68 bytes of a handshake.
 * @throws {WireError} WIRE_OUT_OF_RANGE when a field is not 20 bytes long
 */
export function encodeHandshake(fields: HandshakeFields): Uint8Array {
  requireLength("infoHash", fields.infoHash, INFO_HASH_LENGTH);
  requireLength("peerId", fields.peerId, PEER_ID_LENGTH);
  const out = new Uint8Array(HANDSHAKE_LENGTH);
  out.set(protocolName);
  for (const name of ["extended", "fast", "dht"] as const) {
    const { byte, mask } = reservedBits[name];
    if (fields[name] === true) out[at.reserved + byte] = (out[at.reserved + byte] as number) | mask;
  }
  out.set(fields.infoHash, at.infoHash);
  out.set(fields.peerId, at.peerId);
  return out;
}

/** Gathers the handshake at the beginning of a stream, however it is cut. */
export class HandshakeDecoder {
  readonly #bytes = new Uint8Array(HANDSHAKE_LENGTH);
  #length = 0;

  /** How many bytes of the handshake have come. */
  get received(): number {
    return this.#length;
  }

  /**
   * Takes the next bytes of the stream. Give nothing more once it has returned a handshake.
   * @returns undefined while bytes are missing; else the handshake (its arrays are its own) and `rest`, a view of what follows it in
   *   `chunk`
   * @throws {WireError} WIRE_BAD_HANDSHAKE as soon as a byte differs from the protocol's name
   */
  push(chunk: Uint8Array): { readonly handshake: Handshake; readonly rest: Uint8Array } | undefined {
    if (this.#length === HANDSHAKE_LENGTH) throw localWireError("the handshake has ended", { length: chunk.byteLength });
    const before = this.#length;
    const taken = Math.min(chunk.byteLength, HANDSHAKE_LENGTH - before);
    for (let i = 0; i < taken && before + i < protocolName.byteLength; i++) {
      if (chunk[i] !== protocolName[before + i]) {
        throw remoteWireError("WIRE_BAD_HANDSHAKE", "the peer does not speak the BitTorrent protocol", {
          offset: before + i,
          got: chunk[i] as number,
        });
      }
    }
    this.#bytes.set(chunk.subarray(0, taken), before);
    this.#length += taken;
    if (this.#length < HANDSHAKE_LENGTH) return undefined;
    return { handshake: readHandshake(this.#bytes), rest: chunk.subarray(taken) };
  }
}

function readHandshake(bytes: Uint8Array): Handshake {
  const reserved = bytes.subarray(at.reserved, at.reserved + RESERVED_LENGTH);
  const has = (name: keyof typeof reservedBits): boolean =>
    ((reserved[reservedBits[name].byte] as number) & reservedBits[name].mask) !== 0;
  return {
    infoHash: bytes.subarray(at.infoHash, at.infoHash + INFO_HASH_LENGTH),
    peerId: bytes.subarray(at.peerId, at.peerId + PEER_ID_LENGTH),
    reserved,
    fast: has("fast"),
    extended: has("extended"),
    dht: has("dht"),
  };
}

function requireLength(field: string, bytes: Uint8Array, want: number): void {
  if (bytes.byteLength !== want) throw localWireError(`${field} has the wrong length`, { field, got: bytes.byteLength, want });
}
