import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { compareBytes, encodeUtf8 } from "#/base/bytes.ts";
import { CliError, fileFailure } from "./errors.ts";

export interface ContentFile {
  /** Below the content's own folder; for a lone file, its name. */
  readonly path: readonly string[];
  readonly location: string;
  readonly length: number;
  readonly modifiedNs: bigint;
}

/** What goes into a torrent. */
export interface Content {
  readonly name: string;
  readonly singleFile: boolean;
  /** Sorted by the bytes of their paths, part by part, so that the same folder gives the same torrent everywhere. */
  readonly files: readonly ContentFile[];
  readonly totalLength: number;
}

/**
 * Lists the file or folder at `path`. Links are followed; what is neither file nor folder is left out.
 * @param except a file that is left out, such as the torrent that is about to be replaced
 * @throws {CliError} CLI_NOT_FOUND, CLI_NO_PERMISSION, CLI_EMPTY, CLI_BAD_VALUE
 */
export async function listContent(path: string, except: string | undefined, signal: AbortSignal): Promise<Content> {
  const top = resolve(path);
  const name = basename(top);
  if (name === "") throw new CliError("CLI_BAD_VALUE", `${path}: has no name that a torrent could have`);
  const files: ContentFile[] = [];
  const singleFile = !(await walk({ location: top, shown: path, parts: [] }));
  files.sort((a, b) => comparePaths(a.path, b.path));
  const totalLength = files.reduce((sum, { length }) => sum + length, 0);
  if (totalLength === 0) throw new CliError("CLI_EMPTY", `${path}: ${files.length === 0 ? "holds no file" : "holds no data"}`);
  return { name, singleFile, files, totalLength };

  /** @returns whether it is a folder */
  async function walk(
    at: { readonly location: string; readonly shown: string; readonly parts: readonly string[] },
    above: readonly string[] = [],
  ): Promise<boolean> {
    signal.throwIfAborted();
    const { location, shown, parts } = at;
    try {
      const stats = await stat(location, { bigint: true });
      if (stats.isFile() && location !== except) {
        const own = parts.length === 0 ? [name] : parts;
        files.push({ path: own, location, length: Number(stats.size), modifiedNs: stats.mtimeNs });
      }
      if (!stats.isDirectory()) return false;
      const real = await realpath(location);
      if (above.includes(real)) return true; // a link to a folder that it is in
      for (const entry of await readdir(location)) {
        await walk({ location: join(location, entry), shown: join(shown, entry), parts: [...parts, entry] }, [...above, real]);
      }
      return true;
    } catch (error) {
      throw fileFailure(shown, error);
    }
  }
}

/**
 * Makes sure that nothing changed since the content was listed, or the hashes would be of a mixture.
 * @throws {CliError} CLI_CHANGED
 */
export async function checkUnchanged(content: Content): Promise<void> {
  for (const { location, length, modifiedNs } of content.files) {
    const stats = await stat(location, { bigint: true }).catch((error: unknown) => {
      throw fileFailure(location, error);
    });
    if (Number(stats.size) !== length || stats.mtimeNs !== modifiedNs) {
      throw new CliError("CLI_CHANGED", `${location}: changed while it was being read`);
    }
  }
}

function comparePaths(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareBytes(encodeUtf8(a[i] as string), encodeUtf8(b[i] as string));
    if (order !== 0) return order;
  }
  return a.length - b.length;
}
