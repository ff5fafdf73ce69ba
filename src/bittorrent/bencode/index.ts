/**
 * Bencoding (BEP 3): the notation of torrent files, tracker answers and DHT messages.
 *
 * `decode` gives views into the input and never copies byte strings; what is hashed or signed is taken from
 * `BencodeDictionary.rawOf` as it stands, never encoded again. `encode` writes canonical form.
 */
export { type BencodeIssue, type DecodedPrefix, type DecodeOptions, decode, decodePrefix, ListDecoder } from "./decode.ts";
export { BencodeDictionary, type BencodeValue } from "./dictionary.ts";
export { type BencodeInput, encode } from "./encode.ts";
export { BencodeError, bencodeErrorCodes } from "./errors.ts";
