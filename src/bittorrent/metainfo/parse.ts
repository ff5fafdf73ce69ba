import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import { BencodeDictionary, decodePrefix } from "#/bittorrent/bencode/index.ts";
import { MetainfoError } from "./errors.ts";
import { emptyPath, FileListReader, MAX_VALUES, type NameContext, readAttributes } from "./files.ts";
import { HASH_LENGTH, type InfoFields, Metainfo, type OuterFields, type TorrentFile } from "./metainfo.ts";
import { readOuterFields } from "./outer.ts";
import { type NameRules, safeName } from "./safe-names.ts";
import { expectBytes, expectSize, IssueList, missing, typeName, wrongType } from "./strict.ts";
import { TextReader } from "./text.ts";

/** Longest piece in bytes. A piece is a unit of work and memory, and its offsets go over the wire in 32 bits. */
export const MAX_PIECE_LENGTH = 536_870_912;

export interface ParseOptions {
  /** Which names of files are made safe. @default "portable" */
  readonly names?: NameRules;
}

export interface ParseInfoOptions extends ParseOptions {
  /** What is known from elsewhere, such as a magnet link. */
  readonly outer?: Partial<OuterFields>;
}

/** Decoded bytes with what is needed to name places in them. */
interface Source {
  readonly bytes: Uint8Array;
  readonly issues: IssueList;
}

const DECODE_OPTIONS = { opaqueKeys: ["files"], maxValues: MAX_VALUES } as const;

/**
 * Reads a torrent (BEP 3, "metainfo files"; BEP 5, 12, 17, 19, 27, 47). What hinders its use is an error; what does not is
 * in `issues` and left out: keys beside `info` of the wrong type, departures from canonical notation, bytes behind the end.
 * @param bytes must not change while the result is used, which has views of it
 * @throws {MetainfoError} any code but METAINFO_BAD_NAME and METAINFO_BAD_INPUT
 * @throws {BencodeError} as `decodePrefix`
 */
export function parseMetainfo(bytes: Uint8Array, options: ParseOptions = {}): Metainfo {
  const source: Source = { bytes, issues: new IssueList() };
  const { value: root, end, issues } = decodePrefix(bytes, DECODE_OPTIONS);
  if (!(root instanceof BencodeDictionary)) throw wrongType("", root, "a dictionary");
  source.issues.addNotation(issues, 0);
  if (end !== bytes.byteLength) source.issues.add(`byte ${end}`, `${bytes.byteLength - end} bytes follow the torrent`);
  const info = root.get("info");
  if (info === undefined) throw missing("info");
  if (!(info instanceof BencodeDictionary)) throw wrongType("info", info, "a dictionary");
  const reader = new TextReader(root.text("encoding"));
  const outer = readOuterFields(root, reader, source.issues);
  return readInfo(info, source, { names: options.names ?? "portable", reader, outer });
}

/**
 * Reads an info dictionary alone, as peers send it for a magnet link (BEP 9). Its hash is not compared with anything.
 * @param info must not change while the result is used, which has views of it
 * @throws {MetainfoError} as `parseMetainfo`
 * @throws {BencodeError} as `decodePrefix`
 */
export function parseInfo(info: Uint8Array, options: ParseInfoOptions = {}): Metainfo {
  const source: Source = { bytes: info, issues: new IssueList() };
  const { value, end, issues } = decodePrefix(info, DECODE_OPTIONS);
  if (!(value instanceof BencodeDictionary)) throw wrongType("info", value, "a dictionary");
  if (end !== info.byteLength) {
    const details = { where: "info", trailing: info.byteLength - end };
    throw new MetainfoError("METAINFO_WRONG_TYPE", `${details.trailing} bytes follow info`, { fault: "remote", details });
  }
  source.issues.addNotation(issues, 0);
  const outer: OuterFields = { trackers: [], webSeeds: [], httpSeeds: [], nodes: [], ...options.outer };
  return readInfo(value, source, { names: options.names ?? "portable", reader: new TextReader(outer.encoding), outer });
}

interface InfoContext {
  readonly names: NameRules;
  readonly reader: TextReader;
  readonly outer: OuterFields;
}

function readInfo(info: BencodeDictionary, source: Source, { names, reader, outer }: InfoContext): Metainfo {
  const { issues } = source;
  if (!info.has("pieces") && (info.has("file tree") || info.has("meta version"))) {
    throw new MetainfoError("METAINFO_UNSUPPORTED_VERSION", "the torrent has only version 2 metadata", { fault: "remote" });
  }
  const context: NameContext = { names, reader, issues };
  const name = readName(info, context);
  const folder = safeName(name, names);
  const pieceLength = expectSize(info, "piece length", "info.piece length");
  if (pieceLength === 0 || pieceLength > MAX_PIECE_LENGTH) {
    throw new MetainfoError("METAINFO_BAD_PIECE_LENGTH", `a piece length of ${pieceLength} is not 1 to ${MAX_PIECE_LENGTH}`, {
      fault: "remote",
      details: { got: pieceLength },
    });
  }
  const singleFile = !info.has("files");
  const { files, totalLength } = singleFile ? readSingleFile(info, name, folder) : readFileList(info, source, folder, context);
  const pieces = readPieces(info, totalLength, pieceLength);
  const sourceText = info.text("source");
  const raw = info.raw;
  const fields: InfoFields = {
    infoHash: Uint8Array.from(createHash("sha1").update(raw).digest()),
    info: raw,
    name,
    safeName: folder,
    pieceLength,
    totalLength,
    pieces,
    files,
    isPrivate: readPrivate(info, issues),
    singleFile,
    ...(sourceText !== undefined && { source: sourceText }),
    issues: issues.items,
  };
  return new Metainfo(fields, outer);
}

function readName(info: BencodeDictionary, { reader, issues }: NameContext): string {
  const preferred = info.get("name.utf-8");
  if (preferred instanceof Uint8Array && preferred.byteLength > 0 && isUtf8(preferred)) return reader.text(preferred);
  if (preferred !== undefined) issues.add("info.name.utf-8", "not a name in UTF-8");
  const name = expectBytes(info, "name", "info.name");
  if (name.byteLength === 0) throw emptyPath("info.name");
  return reader.text(name);
}

function readSingleFile(info: BencodeDictionary, name: string, safe: string): { files: TorrentFile[]; totalLength: number } {
  const { executable, hidden } = readAttributes(info, () => "info");
  const length = expectSize(info, "length", "info.length");
  const file: TorrentFile = { index: 0, path: [name], safePath: [safe], length, offset: 0, padding: false, executable, hidden };
  return { files: [file], totalLength: length };
}

function readFileList(info: BencodeDictionary, source: Source, folder: string, context: NameContext): FileListReader {
  if (info.has("length")) source.issues.add("info.length", "there is info.files too, which counts");
  const list = expectBytes(info, "files", "info.files"); // opaque: the value as it stands
  if (list[0] !== "l".charCodeAt(0)) throw wrongType("info.files", decodePrefix(list).value, "a list");
  const reader = new FileListReader(folder, context);
  reader.read(list, list.byteOffset - source.bytes.byteOffset);
  return reader;
}

function readPieces(info: BencodeDictionary, totalLength: number, pieceLength: number): Uint8Array {
  const pieces = expectBytes(info, "pieces", "info.pieces");
  if (pieces.byteLength % HASH_LENGTH !== 0) {
    throw new MetainfoError("METAINFO_BAD_PIECES", `info.pieces has ${pieces.byteLength} bytes, not a multiple of ${HASH_LENGTH}`, {
      fault: "remote",
      details: { got: pieces.byteLength },
    });
  }
  const got = pieces.byteLength / HASH_LENGTH;
  const want = Math.ceil(totalLength / pieceLength);
  if (got !== want) {
    const details = { got, want, totalLength, pieceLength };
    throw new MetainfoError("METAINFO_PIECES_MISMATCH", `${got} piece hashes for ${want} pieces`, { fault: "remote", details });
  }
  return pieces;
}

/** When in doubt private: the other way would give away what was to be kept among the peers of its trackers. */
function readPrivate(info: BencodeDictionary, issues: IssueList): boolean {
  const value = info.get("private");
  if (value === undefined || value === 0) return false;
  if (typeof value !== "number" && typeof value !== "bigint") issues.add("info.private", `${typeName(value)}, not an integer`);
  return true;
}
