import { access, constants, lstat, readdir, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CliError, fileFailure } from "./errors.ts";

/**
 * Checks that a folder can be written to, or made.
 * @param name how the user calls it
 * @throws {CliError} CLI_NOT_A_FOLDER, CLI_NO_PERMISSION
 */
export async function checkFolder(path: string, name: string): Promise<void> {
  try {
    if (!(await stat(path)).isDirectory())
      throw new CliError("CLI_NOT_A_FOLDER", `${name}: is a file, not a folder to download to`);
    await access(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (!isAbsence(error) || dirname(path) === path) throw fileFailure(name, error);
    await checkFolder(dirname(path), name); // it will be made: what is above it decides
  }
}

/** Those of the paths, and of the folders that they are in, that do not exist; the deepest first. */
export async function absentPaths(paths: readonly string[]): Promise<readonly string[]> {
  const absent = new Set<string>();
  for (let path of paths) {
    while (!absent.has(path) && (await isAbsent(path))) {
      absent.add(path);
      path = dirname(path);
    }
  }
  return [...absent].sort((a, b) => b.length - a.length);
}

/** Removes folders and files that were absent before and in which there is no byte of data, so that a download that never began leaves nothing. */
export async function removeHollow(absentBefore: readonly string[]): Promise<void> {
  for (const path of absentBefore) {
    if (!(await isHollow(path))) continue;
    await rm(path, { recursive: true, force: true });
  }
}

/** Whether it is there, and all in it is folders, links and empty files. */
async function isHollow(path: string): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return false;
  if (!found.isDirectory()) return found.size === 0;
  for (const entry of await readdir(path, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    if (!(await isHollow(join(path, entry.name)))) return false;
  }
  return true;
}

async function isAbsent(path: string): Promise<boolean> {
  return await lstat(path).then(() => false, isAbsence);
}

function isAbsence(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
