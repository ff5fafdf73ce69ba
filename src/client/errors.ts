import { CodedError } from "#/base/errors.ts";

export const clientErrorCodes = {
  CLIENT_CLOSED: "the client was closed",
  CLIENT_BAD_OPTION: "an option has a value that cannot be used",
  CLIENT_DUPLICATE_TORRENT: "the torrent is in this client already",
  CLIENT_TORRENT_STOPPED: "the torrent was stopped before it was complete",
} as const;
export type ClientErrorCode = keyof typeof clientErrorCodes;

export class ClientError extends CodedError<ClientErrorCode> {}
