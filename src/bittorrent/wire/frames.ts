import { localWireError, remoteWireError } from "./errors.ts";
import {
  checkBodyLength,
  decodeBody,
  LENGTH_PREFIX_LENGTH,
  messageId,
  PIECE_BODY_HEADER_LENGTH,
  PIECE_MESSAGE_HEADER_LENGTH,
  readUint32,
  type WireMessage,
} from "./messages.ts";

/**
 * What a FrameDecoder tells, in the order of the stream. A sink may call `stop()` from inside each of these; it must not throw and
 * must not call `receive`.
 */
export interface FrameSink {
  /** A message other than `piece`. Its `bits` or `payload` is a view that is valid during the call. */
  message(message: WireMessage): void;
  keepAlive(): void;
  /** A message with an id that we do not know begins; its `length` body bytes (with the id) are skipped. */
  unknown(id: number, length: number): void;
  /** A piece message begins: `length` (1 or more) bytes of data follow by `blockData`. */
  blockStart(piece: number, begin: number, length: number): void;
  /** The next bytes of the block, 1 or more: a view that is valid during the call. */
  blockData(bytes: Uint8Array): void;
  /** All bytes of the block were given. */
  blockEnd(): void;
}

export interface FrameDecoderOptions {
  /** Largest body, with its id, that is taken for any message but `piece`, in bytes: a bitfield or extended message. */
  readonly maxMessageLength: number;
  /** Largest block of a piece message, in bytes. */
  readonly maxBlockLength: number;
}

/** Capacity, in bytes, that the gathering buffer keeps between messages. */
const SMALL_CAPACITY = 256;
/** Up to so many bytes a loop copies faster than a view and `set`. */
const SHORT_COPY = 32;
const PREFIX_AND_ID_LENGTH = LENGTH_PREFIX_LENGTH + 1;

/**
 * Cuts the byte stream behind the handshake into messages (BEP 3, "peer messages").
 *
 * Rules of this file:
 * - Data of piece messages is never kept: it goes to the sink as it comes, whatever the chunks are.
 * - A message that lies whole in a chunk is decoded where it lies; only one that is cut is gathered, in a buffer that grows with the
 *   bytes that came, never with the length that was announced, and stays within `maxMessageLength` + 4 bytes.
 * - Lengths are checked with the prefix and the id, before a body is gathered.
 * - The calls to the sink do not depend on how the stream was cut, except where `blockData` is cut.
 * - State is brought up to date before the sink is called, and `stop` is asked for after each call.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #maxMessageLength: number;
  readonly #maxBlockLength: number;
  readonly #maxPrefix: number;
  #stopped = false;
  /** Bytes of the current block still to come. */
  #blockLeft = 0;
  /** Bytes of an unknown message still to be skipped. */
  #skipLeft = 0;
  /** The beginning of a cut message, with its prefix. BOUNDED by maxMessageLength + 4. */
  #gathered: Uint8Array = new Uint8Array(SMALL_CAPACITY);
  #gatheredLength = 0;
  /** How many gathered bytes are enough to go on: the prefix, then the id, then the piece header or the whole message. */
  #wanted = LENGTH_PREFIX_LENGTH;

  /** @throws {WireError} WIRE_OUT_OF_RANGE for a limit that is no whole number from 1 to 2^31 */
  constructor(sink: FrameSink, options: FrameDecoderOptions) {
    const { maxMessageLength, maxBlockLength } = options;
    for (const [field, got] of Object.entries({ maxMessageLength, maxBlockLength })) {
      if (!Number.isInteger(got) || got < 1 || got > 2 ** 31) throw localWireError(`${field} is out of range`, { field, got });
    }
    this.#sink = sink;
    this.#maxMessageLength = maxMessageLength;
    this.#maxBlockLength = maxBlockLength;
    this.#maxPrefix = Math.max(maxMessageLength, maxBlockLength + PIECE_BODY_HEADER_LENGTH);
  }

  /** Forgets the rest of the chunk that is being received, and everything after it. */
  stop(): void {
    this.#stopped = true;
    this.#gathered = empty;
  }

  /**
   * Takes the next bytes of the stream, any number of them. After an error the decoder is stopped.
   * @param chunk not kept; may be reused when the call returns
   * @throws {WireError} WIRE_BAD_LENGTH, WIRE_MESSAGE_TOO_LONG, WIRE_EMPTY_BLOCK, WIRE_BLOCK_TOO_LONG
   */
  receive(chunk: Uint8Array): void {
    if (this.#stopped) return;
    try {
      this.#receive(chunk);
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  #receive(chunk: Uint8Array): void {
    const sink = this.#sink;
    const end = chunk.byteLength;
    let at = 0;
    while (at < end && !this.#stopped) {
      if (this.#blockLeft > 0) {
        at = this.#takeBlock(chunk, at);
        continue;
      }
      if (this.#skipLeft > 0) {
        const taken = Math.min(this.#skipLeft, end - at);
        this.#skipLeft -= taken;
        at += taken;
        continue;
      }
      if (this.#gatheredLength > 0 || end - at < LENGTH_PREFIX_LENGTH) {
        at = this.#gather(chunk, at);
        continue;
      }
      const length = readUint32(chunk, at);
      if (length === 0) {
        at += LENGTH_PREFIX_LENGTH;
        sink.keepAlive();
        continue;
      }
      if (length > this.#maxPrefix) throw tooLong(length, this.#maxPrefix);
      if (end - at < PREFIX_AND_ID_LENGTH) {
        at = this.#gather(chunk, at);
        continue;
      }
      const id = chunk[at + LENGTH_PREFIX_LENGTH] as number;
      const known = this.#check(id, length);
      if (id === messageId.piece) {
        if (end - at < PIECE_MESSAGE_HEADER_LENGTH) {
          at = this.#gather(chunk, at);
        } else {
          this.#startBlock(chunk, at, length);
          at += PIECE_MESSAGE_HEADER_LENGTH;
        }
      } else if (!known) {
        at += PREFIX_AND_ID_LENGTH;
        this.#skip(id, length);
      } else if (end - at < LENGTH_PREFIX_LENGTH + length) {
        at = this.#gather(chunk, at);
      } else {
        const body = at + LENGTH_PREFIX_LENGTH;
        at = body + length;
        sink.message(decodeBody(chunk, body, length) as WireMessage);
      }
    }
  }

  /** Holds a length, which is within #maxPrefix, against its id. @returns false for an id that we do not know */
  #check(id: number, length: number): boolean {
    const known = checkBodyLength(id, length);
    if (id === messageId.piece) {
      if (length > this.#maxBlockLength + PIECE_BODY_HEADER_LENGTH) {
        throw remoteWireError("WIRE_BLOCK_TOO_LONG", "a block is larger than we accept", {
          length: length - PIECE_BODY_HEADER_LENGTH,
          limit: this.#maxBlockLength,
        });
      }
    } else if (length > this.#maxMessageLength) {
      throw tooLong(length, this.#maxMessageLength);
    }
    return known;
  }

  #startBlock(bytes: Uint8Array, at: number, length: number): void {
    this.#blockLeft = length - PIECE_BODY_HEADER_LENGTH;
    this.#sink.blockStart(readUint32(bytes, at + 5), readUint32(bytes, at + 9), this.#blockLeft);
  }

  /** @returns the offset behind the bytes that belong to the block */
  #takeBlock(chunk: Uint8Array, at: number): number {
    const end = Math.min(chunk.byteLength, at + this.#blockLeft);
    this.#blockLeft -= end - at;
    this.#sink.blockData(at === 0 && end === chunk.byteLength ? chunk : chunk.subarray(at, end));
    if (this.#blockLeft === 0 && !this.#stopped) this.#sink.blockEnd();
    return end;
  }

  #skip(id: number, length: number): void {
    this.#skipLeft = length - 1;
    this.#sink.unknown(id, length);
  }

  /**
   * Takes bytes until there are #wanted of them, then goes one step on.
   * @returns the offset behind the bytes that were taken
   */
  #gather(chunk: Uint8Array, at: number): number {
    const before = this.#gatheredLength;
    const end = Math.min(chunk.byteLength, at + this.#wanted - before);
    const length = before + end - at;
    if (length > this.#gathered.byteLength) {
      const larger = new Uint8Array(Math.max(length, Math.min(this.#wanted, 2 * this.#gathered.byteLength)));
      larger.set(this.#gathered.subarray(0, before));
      this.#gathered = larger;
    }
    if (end - at <= SHORT_COPY) for (let i = at; i < end; i++) this.#gathered[before + i - at] = chunk[i] as number;
    else this.#gathered.set(chunk.subarray(at, end), before);
    this.#gatheredLength = length;
    if (length === this.#wanted) this.#advance();
    return end;
  }

  /** What the #wanted gathered bytes tell: a message, or how many more are wanted. */
  #advance(): void {
    const bytes = this.#gathered;
    const length = readUint32(bytes, 0);
    if (this.#wanted === LENGTH_PREFIX_LENGTH) {
      if (length > this.#maxPrefix) throw tooLong(length, this.#maxPrefix);
      if (length > 0) {
        this.#wanted = PREFIX_AND_ID_LENGTH;
      } else {
        this.#clearGathered();
        this.#sink.keepAlive();
      }
      return;
    }
    const id = bytes[LENGTH_PREFIX_LENGTH] as number;
    if (this.#wanted === PREFIX_AND_ID_LENGTH) {
      if (!this.#check(id, length)) {
        this.#clearGathered();
        this.#skip(id, length);
        return;
      }
      this.#wanted = id === messageId.piece ? PIECE_MESSAGE_HEADER_LENGTH : LENGTH_PREFIX_LENGTH + length;
      if (this.#wanted > PREFIX_AND_ID_LENGTH) return;
    }
    this.#clearGathered();
    if (id === messageId.piece) this.#startBlock(bytes, 0, length);
    else this.#sink.message(decodeBody(bytes, LENGTH_PREFIX_LENGTH, length) as WireMessage);
  }

  /** Begins a new message; a buffer that had to grow is given up, so that an idle connection holds little. */
  #clearGathered(): void {
    this.#gatheredLength = 0;
    this.#wanted = LENGTH_PREFIX_LENGTH;
    if (this.#gathered.byteLength > SMALL_CAPACITY) this.#gathered = new Uint8Array(SMALL_CAPACITY);
  }
}

const empty = new Uint8Array(0);

function tooLong(length: number, limit: number): Error {
  return remoteWireError("WIRE_MESSAGE_TOO_LONG", "a message is longer than we accept", { length, limit });
}
