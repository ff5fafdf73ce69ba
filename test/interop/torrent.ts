/** Makes v1 torrents of payloads. */
import { createHash } from "node:crypto";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildMetainfo, parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import type { Payload, PlannedFile } from "./payload.ts";

export interface Torrent {
  /** Path of the torrent file. */
  readonly path: string;
  readonly name: string;
  /** Hexadecimal. */
  readonly infoHash: string;
  readonly pieceLength: number;
  readonly totalLength: number;
}

export interface TorrentOptions {
  /** In bytes. */
  readonly pieceLength: number;
  /** Announce URLs, each a tier of its own. */
  readonly trackers?: readonly string[];
}

/** Writes `<name>.torrent` to `folder`: private (BEP 27), so that no program looks for peers by other means. */
export async function writeTorrent(folder: string, payload: Payload, options: TorrentOptions): Promise<Torrent> {
  const { name, files, singleFile } = payload;
  const bytes = buildMetainfo({
    name,
    ...(singleFile
      ? { length: files[0]?.length ?? 0 }
      : { files: files.map((file) => ({ length: file.length, path: file.path.split("/").slice(1) })) }),
    pieceLength: options.pieceLength,
    pieces: await hashPieces(payload, options.pieceLength),
    private: true,
    trackers: options.trackers?.map((url) => [url]),
  });
  const path = join(folder, `${name}.torrent`);
  await writeFile(path, bytes);
  const { infoHashHex, pieceLength, totalLength } = parseMetainfo(bytes);
  return { path, name, infoHash: infoHashHex, pieceLength, totalLength };
}

/** SHA-1 of each piece, one after another; a piece in a hole is not read. */
async function hashPieces(payload: Payload, pieceLength: number): Promise<Uint8Array> {
  const hashes: Buffer[] = [];
  const zeros = new Uint8Array(pieceLength);
  const zeroHash = createHash("sha1").update(zeros).digest();
  const piece = Buffer.alloc(pieceLength);
  let filled = 0;
  let blank = true; // nothing but holes so far
  const close = (): void => {
    hashes.push(blank && filled === pieceLength ? zeroHash : createHash("sha1").update(piece.subarray(0, filled)).digest());
    filled = 0;
    blank = true;
  };
  for (const file of payload.files) {
    await using handle = await open(join(payload.folder, file.path));
    for (let at = 0; at < file.length; ) {
      const length = Math.min(pieceLength - filled, file.length - at);
      const part = piece.subarray(filled, filled + length);
      if (hasData(file, at, length)) {
        await handle.read(part, 0, length, at);
        blank = false;
      } else part.fill(0);
      filled += length;
      at += length;
      if (filled === pieceLength) close();
    }
  }
  if (filled > 0) close();
  return Buffer.concat(hashes);
}

function hasData(file: PlannedFile, offset: number, length: number): boolean {
  return file.islands?.some((island) => island.offset < offset + length && offset < island.offset + island.length) ?? true;
}
