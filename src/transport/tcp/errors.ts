import { CodedError } from "#/base/errors.ts";

export const transportErrorCodes = {
  TRANSPORT_BAD_ADDRESS: "an address cannot be dialled by this transport",
  TRANSPORT_UNREACHABLE: "a peer refused the connection, has no route, or did not answer in time",
  TRANSPORT_CANNOT_LISTEN: "the listening address is in use, not ours, or not permitted",
} as const;

export class TransportError extends CodedError<keyof typeof transportErrorCodes> {}
