import { CodedError } from "#/base/errors.ts";

/** What can be wrong with bytes of a peer, or with a message that a caller wants to encode. */
export const wireErrorCodes = {
  WIRE_BAD_HANDSHAKE: "the first bytes of a connection are not a BitTorrent handshake",
  WIRE_BAD_LENGTH: "a message or payload does not have the length that its type fixes",
  WIRE_MESSAGE_TOO_LONG: "a length prefix announces more bytes than we accept",
  WIRE_EMPTY_BLOCK: "a piece message carries no data",
  WIRE_BLOCK_TOO_LONG: "a piece message carries a larger block than we ever ask for",
  WIRE_BAD_EXTENSION_HANDSHAKE: "the payload of an extension handshake is not a bencoded dictionary within our limits",
  WIRE_OUT_OF_RANGE: "a field of a message to encode does not fit the place that the protocol has for it",
} as const;

export type WireErrorCode = keyof typeof wireErrorCodes;

/** An error of the peer wire protocol; `fault` is `remote` for everything that a decoder throws. */
export class WireError extends CodedError<WireErrorCode> {}

/** An error caused by bytes that a peer sent. */
export function remoteWireError(
  code: WireErrorCode,
  message: string,
  details?: Readonly<Record<string, string | number>>,
  cause?: unknown,
): WireError {
  return new WireError(code, message, { fault: "remote", cause, ...(details === undefined ? {} : { details }) });
}

/** An error caused by a caller that wants to encode what cannot be encoded. */
export function localWireError(message: string, details: Readonly<Record<string, string | number>>): WireError {
  return new WireError("WIRE_OUT_OF_RANGE", message, { fault: "local", details });
}
