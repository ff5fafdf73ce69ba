import { fileFlag, type SpanTableSource } from "./span-table.ts";

/** What the storage has to know about one file of a torrent; a file of Metainfo fits. */
export interface StorageFileSource {
  /** Checked names from the download folder down to the file. */
  readonly safePath: readonly string[];
  /** Bytes. */
  readonly length: number;
  /** Position of the file's first byte among the torrent's bytes. */
  readonly offset: number;
  /** Bytes that are zero and not kept on disk (BEP 47). */
  readonly padding: boolean;
  readonly executable?: boolean;
  /** For a symbolic link (BEP 47): checked names from the download folder down to what it leads to. */
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

/** Number tables of the files, in memory that all threads see; `flags` are each thread's own. */
export function tablesOf(layout: StorageLayoutSource): SpanTableSource {
  const { files, pieceLength, totalLength } = layout;
  const lengths = new Float64Array(new SharedArrayBuffer(files.length * 8));
  const offsets = new Float64Array(new SharedArrayBuffer(files.length * 8));
  const flags = new Uint8Array(files.length);
  for (const [i, file] of files.entries()) {
    lengths[i] = file.length;
    offsets[i] = file.offset;
    const isVirtual = file.padding || (file.symlink !== undefined && file.length === 0);
    flags[i] = (isVirtual ? fileFlag.virtual : 0) | (file.executable ? fileFlag.executable : 0);
  }
  return { pieceLength, totalLength, lengths, offsets, flags };
}

/** Symbolic links of the torrent whose target is a file or folder of the torrent, each as paths below the download folder. */
export function linksOf(layout: StorageLayoutSource): { readonly path: string; readonly target: string }[] {
  const links = layout.files.filter((file) => file.symlink !== undefined && file.length === 0);
  if (links.length === 0) return [];
  const places = new Set<string>();
  for (const { padding, symlink, safePath } of layout.files) {
    if (padding || symlink !== undefined) continue;
    // Every folder on the way to a file may be a target too.
    for (let depth = safePath.length; depth > 0; depth--) {
      const place = safePath.slice(0, depth).join("/");
      if (places.has(place)) break;
      places.add(place);
    }
  }
  return links
    .map(({ safePath, symlink = [] }) => ({ path: safePath.join("/"), target: symlink.join("/") }))
    .filter(({ target }) => places.has(target));
}
