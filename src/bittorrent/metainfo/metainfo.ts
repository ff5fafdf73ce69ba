import { toHex } from "#/base/bytes.ts";

/** One file of a torrent. */
export interface TorrentFile {
  /** Its place in the torrent, from 0. */
  readonly index: number;
  /** The path as the torrent has it, below the torrent's name; for a torrent of a single file, that name. Not safe to use. */
  readonly path: readonly string[];
  /** The path below the output folder, the torrent's own folder included: safe on every system, and no other file's. */
  readonly safePath: readonly string[];
  /** In bytes. */
  readonly length: number;
  /** Where its first byte is in the torrent's data, which is all files one after another. */
  readonly offset: number;
  /** Only zeros that move the next file to the beginning of a piece (BEP 47): never written, and paths may be the same. */
  readonly padding: boolean;
  readonly executable: boolean;
  readonly hidden: boolean;
  /** For a symbolic link (BEP 47): the safe path below the output folder that it leads to, a file or folder of the torrent. */
  readonly symlink?: readonly string[];
}

/** A DHT node that a torrent names (BEP 5, "torrent file extensions"). */
export interface TorrentNode {
  /** An IP address, a host name, or a SCION host; as the torrent has it. */
  readonly host: string;
  readonly port: number;
}

/** Something wrong that does not hinder use of the torrent. */
export interface MetainfoIssue {
  /** The key, as in `announce-list` or `info.files.3.path`; for issues of notation the place, as in `byte 17`. */
  readonly where: string;
  readonly what: string;
}

/** What a torrent says outside of its info dictionary; a magnet link gives some of it. */
export interface OuterFields {
  /** Announce URLs by tier (BEP 12); a lone `announce` is one tier of one. */
  readonly trackers: readonly (readonly string[])[];
  /** `url-list` (BEP 19). */
  readonly webSeeds: readonly string[];
  /** `httpseeds` (BEP 17). */
  readonly httpSeeds: readonly string[];
  readonly nodes: readonly TorrentNode[];
  readonly comment?: string;
  readonly createdBy?: string;
  readonly creationDate?: Date;
  readonly encoding?: string;
}

/** What a torrent says inside of its info dictionary. */
export interface InfoFields {
  /** SHA-1 of `info`, 20 bytes. */
  readonly infoHash: Uint8Array;
  /** The info dictionary as it stands, a view of the input. */
  readonly info: Uint8Array;
  readonly name: string;
  /** The name of the file, or of the folder of files, in the output folder. */
  readonly safeName: string;
  /** In bytes; only the last piece is shorter. */
  readonly pieceLength: number;
  /** In bytes, padding included. */
  readonly totalLength: number;
  /** SHA-1 of each piece, 20 bytes each, a view of the input. */
  readonly pieces: Uint8Array;
  readonly files: readonly TorrentFile[];
  /** Peers may only come from its trackers (BEP 27). */
  readonly isPrivate: boolean;
  /** There is no folder of the torrent's own: its one file is directly in the output folder. */
  readonly singleFile: boolean;
  readonly source?: string;
  readonly issues: readonly MetainfoIssue[];
}

/** Bytes of a SHA-1 hash. */
export const HASH_LENGTH = 20;

/** A torrent, version 1 (BEP 3). The input it was read from must not change while it is used. */
export class Metainfo implements InfoFields, OuterFields {
  readonly infoHash: Uint8Array;
  readonly infoHashHex: string;
  readonly info: Uint8Array;
  readonly name: string;
  readonly safeName: string;
  readonly pieceLength: number;
  readonly pieceCount: number;
  readonly totalLength: number;
  readonly pieces: Uint8Array;
  readonly files: readonly TorrentFile[];
  readonly isPrivate: boolean;
  readonly singleFile: boolean;
  readonly trackers: readonly (readonly string[])[];
  readonly webSeeds: readonly string[];
  readonly httpSeeds: readonly string[];
  readonly nodes: readonly TorrentNode[];
  readonly source?: string;
  readonly comment?: string;
  readonly createdBy?: string;
  readonly creationDate?: Date;
  readonly encoding?: string;
  readonly issues: readonly MetainfoIssue[];

  /** Made by `parseMetainfo` and `parseInfo`, which check the fields. */
  constructor(inner: InfoFields, outer: OuterFields) {
    this.infoHash = inner.infoHash;
    this.infoHashHex = toHex(inner.infoHash);
    this.info = inner.info;
    this.name = inner.name;
    this.safeName = inner.safeName;
    this.pieceLength = inner.pieceLength;
    this.pieceCount = inner.pieces.byteLength / HASH_LENGTH;
    this.totalLength = inner.totalLength;
    this.pieces = inner.pieces;
    this.files = inner.files;
    this.isPrivate = inner.isPrivate;
    this.singleFile = inner.singleFile;
    if (inner.source !== undefined) this.source = inner.source;
    this.trackers = outer.trackers;
    this.webSeeds = outer.webSeeds;
    this.httpSeeds = outer.httpSeeds;
    this.nodes = outer.nodes;
    if (outer.comment !== undefined) this.comment = outer.comment;
    if (outer.createdBy !== undefined) this.createdBy = outer.createdBy;
    if (outer.creationDate !== undefined) this.creationDate = outer.creationDate;
    if (outer.encoding !== undefined) this.encoding = outer.encoding;
    this.issues = inner.issues;
  }

  /** SHA-1 of a piece, a view of 20 bytes. */
  pieceHash(piece: number): Uint8Array {
    this.#expectPiece(piece);
    return this.pieces.subarray(piece * HASH_LENGTH, (piece + 1) * HASH_LENGTH);
  }

  /** Length of a piece in bytes: `pieceLength`, or for the last one what is left. */
  pieceSize(piece: number): number {
    this.#expectPiece(piece);
    return Math.min(this.pieceLength, this.totalLength - piece * this.pieceLength);
  }

  #expectPiece(piece: number): void {
    if (!(Number.isInteger(piece) && piece >= 0 && piece < this.pieceCount)) {
      throw new RangeError(`no piece ${piece} in a torrent of ${this.pieceCount}`);
    }
  }
}
