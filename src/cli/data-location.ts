import { realpath, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Metainfo, parseInfo, type TorrentFile } from "#/bittorrent/metainfo/index.ts";
import { CliError, fileFailure } from "./errors.ts";

/** Where the data of a torrent is, and the torrent with the names that its files have there. */
export interface DataLocation {
  readonly metainfo: Metainfo;
  /** Holds the file or folder of the torrent. */
  readonly folder: string;
}

/** Files looked at to tell one place from another. */
const MAX_FILES_LOOKED_AT = 200;

/**
 * Finds the data of a torrent: `data` is the file or folder itself, under whatever name, or the folder that holds it.
 * @param data the working folder when undefined
 * @throws {CliError} CLI_NOT_FOUND, CLI_NO_PERMISSION, CLI_NOT_A_FOLDER for a file where the torrent has many
 */
export async function locateData(torrent: Metainfo, data: string | undefined): Promise<DataLocation> {
  const given = resolve(data ?? ".");
  const isFolder = await statFolder(given, data ?? ".");
  if (!isFolder && !torrent.singleFile) {
    throw new CliError("CLI_NOT_A_FOLDER", `${data}: is a file, and ${torrent.name} is a folder of ${torrent.files.length} files`);
  }
  const candidates: DataLocation[] = [];
  for (const named of namings(torrent)) {
    const holder = { metainfo: named, folder: given };
    if (!isFolder || (data !== undefined && !torrent.singleFile)) {
      const real = await realpath(given);
      const itself = { metainfo: renamed(named, basename(real)), folder: dirname(real) };
      if (!isFolder) candidates.push(itself);
      else candidates.push(...(basename(real) === named.safeName ? [itself, holder] : [holder, itself]));
    } else candidates.push(holder);
  }
  let best = candidates[0] as DataLocation;
  let most = 0;
  for (const candidate of candidates) {
    const found = await countFound(candidate);
    if (found > most) [best, most] = [candidate, found];
  }
  return best;
}

async function statFolder(path: string, name: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw fileFailure(name, error);
  }
}

/** The torrent with portable names; on Linux also, where they differ, with all that Linux takes, as other programs keep them. */
function namings(torrent: Metainfo): readonly Metainfo[] {
  if (process.platform !== "linux") return [torrent];
  const own = parseInfo(torrent.info, { names: "linux", outer: torrent });
  const differ = own.files.some((file, i) => file.safePath.join("/") !== torrent.files[i]?.safePath.join("/"));
  return differ ? [torrent, own] : [torrent];
}

/** The torrent with another name for its file or folder on disk; what it says, and its info hash, stay. */
function renamed(torrent: Metainfo, name: string): Metainfo {
  if (name === torrent.safeName) return torrent;
  const move = (path: readonly string[]): readonly string[] => [name, ...path.slice(1)];
  const files = torrent.files.map(
    (file): TorrentFile => ({
      ...file,
      safePath: move(file.safePath),
      ...(file.symlink !== undefined && { symlink: move(file.symlink) }),
    }),
  );
  return new Metainfo({ ...torrent, safeName: name, files }, torrent);
}

async function countFound({ metainfo, folder }: DataLocation): Promise<number> {
  const looked = metainfo.files.filter((file) => !file.padding).slice(0, MAX_FILES_LOOKED_AT);
  const found = await Promise.all(
    looked.map(async (file) => {
      const stats = await stat(join(folder, ...file.safePath)).catch(() => undefined);
      return stats?.isFile() === true;
    }),
  );
  return found.filter(Boolean).length;
}
