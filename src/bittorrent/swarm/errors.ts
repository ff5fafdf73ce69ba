import { CodedError, type ErrorInfo } from "#/base/errors.ts";

/** Why a peer was let go, or a torrent stopped. */
export const swarmErrorCodes = {
  PEER_HANDSHAKE_TIMEOUT: "a peer did not finish its handshake in time",
  PEER_UNKNOWN_TORRENT: "a peer asked for a torrent that is not here",
  PEER_WRONG_TORRENT: "a dialled peer answered with another info-hash",
  PEER_SELF: "a connection led back to this client",
  PEER_DUPLICATE: "there is a connection to this peer already",
  PEER_BANNED: "a peer sent data that was proved wrong",
  PEER_LIMIT: "the limit of connections is reached",
  PEER_IDLE: "nothing was heard from a peer for too long",
  PEER_USELESS: "neither side has anything that the other wants",
  PEER_BAD_INDEX: "a peer named a piece or range that the torrent does not have",
  PEER_BAD_BITFIELD: "a bitfield does not fit the torrent, or a message needs the fast extension",
  PEER_BAD_REQUEST: "a peer asked for a range longer than allowed, or for a piece that was not offered",
  PEER_REQUEST_FLOOD: "a peer keeps more requests waiting than it was told it may",
  PEER_UNSOLICITED: "a peer sends blocks that were not asked for",
  PEER_SLOW_READER: "a peer does not read what it was sent",
  PEER_CLOSED: "the peer closed the connection",
  PEER_CONNECT_FAILED: "a peer could not be reached",
  PEER_REMOVED: "the torrent was paused, stopped or removed",
} as const;
export type SwarmErrorCode = keyof typeof swarmErrorCodes;

export class SwarmError extends CodedError<SwarmErrorCode> {}

/** A reason to let a peer go, with the table's sentence as its message. */
export function peerError(code: SwarmErrorCode, details?: ErrorInfo["details"], cause?: unknown): SwarmError {
  return new SwarmError(code, swarmErrorCodes[code], {
    fault: "remote",
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause }),
  });
}
