import { fileFlag, type SpanTableSource } from "./span-table.ts";

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
  const places = new Map<string, string>();
  for (const file of layout.files) {
    const { path = [], safePath } = file;
    if (file.padding || file.symlink !== undefined) continue;
    // Every folder on the way to a file may be a target too; safePath has the torrent's own folder before it.
    for (let depth = path.length; depth > 0; depth--) {
      const key = JSON.stringify(path.slice(0, depth));
      if (places.has(key)) break;
      places.set(key, safePath.slice(0, safePath.length - (path.length - depth)).join("/"));
    }
  }
  return links.flatMap((file) => {
    const target = places.get(JSON.stringify(file.symlink));
    return target === undefined ? [] : [{ path: file.safePath.join("/"), target }];
  });
}
