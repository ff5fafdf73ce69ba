import { localWireError, remoteWireError } from "./errors.ts";

/** Message ids; BEP 3 "peer messages", BEP 5 (port), BEP 6 (suggest to allowedFast), BEP 10 (extended). */
export const messageId = {
  choke: 0,
  unchoke: 1,
  interested: 2,
  notInterested: 3,
  have: 4,
  bitfield: 5,
  request: 6,
  piece: 7,
  cancel: 8,
  port: 9,
  suggest: 13,
  haveAll: 14,
  haveNone: 15,
  reject: 16,
  allowedFast: 17,
  extended: 20,
} as const;

/** A message with nothing but its id. */
export interface BareMessage {
  readonly type: "choke" | "unchoke" | "interested" | "notInterested" | "haveAll" | "haveNone";
}

/** A message about one piece. */
export interface PieceIndexMessage {
  readonly type: "have" | "suggest" | "allowedFast";
  readonly piece: number;
}

/** A message about one block: `length` bytes at `begin` of `piece`. */
export interface BlockMessage {
  readonly type: "request" | "cancel" | "reject";
  readonly piece: number;
  readonly begin: number;
  readonly length: number;
}

/** The pieces that a peer has: bit 7 of byte 0 is piece 0. */
export interface BitfieldMessage {
  readonly type: "bitfield";
  readonly bits: Uint8Array;
}

/** A block of data. */
export interface PieceMessage {
  readonly type: "piece";
  readonly piece: number;
  readonly begin: number;
  readonly block: Uint8Array;
}

/** The UDP port of the sender's DHT node (BEP 5). */
export interface PortMessage {
  readonly type: "port";
  readonly port: number;
}

/** A message of an extension (BEP 10); id 0 is the extension handshake. */
export interface ExtendedMessage {
  readonly type: "extended";
  readonly id: number;
  readonly payload: Uint8Array;
}

export type WireMessage =
  | BareMessage
  | PieceIndexMessage
  | BlockMessage
  | BitfieldMessage
  | PieceMessage
  | PortMessage
  | ExtendedMessage;

/** Bytes of the length prefix in front of each message (BEP 3). */
export const LENGTH_PREFIX_LENGTH = 4;
/** Bytes in front of the block of a piece message, with the length prefix: prefix, id, piece, begin. */
export const PIECE_MESSAGE_HEADER_LENGTH = 13;
/** Bytes of a request, cancel or reject message, with the length prefix. */
export const REQUEST_MESSAGE_LENGTH = 17;

/** Body lengths, without the prefix. */
const BARE_BODY_LENGTH = 1;
const INDEX_BODY_LENGTH = 5;
const BLOCK_BODY_LENGTH = 13;
const PORT_BODY_LENGTH = 3;
const EXTENDED_HEADER_LENGTH = 2;
export const PIECE_BODY_HEADER_LENGTH = 9;

/** The message of length 0 that only shows that the sender lives (BEP 3). Read only for callers. */
export const keepAlive: Uint8Array = new Uint8Array(LENGTH_PREFIX_LENGTH);

/**
 * Decodes one message body, without its length prefix.
 * Checks the id and the length; does not check that indexes exist, since this layer has no metainfo.
 * @param body 1 byte or more; `bits`, `block` and `payload` in the result are views of it
 * @returns undefined for an id that we do not know
 * @throws {WireError} WIRE_BAD_LENGTH, WIRE_EMPTY_BLOCK
 */
export function decodeMessage(body: Uint8Array): WireMessage | undefined {
  if (body.byteLength === 0) throw badLength("body", 0);
  if (!checkBodyLength(body[0] as number, body.byteLength)) return undefined;
  return decodeBody(body, 0, body.byteLength);
}

/**
 * Holds the length of a body against its id, which needs none of the bytes behind the id.
 * @param length of the body, with the id
 * @returns false for an id that we do not know
 * @throws {WireError} WIRE_BAD_LENGTH, WIRE_EMPTY_BLOCK
 */
export function checkBodyLength(id: number, length: number): boolean {
  switch (id) {
    case messageId.request:
    case messageId.cancel:
    case messageId.reject:
      if (length !== BLOCK_BODY_LENGTH) throw badLength(id, length);
      return true;
    case messageId.have:
    case messageId.suggest:
    case messageId.allowedFast:
      if (length !== INDEX_BODY_LENGTH) throw badLength(id, length);
      return true;
    case messageId.choke:
    case messageId.unchoke:
    case messageId.interested:
    case messageId.notInterested:
    case messageId.haveAll:
    case messageId.haveNone:
      if (length !== BARE_BODY_LENGTH) throw badLength(id, length);
      return true;
    case messageId.piece:
      if (length < PIECE_BODY_HEADER_LENGTH) throw badLength(id, length);
      if (length === PIECE_BODY_HEADER_LENGTH) throw remoteWireError("WIRE_EMPTY_BLOCK", "a piece message without data");
      return true;
    case messageId.port:
      if (length !== PORT_BODY_LENGTH) throw badLength(id, length);
      return true;
    case messageId.extended:
      if (length < EXTENDED_HEADER_LENGTH) throw badLength(id, length);
      return true;
    case messageId.bitfield:
      return true;
    default:
      return false;
  }
}

/**
 * Decodes the body of `length` bytes at `offset`, of which `checkBodyLength` has said that it is known and of the right length.
 * @returns undefined for an id that we do not know
 */
export function decodeBody(bytes: Uint8Array, offset: number, length: number): WireMessage | undefined {
  switch (bytes[offset]) {
    case messageId.request:
      return blockMessage("request", bytes, offset);
    case messageId.cancel:
      return blockMessage("cancel", bytes, offset);
    case messageId.reject:
      return blockMessage("reject", bytes, offset);
    case messageId.have:
      return { type: "have", piece: readUint32(bytes, offset + 1) };
    case messageId.suggest:
      return { type: "suggest", piece: readUint32(bytes, offset + 1) };
    case messageId.allowedFast:
      return { type: "allowedFast", piece: readUint32(bytes, offset + 1) };
    case messageId.piece:
      return {
        type: "piece",
        piece: readUint32(bytes, offset + 1),
        begin: readUint32(bytes, offset + 5),
        block: bytes.subarray(offset + PIECE_BODY_HEADER_LENGTH, offset + length),
      };
    case messageId.bitfield:
      return { type: "bitfield", bits: bytes.subarray(offset + 1, offset + length) };
    case messageId.extended:
      return {
        type: "extended",
        id: bytes[offset + 1] as number,
        payload: bytes.subarray(offset + EXTENDED_HEADER_LENGTH, offset + length),
      };
    case messageId.port:
      return { type: "port", port: ((bytes[offset + 1] as number) << 8) | (bytes[offset + 2] as number) };
    case messageId.choke:
      return { type: "choke" };
    case messageId.unchoke:
      return { type: "unchoke" };
    case messageId.interested:
      return { type: "interested" };
    case messageId.notInterested:
      return { type: "notInterested" };
    case messageId.haveAll:
      return { type: "haveAll" };
    case messageId.haveNone:
      return { type: "haveNone" };
    default:
      return undefined;
  }
}

function blockMessage(type: BlockMessage["type"], bytes: Uint8Array, offset: number): BlockMessage {
  return {
    type,
    piece: readUint32(bytes, offset + 1),
    begin: readUint32(bytes, offset + 5),
    length: readUint32(bytes, offset + 9),
  };
}

/** Bytes of `message` on the wire, with its length prefix. */
export function encodedLength(message: WireMessage): number {
  return LENGTH_PREFIX_LENGTH + bodyLength(message);
}

function bodyLength(message: WireMessage): number {
  switch (message.type) {
    case "have":
    case "suggest":
    case "allowedFast":
      return INDEX_BODY_LENGTH;
    case "request":
    case "cancel":
    case "reject":
      return BLOCK_BODY_LENGTH;
    case "bitfield":
      return 1 + message.bits.byteLength;
    case "piece":
      return PIECE_BODY_HEADER_LENGTH + message.block.byteLength;
    case "port":
      return PORT_BODY_LENGTH;
    case "extended":
      return EXTENDED_HEADER_LENGTH + message.payload.byteLength;
    default:
      return BARE_BODY_LENGTH;
  }
}

/**
 * Encodes `message` with its length prefix into a new buffer.
 * @throws {WireError} WIRE_OUT_OF_RANGE
 */
export function encodeMessage(message: WireMessage): Uint8Array {
  const out = new Uint8Array(encodedLength(message));
  encodeInto(message, out, 0);
  return out;
}

/**
 * Encodes `message` with its length prefix at `offset` of `out`, which must have room for `encodedLength(message)` bytes.
 * @returns the offset behind it
 * @throws {WireError} WIRE_OUT_OF_RANGE
 */
export function encodeInto(message: WireMessage, out: Uint8Array, offset: number): number {
  const length = bodyLength(message);
  const end = offset + LENGTH_PREFIX_LENGTH + length;
  requireRoom(out, offset, end);
  const body = offset + LENGTH_PREFIX_LENGTH;
  switch (message.type) {
    case "have":
    case "suggest":
    case "allowedFast":
      requireUint32(message.piece, "piece");
      writeUint32(out, body + 1, message.piece);
      break;
    case "request":
    case "cancel":
    case "reject":
      return encodeBlockMessage(messageId[message.type], out, offset, message.piece, message.begin, message.length);
    case "piece":
      encodePieceHeaderInto(out, offset, message.piece, message.begin, message.block.byteLength);
      out.set(message.block, offset + PIECE_MESSAGE_HEADER_LENGTH);
      return end;
    case "bitfield":
      out.set(message.bits, body + 1);
      break;
    case "port":
      if (!Number.isInteger(message.port) || message.port < 0 || message.port > 0xffff) throw outOfRange("port", message.port);
      out[body + 1] = message.port >>> 8;
      out[body + 2] = message.port;
      break;
    case "extended":
      requireByte(message.id, "id");
      out[body + 1] = message.id;
      out.set(message.payload, body + EXTENDED_HEADER_LENGTH);
      break;
  }
  writeUint32(out, offset, length);
  out[body] = messageId[message.type];
  return end;
}

/**
 * Writes what stands in front of a block: `PIECE_MESSAGE_HEADER_LENGTH` bytes at `offset` of `out`, so that the block is sent from
 * where it lies.
 * @throws {WireError} WIRE_OUT_OF_RANGE
 */
export function encodePieceHeaderInto(out: Uint8Array, offset: number, piece: number, begin: number, blockLength: number): void {
  requireRoom(out, offset, offset + PIECE_MESSAGE_HEADER_LENGTH);
  requireUint32(piece, "piece");
  requireUint32(begin, "begin");
  if (!(blockLength >= 1)) throw outOfRange("blockLength", blockLength);
  requireUint32(blockLength + PIECE_BODY_HEADER_LENGTH, "blockLength");
  writeUint32(out, offset, blockLength + PIECE_BODY_HEADER_LENGTH);
  out[offset + 4] = messageId.piece;
  writeUint32(out, offset + 5, piece);
  writeUint32(out, offset + 9, begin);
}

/**
 * Writes a request: `REQUEST_MESSAGE_LENGTH` bytes at `offset` of `out`.
 * @returns the offset behind it
 * @throws {WireError} WIRE_OUT_OF_RANGE
 */
export function encodeRequestInto(out: Uint8Array, offset: number, piece: number, begin: number, length: number): number {
  return encodeBlockMessage(messageId.request, out, offset, piece, begin, length);
}

/** Writes a cancel; otherwise as `encodeRequestInto`. */
export function encodeCancelInto(out: Uint8Array, offset: number, piece: number, begin: number, length: number): number {
  return encodeBlockMessage(messageId.cancel, out, offset, piece, begin, length);
}

/** Writes a reject (BEP 6); otherwise as `encodeRequestInto`. */
export function encodeRejectInto(out: Uint8Array, offset: number, piece: number, begin: number, length: number): number {
  return encodeBlockMessage(messageId.reject, out, offset, piece, begin, length);
}

function encodeBlockMessage(id: number, out: Uint8Array, offset: number, piece: number, begin: number, length: number): number {
  requireRoom(out, offset, offset + REQUEST_MESSAGE_LENGTH);
  requireUint32(piece, "piece");
  requireUint32(begin, "begin");
  requireUint32(length, "length");
  writeUint32(out, offset, BLOCK_BODY_LENGTH);
  out[offset + 4] = id;
  writeUint32(out, offset + 5, piece);
  writeUint32(out, offset + 9, begin);
  writeUint32(out, offset + 13, length);
  return offset + REQUEST_MESSAGE_LENGTH;
}

export function readUint32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  );
}

function writeUint32(out: Uint8Array, offset: number, value: number): void {
  out[offset] = value >>> 24;
  out[offset + 1] = value >>> 16;
  out[offset + 2] = value >>> 8;
  out[offset + 3] = value;
}

function requireRoom(out: Uint8Array, offset: number, end: number): void {
  if (!(offset >= 0 && end <= out.byteLength)) {
    throw localWireError("no room for the message", { offset, end, size: out.byteLength });
  }
}

function requireUint32(value: number, name: string): void {
  if (value >>> 0 !== value) throw outOfRange(name, value);
}

function requireByte(value: number, name: string): void {
  if ((value & 0xff) !== value) throw outOfRange(name, value);
}

function outOfRange(name: string, value: number): Error {
  return localWireError(`${name} does not fit a message`, { field: name, got: value });
}

function badLength(id: number | "body", length: number): Error {
  return remoteWireError("WIRE_BAD_LENGTH", "a message has the wrong length for its type", { id, length });
}
