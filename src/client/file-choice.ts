import type { Metainfo } from "#/bittorrent/metainfo/index.ts";
import { type PiecePriority, piecePriority } from "#/bittorrent/swarm/index.ts";
import { badOption } from "./options.ts";

/** How much each file is wanted, by its index; files that are not named are `normal`. */
export type FilePriorities = ReadonlyMap<number, PiecePriority>;

/** @throws {ClientError} CLIENT_BAD_OPTION when a file is named that the torrent does not have, or a priority that is none */
export function requireFilePriorities(metainfo: Metainfo, priorities: FilePriorities): void {
  const known = new Set<number>(Object.values(piecePriority));
  for (const [file, priority] of priorities) {
    if (metainfo.files[file] === undefined) throw badOption("files", `${metainfo.name} has no file ${file}`);
    if (!known.has(priority)) throw badOption("files", `${priority} is not a priority`);
  }
}

/** Files that are not wanted at all, which are not made. Padding files are never made anyway. */
export function skippedFiles(priorities: FilePriorities): Set<number> {
  return new Set([...priorities].filter(([, priority]) => priority === piecePriority.skip).map(([index]) => index));
}

/** The priority of each piece: that of the most wanted file with a byte in it. */
export function piecePriorities(metainfo: Metainfo, priorities: FilePriorities): Uint8Array {
  const result = new Uint8Array(metainfo.pieceCount);
  if (priorities.size === 0) return result.fill(piecePriority.normal);
  for (const file of metainfo.files) {
    if (file.length === 0 || file.padding) continue;
    const priority = priorities.get(file.index) ?? piecePriority.normal;
    const first = Math.floor(file.offset / metainfo.pieceLength);
    const last = Math.floor((file.offset + file.length - 1) / metainfo.pieceLength);
    for (let piece = first; piece <= last; piece++) result[piece] = Math.max(result[piece] as number, priority);
  }
  return result;
}
