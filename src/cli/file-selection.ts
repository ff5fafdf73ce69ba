import { posix } from "node:path";
import type { Metainfo } from "#/bittorrent/metainfo/index.ts";
import type { FilePriorities } from "#/client/index.ts";
import { CliError } from "./errors.ts";

/**
 * Which files `--files` selects: numbers as metainfo prints them (`1,3-5`), or a pattern (`*.iso`, `sub/**`) that is held against the
 * path and, if it has no slash, against the name.
 * @returns what to skip, as the client takes it; nothing is skipped without a selection
 * @throws {CliError} CLI_NO_MATCH, CLI_BAD_NUMBER for a number that no file has
 */
export function selectFiles(selection: string | undefined, torrent: Metainfo): FilePriorities {
  if (selection === undefined) return new Map();
  const selected = /^[\d,\s-]+$/.test(selection) ? byNumber(selection, torrent) : byPattern(selection, torrent);
  if (selected.size === 0) {
    throw new CliError("CLI_NO_MATCH", `${torrent.name}: no file matches "${selection}"`, {
      hint: "freshet metainfo lists the files with their numbers",
    });
  }
  return new Map(torrent.files.filter(({ index, padding }) => !padding && !selected.has(index)).map(({ index }) => [index, 0]));
}

function byNumber(selection: string, torrent: Metainfo): ReadonlySet<number> {
  const selected = new Set<number>();
  for (const part of selection.split(",")) {
    const match = /^\s*(\d+)\s*(?:-\s*(\d+)\s*)?$/.exec(part);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null || first < 1 || last < first || last > torrent.files.length) {
      throw new CliError(
        "CLI_BAD_NUMBER",
        `--files: "${part}" is no number or range from 1 to ${torrent.files.length} in ${torrent.name}`,
      );
    }
    for (let number = first; number <= last; number++) selected.add(number - 1);
  }
  return selected;
}

function byPattern(pattern: string, torrent: Metainfo): ReadonlySet<number> {
  const matching = torrent.files.filter(({ path, padding }) => {
    if (padding) return false;
    const name = path.at(-1) ?? "";
    return posix.matchesGlob(path.join("/"), pattern) || (!pattern.includes("/") && posix.matchesGlob(name, pattern));
  });
  return new Set(matching.map(({ index }) => index));
}
