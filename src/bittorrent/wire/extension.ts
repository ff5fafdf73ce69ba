import { decodeUtf8Loose } from "#/base/bytes.ts";
import { BencodeDictionary, type BencodeInput, decodePrefix, encode } from "../bencode/index.ts";
import { localWireError, remoteWireError } from "./errors.ts";
import { encodeMessage, readUint32 } from "./messages.ts";

/** The id of an extended message that carries the extension handshake (BEP 10). */
export const EXTENSION_HANDSHAKE_ID = 0;
/** Name in `m` of the message that takes back a have (BEP 54). */
export const DONT_HAVE_NAME = "lt_donthave";

/** Limits on an extension handshake of a peer: it is a few hundred bytes from every program known. */
const handshakeLimits = { maxBytes: 65_536, maxDepth: 16, maxValues: 2_000 } as const;
const MAX_VERSION_LENGTH = 80;

/** What a peer says of itself once both sides speak BEP 10; a later one amends it. */
export interface ExtensionHandshake {
  /** Names of extension messages and the ids under which the sender takes them; id 0 turns one off. BOUNDED by the limits above. */
  readonly messages: ReadonlyMap<string, number>;
  /** `v`: name and version of the program, at most 80 characters, without control characters. */
  readonly version?: string;
  /** `p`: the port on which the sender listens. */
  readonly port?: number;
  /** `reqq`: how many requests the sender keeps, 1 or more. */
  readonly requestQueue?: number;
  /** `yourip`: our address as the sender sees it, 4 or 16 bytes. */
  readonly yourIp?: Uint8Array;
  /** `ipv4`: an address of the sender, 4 bytes. */
  readonly ipv4?: Uint8Array;
  /** `ipv6`: an address of the sender, 16 bytes. */
  readonly ipv6?: Uint8Array;
  /** `upload_only`: the sender wants no pieces (BEP 21). */
  readonly uploadOnly?: boolean;
  /** `metadata_size`: bytes of the info dictionary (BEP 9), 1 or more. */
  readonly metadataSize?: number;
  /** All keys, those above too. */
  readonly raw: BencodeDictionary;
}

export interface ExtensionHandshakeFields extends Omit<ExtensionHandshake, "raw"> {
  /** Keys of further extensions; a key that belongs to a given field above is not taken from here. */
  readonly extra?: Readonly<Record<string, BencodeInput>>;
}

/**
 * The payload of an extension handshake; send it with `encodeExtended(EXTENSION_HANDSHAKE_ID, payload)`.
 * @throws {WireError} WIRE_OUT_OF_RANGE
 * @throws {BencodeError} BENCODE_UNENCODABLE for a value in `extra`
 */
export function encodeExtensionHandshake(fields: ExtensionHandshakeFields): Uint8Array {
  for (const [name, id] of fields.messages) requireInteger(name, id, 0, 0xff);
  requireInteger("port", fields.port, 1, 0xffff);
  requireInteger("requestQueue", fields.requestQueue, 1, Number.MAX_SAFE_INTEGER);
  requireInteger("metadataSize", fields.metadataSize, 1, Number.MAX_SAFE_INTEGER);
  requireLength("yourIp", fields.yourIp, [4, 16]);
  requireLength("ipv4", fields.ipv4, [4]);
  requireLength("ipv6", fields.ipv6, [16]);
  const members = new Map<string, BencodeInput>(Object.entries(fields.extra ?? {}));
  const set = (key: string, value: BencodeInput | undefined): void => {
    if (value !== undefined) members.set(key, value);
  };
  set("m", fields.messages);
  set("v", fields.version);
  set("p", fields.port);
  set("reqq", fields.requestQueue);
  set("yourip", fields.yourIp);
  set("ipv4", fields.ipv4);
  set("ipv6", fields.ipv6);
  set("upload_only", fields.uploadOnly === undefined ? undefined : Number(fields.uploadOnly));
  set("metadata_size", fields.metadataSize);
  return encode(members);
}

/**
 * Decodes the payload of an extension handshake. A field of the wrong type or out of range is left out, and bytes behind the dictionary
 * are ignored, since programs in use send both.
 * @param payload at most 65,536 bytes; copied, so that the result does not depend on it
 * @throws {WireError} WIRE_BAD_EXTENSION_HANDSHAKE when it is not a dictionary, or exceeds 65,536 bytes, 2,000 values or 16 levels
 */
export function decodeExtensionHandshake(payload: Uint8Array): ExtensionHandshake {
  const raw = decodeDictionary(payload);
  const optional: { -readonly [K in keyof ExtensionHandshake]?: ExtensionHandshake[K] } = {};
  const version = printable(raw.bytes("v"));
  if (version !== "") optional.version = version;
  const port = integerBetween(raw, "p", 1, 0xffff);
  if (port !== undefined) optional.port = port;
  const requestQueue = integerBetween(raw, "reqq", 1, Number.MAX_SAFE_INTEGER);
  if (requestQueue !== undefined) optional.requestQueue = requestQueue;
  const yourIp = raw.bytes("yourip");
  if (yourIp?.byteLength === 4 || yourIp?.byteLength === 16) optional.yourIp = yourIp;
  const ipv4 = raw.bytes("ipv4");
  if (ipv4?.byteLength === 4) optional.ipv4 = ipv4;
  const ipv6 = raw.bytes("ipv6");
  if (ipv6?.byteLength === 16) optional.ipv6 = ipv6;
  const uploadOnly = raw.integer("upload_only");
  if (uploadOnly !== undefined) optional.uploadOnly = uploadOnly !== 0;
  const metadataSize = integerBetween(raw, "metadata_size", 1, Number.MAX_SAFE_INTEGER);
  if (metadataSize !== undefined) optional.metadataSize = metadataSize;
  return { messages: readMessages(raw.dictionary("m")), ...optional, raw };
}

function decodeDictionary(payload: Uint8Array): BencodeDictionary {
  const bytes = payload.byteLength;
  if (bytes > handshakeLimits.maxBytes) {
    throw remoteWireError("WIRE_BAD_EXTENSION_HANDSHAKE", "the extension handshake is too long", {
      length: bytes,
      limit: handshakeLimits.maxBytes,
    });
  }
  let value: unknown;
  try {
    value = decodePrefix(Uint8Array.from(payload), handshakeLimits).value;
  } catch (error) {
    throw remoteWireError("WIRE_BAD_EXTENSION_HANDSHAKE", "the extension handshake cannot be decoded", { length: bytes }, error);
  }
  if (value instanceof BencodeDictionary) return value;
  throw remoteWireError("WIRE_BAD_EXTENSION_HANDSHAKE", "the extension handshake is not a dictionary", { length: bytes });
}

function readMessages(dictionary: BencodeDictionary | undefined): ReadonlyMap<string, number> {
  const messages = new Map<string, number>();
  for (const [name, id] of dictionary?.entries() ?? []) {
    if (typeof id === "number" && id >= 0 && id <= 0xff) messages.set(name, id);
  }
  return messages;
}

/** What may be shown on a terminal: no control, format or unassigned characters. */
function printable(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "";
  return decodeUtf8Loose(bytes.subarray(0, 4 * MAX_VERSION_LENGTH))
    .replace(/[\p{C}\u2028\u2029]/gu, "")
    .trim()
    .slice(0, MAX_VERSION_LENGTH)
    .toWellFormed();
}

function integerBetween(dictionary: BencodeDictionary, key: string, min: number, max: number): number | undefined {
  const value = dictionary.integer(key);
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

/**
 * An extended message (BEP 10) with its length prefix.
 * @param id 0 for the handshake, else the id that the receiver has named in its `m`
 * @throws {WireError} WIRE_OUT_OF_RANGE
 */
export function encodeExtended(id: number, payload: Uint8Array): Uint8Array {
  return encodeMessage({ type: "extended", id, payload });
}

/**
 * The payload that says that we no longer have `piece` (BEP 54).
 * @throws {WireError} WIRE_OUT_OF_RANGE
 */
export function encodeDontHave(piece: number): Uint8Array {
  requireInteger("piece", piece, 0, 0xffff_ffff);
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, piece);
  return out;
}

/**
 * The piece that a peer no longer has (BEP 54); does not check that it exists.
 * @throws {WireError} WIRE_BAD_LENGTH when the payload is not 4 bytes long
 */
export function decodeDontHave(payload: Uint8Array): number {
  if (payload.byteLength !== 4) {
    throw remoteWireError("WIRE_BAD_LENGTH", `${DONT_HAVE_NAME} is not 4 bytes long`, { length: payload.byteLength });
  }
  return readUint32(payload, 0);
}

function requireInteger(field: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw localWireError(`${field} is out of range`, { field, got: value, min, max });
}

function requireLength(field: string, bytes: Uint8Array | undefined, lengths: readonly number[]): void {
  if (bytes === undefined || lengths.includes(bytes.byteLength)) return;
  throw localWireError(`${field} is not ${lengths.join(" or ")} bytes long`, { field, got: bytes.byteLength });
}
