import { CodedError } from "#/base/errors.ts";

/** Every code of `BencodeError`. */
export const bencodeErrorCodes = {
  BENCODE_TRUNCATED: "the input ends inside a value",
  BENCODE_UNEXPECTED_BYTE: "a byte stands where a value must begin, and begins none",
  BENCODE_BAD_INTEGER: "an integer is not written as digits with at most one minus sign",
  BENCODE_INTEGER_RANGE: "an integer is outside the allowed range, 64 bits unless told otherwise",
  BENCODE_BAD_LENGTH: "the length of a byte string is not digits followed by a colon",
  BENCODE_BAD_KEY: "a dictionary key is not a byte string",
  BENCODE_TOO_DEEP: "lists and dictionaries are nested deeper than allowed",
  BENCODE_TOO_LARGE: "the input has more bytes than allowed",
  BENCODE_TOO_MANY_VALUES: "the input holds more values than allowed",
  BENCODE_TRAILING_BYTES: "bytes follow the end of the value",
  BENCODE_NOT_CANONICAL: "the value is not written in the one canonical way, which was demanded",
  BENCODE_UNENCODABLE: "a value has no bencoded form",
} as const;

/** What `decode` throws for bad bytes (`fault: "remote"`) and `encode` for bad values (`fault: "local"`). */
export class BencodeError extends CodedError<keyof typeof bencodeErrorCodes> {}
