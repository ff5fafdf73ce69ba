/**
 * What two peers say to each other, without sockets and without state of a torrent.
 *
 * The handshake and messages of BEP 3, the fast extension (BEP 6), the extension protocol (BEP 10) with its handshake (BEP 21 too),
 * `lt_donthave` (BEP 54), and peer ids (BEP 20). A connection gives the first bytes to a HandshakeDecoder and all others to a
 * FrameDecoder; what is sent comes from the encode functions.
 */
export { type AllowedFastOptions, allowedFastSet } from "./allowed-fast.ts";
export { WireError, type WireErrorCode, wireErrorCodes } from "./errors.ts";
export {
  DONT_HAVE_NAME,
  decodeDontHave,
  decodeExtensionHandshake,
  EXTENSION_HANDSHAKE_ID,
  type ExtensionHandshake,
  type ExtensionHandshakeFields,
  encodeDontHave,
  encodeExtended,
  encodeExtensionHandshake,
} from "./extension.ts";
export { FrameDecoder, type FrameDecoderOptions, type FrameSink } from "./frames.ts";
export {
  encodeHandshake,
  HANDSHAKE_LENGTH,
  type Handshake,
  HandshakeDecoder,
  type HandshakeFields,
} from "./handshake.ts";
export {
  type BareMessage,
  type BitfieldMessage,
  type BlockMessage,
  decodeMessage,
  type ExtendedMessage,
  encodeCancelInto,
  encodedLength,
  encodeInto,
  encodeMessage,
  encodePieceHeaderInto,
  encodeRejectInto,
  encodeRequestInto,
  keepAlive,
  messageId,
  PIECE_MESSAGE_HEADER_LENGTH,
  type PieceIndexMessage,
  type PieceMessage,
  type PortMessage,
  REQUEST_MESSAGE_LENGTH,
  type WireMessage,
} from "./messages.ts";
export { createPeerId, describePeerId } from "./peer-id.ts";
