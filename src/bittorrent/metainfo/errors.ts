import { CodedError } from "#/base/errors.ts";

/** Every code of `MetainfoError`. */
export const metainfoErrorCodes = {
  METAINFO_MISSING: "a key that a torrent must have is absent",
  METAINFO_WRONG_TYPE: "a value has another type than its key demands",
  METAINFO_NEGATIVE: "a length or size is below zero",
  METAINFO_OVERFLOW: "a length, or the sum of all lengths, is beyond 2^53 - 1",
  METAINFO_BAD_PIECE_LENGTH: "the piece length is zero or beyond 512 MiB",
  METAINFO_BAD_PIECES: "the bytes of pieces are not a multiple of 20",
  METAINFO_PIECES_MISMATCH: "the number of piece hashes does not fit the length of the data",
  METAINFO_NO_FILES: "the list of files is empty",
  METAINFO_EMPTY_PATH: "the name, a path or a part of a path is empty",
  METAINFO_DUPLICATE_PATH: "two files have exactly the same path",
  METAINFO_BAD_NAME: "a name for a new torrent is '.' or '..', or holds a slash or NUL",
  METAINFO_BAD_INPUT: "the description of a new torrent contradicts itself",
  METAINFO_UNSUPPORTED_VERSION: "the torrent has only version 2 metadata (BEP 52), which is not supported",
} as const;

/** What reading a torrent throws for wrong contents (`fault: "remote"`) and building one for wrong input (`fault: "local"`). */
export class MetainfoError extends CodedError<keyof typeof metainfoErrorCodes> {}
