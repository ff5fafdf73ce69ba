/**
 * JSON that stands for one bencoded value and for no other, so that the way back gives the same bytes:
 * - an integer is a number, with all its digits however large it is;
 * - a byte string is a string when it is UTF-8, else `{"hex": "00ff"}`;
 * - a list is an array; a dictionary is an object with its keys in the order of the input;
 * - a dictionary that would be taken for something else, since its only key is `hex` or `dictionary`, or that has a key which
 *   is not UTF-8, is `{"dictionary": [[key, value], …]}`.
 */
import { fromLatin1, toHex, toLatin1, tryDecodeUtf8, tryFromHex } from "#/base/bytes.ts";
import type { BencodeDictionary, BencodeInput, BencodeValue } from "#/bittorrent/bencode/index.ts";
import { CliError } from "./errors.ts";

const reservedKeys: ReadonlySet<string> = new Set(["hex", "dictionary"]);

/** @param indent spaces a level; 0: all on one line */
export function formatBencodeJson(value: BencodeValue, indent: number): string {
  const parts: string[] = [];
  writeValue(value, parts, indent === 0 ? undefined : "\n", " ".repeat(indent));
  return parts.join("");
}

/** @param newline line break and indentation of the surrounding level; undefined: all on one line */
function writeValue(value: BencodeValue, parts: string[], newline: string | undefined, step: string): void {
  if (typeof value === "number" || typeof value === "bigint") parts.push(String(value));
  else if (value instanceof Uint8Array) parts.push(formatBytes(value));
  else if (Array.isArray(value))
    writeGroup("[", "]", value, parts, newline, step, (item, inner) => writeValue(item, parts, inner, step));
  else writeDictionary(value, parts, newline, step);
}

function writeDictionary(value: BencodeDictionary, parts: string[], newline: string | undefined, step: string): void {
  const colon = newline === undefined ? ":" : ": ";
  const entries = Array.from(value.entries(), ([key, item]) => ({
    bytes: fromLatin1(key),
    text: tryDecodeUtf8(fromLatin1(key)),
    item,
  }));
  const [only] = entries;
  const ambiguous = entries.length === 1 && only?.text !== undefined && reservedKeys.has(only.text);
  if (!ambiguous && entries.every((entry) => entry.text !== undefined)) {
    writeGroup("{", "}", entries, parts, newline, step, ({ text, item }, inner) => {
      parts.push(JSON.stringify(text), colon);
      writeValue(item, parts, inner, step);
    });
    return;
  }
  parts.push(`{"dictionary"${colon}`);
  writeGroup("[", "]", entries, parts, newline, step, ({ bytes, item }, inner) => {
    parts.push(`[${formatBytes(bytes)}${newline === undefined ? "," : ", "}`);
    writeValue(item, parts, inner, step);
    parts.push("]");
  });
  parts.push("}");
}

function writeGroup<T>(
  open: string,
  close: string,
  items: readonly T[],
  parts: string[],
  newline: string | undefined,
  step: string,
  write: (item: T, inner: string | undefined) => void,
): void {
  const inner = newline === undefined || items.length === 0 ? undefined : newline + step;
  parts.push(open);
  items.forEach((item, i) => {
    if (i > 0) parts.push(",");
    if (inner !== undefined) parts.push(inner);
    write(item, inner);
  });
  if (inner !== undefined) parts.push(newline as string);
  parts.push(close);
}

function formatBytes(bytes: Uint8Array): string {
  const text = tryDecodeUtf8(bytes);
  return text === undefined ? `{"hex":"${toHex(bytes)}"}` : JSON.stringify(text);
}

/**
 * The value that a JSON text of the form above stands for, to be encoded.
 * @param name of the file, for messages
 * @throws {CliError} CLI_NOT_JSON
 */
export function parseBencodeJson(text: string, name: string): BencodeInput {
  try {
    return toBencode(JSON.parse(text, wholeNumbers), "the value", 0);
  } catch (error) {
    if (error instanceof SyntaxError) throw new CliError("CLI_NOT_JSON", `${name}: not JSON: ${error.message}`, { cause: error });
    if (error instanceof NotBencodable) throw new CliError("CLI_NOT_JSON", `${name}: ${error.message}`, { cause: error });
    if (error instanceof RangeError) throw new CliError("CLI_NOT_JSON", `${name}: nested too deep`, { cause: error }); // the parser's stack
    throw error;
  }
}

class NotBencodable extends Error {}

/** Keeps all digits: JSON.parse by itself rounds integers beyond 2^53. */
function wholeNumbers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number") return value;
  const source = context?.source ?? "";
  if (!/^-?\d+$/.test(source)) throw new NotBencodable(`${source} is not a whole number`);
  return Number.isSafeInteger(value) ? value : BigInt(source);
}

const MAX_DEPTH = 100;

function toBencode(value: unknown, where: string, depth: number): BencodeInput {
  if (typeof value === "number" || typeof value === "bigint") return value;
  if (typeof value === "string") return textBytes(value, where);
  if (typeof value !== "object" || value === null) throw new NotBencodable(`${where} is ${value}, which has no bencoded form`);
  if (depth === MAX_DEPTH) throw new NotBencodable("nested too deep");
  if (Array.isArray(value)) return value.map((item: unknown, i) => toBencode(item, `item ${i + 1} of ${where}`, depth + 1));
  const entries = Object.entries(value);
  const [only] = entries;
  if (entries.length === 1 && only?.[0] === "hex") return hexBytes(only[1], where);
  if (entries.length === 1 && only?.[0] === "dictionary") return dictionaryOfPairs(only[1], where, depth);
  return new Map(
    entries.map(([key, item]) => [
      toLatin1(textBytes(key, `a key of ${where}`)),
      toBencode(item, `"${key}" of ${where}`, depth + 1),
    ]),
  );
}

function textBytes(text: string, where: string): Uint8Array {
  if (!text.isWellFormed()) throw new NotBencodable(`${where} holds half of a surrogate pair, which is no text`);
  return new TextEncoder().encode(text);
}

function hexBytes(value: unknown, where: string): Uint8Array {
  const bytes = typeof value === "string" ? tryFromHex(value) : undefined;
  if (bytes === undefined) throw new NotBencodable(`"hex" of ${where} is not an even number of hexadecimal digits`);
  return bytes;
}

function dictionaryOfPairs(value: unknown, where: string, depth: number): BencodeInput {
  const pairs = Array.isArray(value) ? (value as readonly unknown[]) : [undefined];
  const map = new Map<string, BencodeInput>();
  for (const pair of pairs) {
    if (!Array.isArray(pair) || pair.length !== 2)
      throw new NotBencodable(`"dictionary" of ${where} is not a list of [key, value] pairs`);
    const key = toBencode(pair[0], `a key of ${where}`, depth + 1);
    if (!(key instanceof Uint8Array)) throw new NotBencodable(`a key of ${where} is not a byte string`);
    map.set(toLatin1(key), toBencode(pair[1], `a value of ${where}`, depth + 1));
  }
  return map;
}
