import * as fs from "node:fs";
import { type StorageError, toStorageError } from "./errors.ts";
import { codeOf, openInsideAsync, type Root } from "./inside.ts";

type Opened = (error: StorageError | undefined) => void;

/** One file that may be read; open while `fd` is not -1. Made by `DescriptorPool.file`. */
export interface ReadFile {
  readonly root: Root;
  /** Below the root. */
  readonly relative: string;
  fd: number;
  /** Reads under way; the descriptor stays open as long as there are any. */
  users: number;
  /** Monotonic milliseconds. */
  lastUse: number;
  /** When it was last seen to be in its folder. */
  seenAt: number;
  /** To be closed at the end of the last read. */
  isDoomed: boolean;
  /** Calls waiting for it to be opened. BOUNDED by the reads under way. */
  waiting: Opened[] | undefined;
}

/**
 * Descriptors for reading on the main thread, over all torrents: opened when first needed, the least recently used closed when
 * there are too many, never one in use.
 */
export class DescriptorPool {
  readonly #limit: number;
  /** Files with a descriptor. BOUNDED by #limit. */
  readonly #open = new Set<ReadFile>();
  /** Files waiting for a free place. BOUNDED by the reads under way. */
  readonly #queue: ReadFile[] = [];
  /** Descriptors that are open, being opened or being closed. */
  #count = 0;
  #closing = 0;
  #idle: (() => void) | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get openCount(): number {
    return this.#count;
  }

  file(root: Root, relative: string): ReadFile {
    return { root, relative, fd: -1, users: 0, lastUse: 0, seenAt: 0, isDoomed: false, waiting: undefined };
  }

  /** Calls back with the file open and a use counted, to be ended by `release`; or with why it is not. */
  acquire(file: ReadFile, opened: Opened): void {
    if (file.fd !== -1) {
      file.users++;
      file.lastUse = performance.now();
      opened(undefined);
    } else if (file.waiting !== undefined) file.waiting.push(opened);
    else {
      file.waiting = [opened];
      this.#queue.push(file);
      this.#pump();
    }
  }

  release(file: ReadFile): void {
    file.users--;
    if (file.isDoomed && file.users === 0 && file.fd !== -1) this.#closeFile(file);
    if (this.#queue.length > 0) this.#pump();
  }

  /** Closes a file as soon as no read of it is under way. */
  forget(file: ReadFile): void {
    if (file.fd === -1) return;
    if (file.users === 0) this.#closeFile(file);
    else file.isDoomed = true;
  }

  /** Waits until all files are closed; the caller has ended its reads. */
  async close(): Promise<void> {
    for (const file of this.#open) this.forget(file);
    if (this.#count > 0) await new Promise<void>((resolve) => (this.#idle = resolve));
  }

  #pump(): void {
    while (this.#queue.length > 0) {
      if (this.#count < this.#limit) {
        void this.#openFile(this.#queue.shift() as ReadFile);
        continue;
      }
      if (this.#closing >= this.#queue.length || !this.#closeLeastRecent()) return;
    }
  }

  async #openFile(file: ReadFile): Promise<void> {
    this.#count++;
    let error: StorageError | undefined;
    try {
      file.fd = await this.#tryOpen(file);
      file.seenAt = performance.now();
      file.lastUse = file.seenAt;
      this.#open.add(file);
    } catch (cause) {
      this.#count--;
      error = toStorageError(cause, { path: `${file.root.path}/${file.relative}`, operation: "open" });
    }
    const waiting = file.waiting ?? [];
    file.waiting = undefined;
    if (error === undefined) file.users += waiting.length;
    for (const opened of waiting) opened(error);
    this.#pump();
    this.#settle();
  }

  async #tryOpen(file: ReadFile): Promise<number> {
    try {
      return await openInsideAsync(file.root, file.relative, fs.constants.O_RDONLY);
    } catch (error) {
      // The process may have fewer descriptors than our bound; what we can spare may be enough.
      if ((codeOf(error) !== "EMFILE" && codeOf(error) !== "ENFILE") || !this.#closeLeastRecent()) throw error;
      return await openInsideAsync(file.root, file.relative, fs.constants.O_RDONLY);
    }
  }

  #closeLeastRecent(): boolean {
    let oldest: ReadFile | undefined;
    for (const file of this.#open) if (file.users === 0 && (oldest === undefined || file.lastUse < oldest.lastUse)) oldest = file;
    if (oldest !== undefined) this.#closeFile(oldest);
    return oldest !== undefined;
  }

  #closeFile(file: ReadFile): void {
    const { fd } = file;
    file.fd = -1;
    file.isDoomed = false;
    this.#open.delete(file);
    this.#closing++;
    fs.close(fd, () => {
      this.#closing--;
      this.#count--;
      this.#pump();
      this.#settle();
    });
  }

  #settle(): void {
    if (this.#count === 0) this.#idle?.();
  }
}
