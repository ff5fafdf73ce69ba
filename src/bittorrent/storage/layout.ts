/** What the storage has to know about one file of a torrent; a file of Metainfo fits. */
export interface StorageFileSource {
  /** As the torrent has it; only used to find the target of a symbolic link. */
  readonly path?: readonly string[];
  /** Checked names from the download folder down to the file. */
  readonly safePath: readonly string[];
  /** Bytes. */
  readonly length: number;
  /** Position of the file's first byte among the torrent's bytes. */
  readonly offset: number;
  /** Bytes that are zero and not kept on disk (BEP 47). */
  readonly padding: boolean;
  readonly executable?: boolean;
  /** Target of a symbolic link, from the torrent's own folder (BEP 47). */
  readonly symlink?: readonly string[] | undefined;
}

/** What the storage has to know about a torrent; Metainfo fits. */
export interface StorageLayoutSource {
  readonly infoHashHex: string;
  readonly pieceLength: number;
  readonly pieceCount: number;
  readonly totalLength: number;
  /** pieceCount SHA-1 digests of 20 bytes. */
  readonly pieces: Uint8Array;
  readonly files: readonly StorageFileSource[];
}
