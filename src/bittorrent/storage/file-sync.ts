import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { StorageError, storageErrorCodes, toStorageError } from "./errors.ts";
import { openInsideAsync, type Root } from "./inside.ts";

const fdatasync: (fd: number) => Promise<void> = promisify(fs.fdatasync);
const fsync: (fd: number) => Promise<void> = promisify(fs.fsync);
const close: (fd: number) => Promise<void> = promisify(fs.close);
const open: (path: string, flags: string) => Promise<number> = promisify(fs.open);

const IS_WINDOWS = process.platform === "win32";
/** Windows flushes only through a descriptor that may write. */
const SYNC_FLAGS = IS_WINDOWS ? fs.constants.O_RDWR : fs.constants.O_RDONLY;

/** Makes a folder's entries durable, so that a file newly made in it is found after a power cut. Windows knows no such call. */
export async function syncFolder(path: string): Promise<void> {
  if (IS_WINDOWS) return;
  const fd = await open(path, "r");
  try {
    await fsync(fd);
  } finally {
    await close(fd);
  }
}

/** Remembers which files of a torrent were written and makes them durable, one after another, beside the main thread. */
export class FileSync {
  readonly #root: Root;
  readonly #relative: (file: number) => string;
  /** BOUNDED by the files of the torrent and its parts file. */
  #dirty = new Set<number>();
  /** Files whose folder entries are durable. BOUNDED likewise. */
  readonly #linked = new Set<number>();
  #chain: Promise<void> = Promise.resolve();
  /** The next run that has not begun, which later callers may share. */
  #next: Promise<void> | undefined;
  #lost: StorageError | undefined;
  /** Topmost folder above or at the root that was made for this torrent. */
  firstFolderMade: string | undefined;

  constructor(root: Root, relative: (file: number) => string) {
    this.#root = root;
    this.#relative = relative;
  }

  mark(file: number): void {
    this.#dirty.add(file);
  }

  /** Everything marked before the call is durable when it resolves. @throws {StorageError} */
  run(): Promise<void> {
    this.#next ??= this.#chain.then(() => {
      this.#next = undefined;
      return this.#syncAll();
    });
    this.#chain = this.#next.catch(() => {});
    return this.#next;
  }

  async #syncAll(): Promise<void> {
    // After a failed flush the system may drop the pages and say yes the next time.
    if (this.#lost !== undefined) {
      const message = storageErrorCodes.STORAGE_SYNC_FAILED;
      throw new StorageError("STORAGE_SYNC_FAILED", message, { fault: "local", details: this.#lost.details, cause: this.#lost });
    }
    const files = this.#dirty;
    this.#dirty = new Set();
    const folders = new Set<string>();
    const linked: number[] = [];
    for (const file of files) {
      try {
        await this.#syncFile(file);
      } catch (error) {
        for (const again of files) this.#dirty.add(again);
        throw error;
      }
      if (this.#linked.has(file)) continue;
      linked.push(file);
      this.#foldersOf(file, folders);
    }
    for (const folder of folders) {
      await syncFolder(folder).catch((error: unknown) => {
        for (const again of files) this.#dirty.add(again);
        throw toStorageError(error, { path: folder, operation: "sync" });
      });
    }
    for (const file of linked) this.#linked.add(file);
  }

  async #syncFile(file: number): Promise<void> {
    const where = { path: join(this.#root.path, this.#relative(file)), operation: "sync" };
    let fd: number;
    try {
      fd = await openInsideAsync(this.#root, this.#relative(file), SYNC_FLAGS);
    } catch (error) {
      throw toStorageError(error, where);
    }
    try {
      await fdatasync(fd);
    } catch (error) {
      this.#lost = toStorageError(error, where);
      throw this.#lost;
    } finally {
      await close(fd);
    }
  }

  /** The folders whose entries lead to a file: from its own up to the one above the first that was made. */
  #foldersOf(file: number, into: Set<string>): void {
    const top = this.firstFolderMade === undefined ? this.#root.path : dirname(this.firstFolderMade);
    let folder = dirname(join(this.#root.path, this.#relative(file)));
    while (!into.has(folder)) {
      into.add(folder);
      if (folder.length <= top.length || folder === dirname(folder)) return;
      folder = dirname(folder);
    }
  }
}
