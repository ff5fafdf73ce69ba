import { BencodeError, type BencodeInput, encode } from "#/bittorrent/bencode/index.ts";
import { MetainfoError, type metainfoErrorCodes } from "./errors.ts";
import type { TorrentNode } from "./metainfo.ts";
import { parseMetainfo } from "./parse.ts";

/** A file of a torrent to be built. */
export interface BuildFile {
  /** Names below the torrent's folder. */
  readonly path: readonly string[];
  /** In bytes; 0 for a symbolic link. */
  readonly length: number;
  readonly executable?: boolean | undefined;
  readonly hidden?: boolean | undefined;
  readonly padding?: boolean | undefined;
  /** For a symbolic link: the path below the torrent's folder that it leads to. */
  readonly symlink?: readonly string[] | undefined;
}

/** A torrent to be built: `files` for a folder, or `length` for a single file. */
export interface BuildInput {
  /** Name of the file, or of the folder of files. */
  readonly name: string;
  /** In the order in which their bytes make up the data. */
  readonly files?: readonly BuildFile[] | undefined;
  /** In bytes. */
  readonly length?: number | undefined;
  /** For a single file. */
  readonly executable?: boolean | undefined;
  /** In bytes; see `choosePieceLength`. */
  readonly pieceLength: number;
  /** SHA-1 of each piece, 20 bytes each, in order. */
  readonly pieces: Uint8Array;
  /** @default false */
  readonly private?: boolean | undefined;
  /** Goes into the info dictionary, so that the info-hash differs with it. */
  readonly source?: string | undefined;
  /** Announce URLs by tier (BEP 12). */
  readonly trackers?: readonly (readonly string[])[] | undefined;
  readonly webSeeds?: readonly string[] | undefined;
  readonly httpSeeds?: readonly string[] | undefined;
  readonly nodes?: readonly TorrentNode[] | undefined;
  readonly comment?: string | undefined;
  readonly createdBy?: string | undefined;
  /** Left out unless given, so that the same input gives the same bytes at any time. */
  readonly creationDate?: Date | undefined;
}

const MIN_CHOSEN_PIECE_LENGTH = 16_384;
const MAX_CHOSEN_PIECE_LENGTH = 16_777_216; // what programs take without asking
const MAX_CHOSEN_PIECES = 2048;

/** The least power of two from 16 KiB that gives at most 2,048 pieces, and no more than 16 MiB. */
export function choosePieceLength(totalLength: number): number {
  let pieceLength = MIN_CHOSEN_PIECE_LENGTH;
  while (pieceLength < MAX_CHOSEN_PIECE_LENGTH && totalLength > pieceLength * MAX_CHOSEN_PIECES) pieceLength *= 2;
  return pieceLength;
}

/**
 * Writes a torrent file (BEP 3, 12, 17, 19, 27, 47). The same input gives the same bytes.
 * The result is read again before it is returned, so it has nothing that `parseMetainfo` refuses.
 * @throws {MetainfoError} any code but METAINFO_UNSUPPORTED_VERSION, with `fault: "local"`
 */
export function buildMetainfo(input: BuildInput): Uint8Array {
  const { files, length, trackers = [], webSeeds = [], httpSeeds = [], nodes = [] } = input;
  if ((files === undefined) === (length === undefined)) throw badInput("a torrent has either files or a length");
  expectName(input.name);
  const tiers = trackers.filter((tier) => tier.length > 0);
  const urls = tiers.flat();
  const info = {
    name: input.name,
    "piece length": input.pieceLength,
    pieces: input.pieces,
    length,
    files: files?.map(fileEntry),
    attr: input.executable ? "x" : undefined,
    private: input.private ? 1 : undefined,
    source: input.source,
  };
  const bytes = encodeInput({
    announce: urls[0],
    "announce-list": urls.length > 1 ? tiers : undefined,
    "url-list": webSeeds.length > 0 ? webSeeds : undefined,
    httpseeds: httpSeeds.length > 0 ? httpSeeds : undefined,
    nodes: nodes.length > 0 ? nodes.map(({ host, port }) => [host, port]) : undefined,
    comment: input.comment,
    "created by": input.createdBy,
    "creation date": input.creationDate === undefined ? undefined : Math.floor(input.creationDate.getTime() / 1000),
    info,
  });
  expectReadable(bytes);
  return bytes;
}

function fileEntry(file: BuildFile): BencodeInput {
  for (const name of file.path) expectName(name);
  const attr = `${file.padding ? "p" : ""}${file.executable ? "x" : ""}${file.hidden ? "h" : ""}${file.symlink ? "l" : ""}`;
  return { length: file.length, path: file.path, attr: attr === "" ? undefined : attr, "symlink path": file.symlink };
}

/** Names that a folder on disk cannot have had: what other programs make of them is not known. */
function expectName(name: string): void {
  if (name !== "." && name !== ".." && !name.includes("/") && !name.includes("\0")) return;
  const details = { name };
  throw new MetainfoError("METAINFO_BAD_NAME", `"${name}" cannot be the name of a file or folder`, { fault: "local", details });
}

function encodeInput(value: BencodeInput): Uint8Array {
  try {
    return encode(value);
  } catch (error) {
    if (error instanceof BencodeError) throw badInput(error.plainMessage, error);
    throw error;
  }
}

function expectReadable(bytes: Uint8Array): void {
  let issue: { where: string; what: string } | undefined;
  try {
    issue = parseMetainfo(bytes).issues[0];
  } catch (error) {
    if (error instanceof BencodeError) throw badInput(error.plainMessage, error);
    if (!(error instanceof MetainfoError)) throw error;
    const { details, plainMessage } = error;
    throw new MetainfoError(error.code as keyof typeof metainfoErrorCodes, plainMessage, { fault: "local", details, cause: error });
  }
  if (issue !== undefined) throw badInput(`${issue.where}: ${issue.what}`);
}

function badInput(message: string, cause?: unknown): MetainfoError {
  return new MetainfoError("METAINFO_BAD_INPUT", message, { fault: "local", cause });
}
