import * as fs from "node:fs";
import { join } from "node:path";
import type { DescriptorPool, ReadFile } from "./descriptor-pool.ts";
import { StorageError, type StorageErrorCode, storageErrorCodes, storageErrorOf, toStorageError } from "./errors.ts";
import type { Root } from "./inside.ts";
import { PARTS_FILE, type SpanTable, ZEROS } from "./span-table.ts";

/** How often a file that is being read is looked for in its folder. */
const SEEN_INTERVAL_MS = 5_000;

export interface PieceReaderOptions {
  readonly root: Root;
  readonly relative: (file: number) => string;
  readonly table: SpanTable;
  readonly descriptors: DescriptorPool;
  /** A file whose descriptor still reads is in no folder any more. */
  readonly onFault: (error: StorageError) => void;
}

type Done = (error: StorageError | undefined) => void;

/** Reads pieces for peers: through libuv from the main thread, since a message to a disk thread would cost more and wait for writes. */
export class PieceReader {
  readonly #options: PieceReaderOptions;
  readonly #table: SpanTable;
  readonly #descriptors: DescriptorPool;
  /** By file, made when first read. BOUNDED by the files of the torrent. */
  readonly #files: (ReadFile | undefined)[];
  #parts: ReadFile | undefined;
  #reading = 0;
  #drained: (() => void) | undefined;
  #isClosed = false;

  constructor(options: PieceReaderOptions) {
    this.#options = options;
    this.#table = options.table;
    this.#descriptors = options.descriptors;
    this.#files = new Array(options.table.lengths.length);
  }

  read(piece: number, begin: number, views: readonly Uint8Array[], done: Done): void {
    let length = 0;
    for (const view of views) length += view.byteLength;
    const table = this.#table;
    if (this.#isClosed || !(piece >= 0 && piece < table.pieceCount && begin >= 0 && begin + length <= table.pieceSize(piece))) {
      const code: StorageErrorCode = this.#isClosed ? "STORAGE_CLOSED" : "STORAGE_BAD_RANGE";
      const details = { piece, begin, length };
      queueMicrotask(() => done(new StorageError(code, storageErrorCodes[code], { fault: "local", details })));
      return;
    }
    if (length === 0) {
      queueMicrotask(() => done(undefined));
      return;
    }
    this.#reading++;
    const start = piece * table.pieceLength + begin;
    const file = table.fileAt(start);
    const position = start - (table.offsets[file] as number);
    // One file and nothing unusual: by far the most.
    if (table.flags[file] === 0 && position + length <= (table.lengths[file] as number)) {
      this.#readFile(this.#fileOf(file), position, views, length, done);
    } else this.#readSpans(piece, begin, views, length, done);
  }

  /** Waits for the reads under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#reading > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
    for (const file of this.#files) if (file !== undefined) this.#descriptors.forget(file);
    if (this.#parts !== undefined) this.#descriptors.forget(this.#parts);
  }

  #fileOf(index: number): ReadFile {
    const known = index === PARTS_FILE ? this.#parts : this.#files[index];
    if (known !== undefined) return known;
    const made = this.#descriptors.file(this.#options.root, this.#options.relative(index));
    if (index === PARTS_FILE) this.#parts = made;
    else this.#files[index] = made;
    return made;
  }

  #finish(done: Done, error: StorageError | undefined): void {
    this.#reading--;
    done(error);
    if (this.#reading === 0) this.#drained?.();
  }

  #readFile(file: ReadFile, position: number, views: readonly Uint8Array[], length: number, done: Done): void {
    if (file.fd === -1) {
      this.#descriptors.acquire(file, (error) => {
        if (error !== undefined) this.#finish(done, error);
        else this.#readOpen(file, position, views, length, done);
      });
      return;
    }
    file.users++;
    file.lastUse = performance.now();
    this.#readOpen(file, position, views, length, done);
  }

  #readOpen(file: ReadFile, position: number, views: readonly Uint8Array[], length: number, done: Done): void {
    fs.readv(file.fd, views, position, (cause, got) => {
      if (cause === null && got === length) {
        if (file.lastUse - file.seenAt > SEEN_INTERVAL_MS) this.#look(file);
        this.#descriptors.release(file);
        this.#finish(done, undefined);
      } else if (cause === null && got > 0) this.#readOpen(file, position + got, viewsFrom(views, got), length - got, done);
      else {
        const where = { path: this.#pathOf(file), operation: "read" };
        const error = cause === null ? storageErrorOf("STORAGE_FILE_TRUNCATED", where) : toStorageError(cause, where);
        this.#descriptors.release(file);
        this.#descriptors.forget(file);
        this.#finish(done, error);
      }
    });
  }

  #readSpans(piece: number, begin: number, views: readonly Uint8Array[], length: number, done: Done): void {
    const spans = this.#table.spans(piece, begin, length);
    let left = spans.length;
    let failed: StorageError | undefined;
    const spanDone: Done = (error) => {
      failed ??= error;
      // The read as a whole is counted once, by the last span.
      if (--left > 0) this.#reading++;
      else done(failed);
    };
    let rest = views;
    for (const span of spans) {
      const own = viewsUpTo(rest, span.length);
      rest = viewsFrom(rest, span.length);
      if (span.file === ZEROS) {
        for (const view of own) view.fill(0);
        queueMicrotask(() => this.#finish(spanDone, undefined));
      } else this.#readFile(this.#fileOf(span.file), span.offset, own, span.length, spanDone);
    }
  }

  #look(file: ReadFile): void {
    file.seenAt = file.lastUse;
    file.users++;
    fs.fstat(file.fd, (error, stats) => {
      this.#descriptors.release(file);
      if (error !== null || stats.nlink > 0) return;
      this.#descriptors.forget(file);
      this.#options.onFault(storageErrorOf("STORAGE_FILE_MISSING", { path: this.#pathOf(file), operation: "read" }));
    });
  }

  #pathOf(file: ReadFile): string {
    return join(file.root.path, file.relative);
  }
}

function viewsFrom(views: readonly Uint8Array[], skip: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  let left = skip;
  for (const view of views) {
    if (left < view.byteLength) out.push(left === 0 ? view : view.subarray(left));
    left = Math.max(0, left - view.byteLength);
  }
  return out;
}

function viewsUpTo(views: readonly Uint8Array[], length: number): Uint8Array[] {
  const out: Uint8Array[] = [];
  let left = length;
  for (const view of views) {
    if (left === 0) break;
    out.push(left < view.byteLength ? view.subarray(0, left) : view);
    left -= Math.min(left, view.byteLength);
  }
  return out;
}
