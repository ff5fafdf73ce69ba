import type { Logger } from "#/base/log.ts";
import { type Content, checkUnchanged } from "./content.ts";

/** Memory that the disk threads share; hashing needs none of it. */
const POOL_BYTES = 262_144;

/**
 * SHA-1 of every piece of the content, on all processors.
 * @throws {StorageError} when a file cannot be read
 * @throws {CliError} CLI_CHANGED
 */
export async function hashContent(
  content: Content,
  pieceLength: number,
  options: { readonly logger: Logger; readonly signal: AbortSignal; readonly onProgress?: (bytes: number) => void },
): Promise<Uint8Array> {
  const { ChunkPool, DiskPool } = await import("#/bittorrent/storage/index.ts");
  await using disk = await DiskPool.open({ pool: new ChunkPool({ bytes: POOL_BYTES }), logger: options.logger });
  const pieces = await disk.hashPieces({
    files: content.files.map(({ location, length }) => ({ path: location, length })),
    pieceLength,
    signal: options.signal,
    onProgress: options.onProgress,
  });
  await checkUnchanged(content);
  return pieces;
}
