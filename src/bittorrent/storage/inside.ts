/**
 * Opening files below a folder without ever following a symbolic link out of it.
 * The real path of the parent folder is compared before a file is opened or made, and the last name is opened without following.
 */
import * as fs from "node:fs";
import { promises } from "node:fs";
import { basename, dirname, join, sep } from "node:path";
import { promisify } from "node:util";

/** A download folder; `real` is filled in when it is first needed and kept. */
export interface Root {
  readonly path: string;
  real?: string | undefined;
}

/** Zero where the system has no such flag. */
const NO_FOLLOW: number = fs.constants.O_NOFOLLOW ?? 0;
/** So that opening a pipe someone put in the file's place does not wait for its other end. */
const NO_WAIT: number = fs.constants.O_NONBLOCK ?? 0;
const SAFE_FLAGS = NO_FOLLOW | NO_WAIT;
/** What the last name being a symbolic link gives: Linux and macOS, FreeBSD, NetBSD. */
const LINK_ERRNOS: ReadonlySet<string> = new Set(["ELOOP", "EMLINK", "EFTYPE"]);

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? "UNKNOWN";
}

/** An error with a code of storageErrorCodes, light enough for the disk threads. */
export function codedFailure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

function isWithin(real: string, root: string): boolean {
  return real === root || real.startsWith(root.endsWith(sep) ? root : root + sep);
}

function requireWithin(real: string, root: string): string {
  if (!isWithin(real, root)) throw codedFailure("STORAGE_OUTSIDE_FOLDER");
  return real;
}

function realRoot(root: Root, create: boolean): string {
  if (root.real !== undefined) return root.real;
  if (create) fs.mkdirSync(root.path, { recursive: true });
  root.real = fs.realpathSync.native(root.path);
  return root.real;
}

/** Makes the folders of a relative path below the root, one after another, and returns the real path of the last. */
export function makeFoldersInside(root: Root, relative: string): string {
  const top = realRoot(root, true);
  let current = top;
  for (const name of relative.split("/")) {
    if (name === "" || name === ".") continue;
    const next = join(current, name);
    try {
      fs.mkdirSync(next);
      current = next;
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error;
      current = requireWithin(fs.realpathSync.native(next), top);
    }
  }
  return current;
}

/**
 * Opens a regular file below the root.
 * @param relative names joined by "/", already checked to hold no ".."
 * @param create makes the file and its folders when they are missing; `flags` then has O_CREAT
 * @returns a descriptor and what fstat says of it
 */
export function openInside(root: Root, relative: string, flags: number, mode = 0o666): { fd: number; stats: fs.Stats } {
  const create = (flags & fs.constants.O_CREAT) !== 0;
  const top = realRoot(root, create);
  let parent: string;
  try {
    parent = fs.realpathSync.native(dirname(join(top, relative)));
  } catch (error) {
    if (!create || codeOf(error) !== "ENOENT") throw error;
    parent = makeFoldersInside(root, dirname(relative));
  }
  const target = join(requireWithin(parent, top), basename(relative));
  let fd: number;
  try {
    if (NO_FOLLOW === 0 && fs.lstatSync(target, { throwIfNoEntry: false })?.isSymbolicLink()) throw codedFailure("ELOOP");
    fd = fs.openSync(target, flags | SAFE_FLAGS, mode);
  } catch (error) {
    if (!LINK_ERRNOS.has(codeOf(error))) throw error;
    fd = fs.openSync(requireWithin(realLink(target), top), (flags & ~fs.constants.O_CREAT) | SAFE_FLAGS);
  }
  const stats = fs.fstatSync(fd);
  if (stats.isFile()) return { fd, stats };
  fs.closeSync(fd);
  throw codedFailure("STORAGE_NOT_A_FILE");
}

/** A link that leads nowhere cannot be shown to stay inside. */
function realLink(path: string): string {
  try {
    return fs.realpathSync.native(path);
  } catch {
    throw codedFailure("STORAGE_OUTSIDE_FOLDER");
  }
}

const openAsync: (path: string, flags: number) => Promise<number> = promisify(fs.open);
const fstatAsync: (fd: number) => Promise<fs.Stats> = promisify(fs.fstat);

/** Opens an existing regular file as `openInside` does, without blocking the thread. */
export async function openInsideAsync(root: Root, relative: string, flags: number): Promise<number> {
  root.real ??= await promises.realpath(root.path);
  const top = root.real;
  const parent = requireWithin(await promises.realpath(dirname(join(top, relative))), top);
  const target = join(parent, basename(relative));
  let fd: number;
  try {
    if (NO_FOLLOW === 0 && (await promises.lstat(target)).isSymbolicLink()) throw codedFailure("ELOOP");
    fd = await openAsync(target, flags | SAFE_FLAGS);
  } catch (error) {
    if (!LINK_ERRNOS.has(codeOf(error))) throw error;
    const real = await promises.realpath(target).catch(() => {
      throw codedFailure("STORAGE_OUTSIDE_FOLDER");
    });
    fd = await openAsync(requireWithin(real, top), flags | SAFE_FLAGS);
  }
  if ((await fstatAsync(fd)).isFile()) return fd;
  fs.close(fd, () => {});
  throw codedFailure("STORAGE_NOT_A_FILE");
}
