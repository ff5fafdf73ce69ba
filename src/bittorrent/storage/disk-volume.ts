/** A disk thread's side of one torrent: synchronous reads and writes by span. Runs only in disk threads. */
import * as fs from "node:fs";
import type { DiskFailure, StampsResult, VolumeSpec } from "./disk-messages.ts";
import { codedFailure, codeOf, openInside, type Root } from "./inside.ts";
import { fileFlag, PARTS_FILE, type Span, SpanTable, ZEROS } from "./span-table.ts";

interface OpenFile {
  readonly fd: number;
  readonly writable: boolean;
}

/** A thread's open files over all its volumes, least recently used closed first. BOUNDED by maxOpenFiles. */
export class OpenFiles {
  readonly #limit: number;
  readonly #files = new Map<string, OpenFile>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  take(key: string, writable: boolean, open: () => number): number {
    const known = this.#files.get(key);
    if (known !== undefined) {
      this.#files.delete(key);
      if (known.writable || !writable) {
        this.#files.set(key, known);
        return known.fd;
      }
      fs.closeSync(known.fd);
    }
    if (this.#files.size >= this.#limit) this.#closeOldest();
    let fd: number;
    try {
      fd = open();
    } catch (error) {
      if ((codeOf(error) !== "EMFILE" && codeOf(error) !== "ENFILE") || this.#files.size === 0) throw error;
      while (this.#files.size > 0) this.#closeOldest();
      fd = open();
    }
    this.#files.set(key, { fd, writable });
    return fd;
  }

  closeWhere(prefix: string): void {
    for (const [key, file] of this.#files) {
      if (!key.startsWith(prefix)) continue;
      this.#files.delete(key);
      fs.closeSync(file.fd);
    }
  }

  #closeOldest(): void {
    for (const [key, file] of this.#files) {
      this.#files.delete(key);
      fs.closeSync(file.fd);
      return;
    }
  }
}

/** Adds which file and what was tried to whatever a system call threw. */
class VolumeError extends Error {
  readonly failure: DiskFailure;
  constructor(failure: DiskFailure, cause: unknown) {
    super(failure.code, { cause });
    this.failure = failure;
  }
}

export function failureOf(error: unknown): DiskFailure {
  if (error instanceof VolumeError) return error.failure;
  const { path = "", syscall = "use" } = (error ?? {}) as NodeJS.ErrnoException;
  return { code: codeOf(error), path, operation: syscall };
}

/** The bytes asked for are not there, which is no fault: nobody wrote them yet, or someone took them away. */
export function isAbsence(failure: DiskFailure): boolean {
  return failure.code === "ENOENT" || failure.code === "STORAGE_FILE_TRUNCATED";
}

export class DiskVolume {
  readonly spec: VolumeSpec;
  readonly table: SpanTable;
  readonly root: Root | undefined;
  readonly #files: OpenFiles;
  readonly #keyPrefix: string;

  constructor(spec: VolumeSpec, files: OpenFiles) {
    this.spec = spec;
    this.table = new SpanTable(spec);
    this.root = spec.folder === undefined ? undefined : { path: spec.folder };
    this.#files = files;
    this.#keyPrefix = `${spec.volume}:`;
  }

  /** @throws {VolumeError} */
  write(spans: readonly Span[], bytes: Uint8Array): void {
    let from = 0;
    for (const { file, offset, length } of spans) {
      if (file !== ZEROS) {
        this.#attempt(file, "write", () => {
          const fd = this.#open(file, true);
          for (let done = 0; done < length; ) done += fs.writeSync(fd, bytes, from + done, length - done, offset + done);
        });
      }
      from += length;
    }
  }

  /** Fills `out` from the spans, which are as long together. @throws {VolumeError} */
  read(spans: readonly Span[], out: Uint8Array): void {
    let from = 0;
    for (const { file, offset, length } of spans) {
      if (file === ZEROS) out.fill(0, from, from + length);
      else {
        this.#attempt(file, "read", () => {
          const fd = this.#open(file, false);
          for (let done = 0; done < length; ) {
            const got = fs.readSync(fd, out, from + done, length - done, offset + done);
            if (got === 0) throw codedFailure("STORAGE_FILE_TRUNCATED");
            done += got;
          }
        });
      }
      from += length;
    }
  }

  stamps(): StampsResult {
    const count = this.spec.paths.length;
    const sizes = new Float64Array(count + 1).fill(-1);
    const mtimesNs = new BigInt64Array(count + 1);
    for (let file = 0; file <= count; file++) {
      if (((this.table.flags[file] ?? 0) & fileFlag.virtual) !== 0) continue;
      try {
        const stats = fs.statSync(this.pathOf(file === count ? PARTS_FILE : file), { bigint: true });
        if (!stats.isFile()) continue;
        sizes[file] = Number(stats.size);
        mtimesNs[file] = stats.mtimeNs;
      } catch {
        // Not there or not to be looked at: size -1 says so.
      }
    }
    return { sizes, mtimesNs };
  }

  /** Writes zeros over what the file does not have yet of this range. @throws {VolumeError} */
  fill(file: number, from: number, length: number): void {
    this.#attempt(file, "make room for", () => {
      const fd = this.#open(file, true, false);
      const start = Math.max(from, fs.fstatSync(fd).size);
      const end = Math.min(from + length, this.table.lengths[file] as number);
      const zeros = new Uint8Array(Math.min(1024 * 1024, Math.max(0, end - start)));
      for (let at = start; at < end; ) at += fs.writeSync(fd, zeros, 0, Math.min(zeros.length, end - at), at);
    });
  }

  /** Makes an empty file, or leaves the one that is there. @throws {VolumeError} */
  createFile(file: number): void {
    this.#attempt(file, "make", () => this.#open(file, true));
  }

  /**
   * Copies what the file has in `piece` between file and parts file; where nothing is, nothing is made.
   * @param ifAny leaves out bytes that are all zero, most likely a hole
   * @returns whether something was copied
   * @throws {VolumeError}
   */
  moveEdge(file: number, piece: number, toParts: boolean, ifAny = false): boolean {
    const { start, length } = this.table.overlap(file, piece);
    const inFile = { file, offset: start - (this.table.offsets[file] as number), length };
    const inParts = { file: PARTS_FILE, offset: start, length };
    const bytes = new Uint8Array(length);
    try {
      this.read([toParts ? inFile : inParts], bytes);
    } catch (error) {
      if (isAbsence(failureOf(error))) return false;
      throw error;
    }
    if (ifAny && bytes.every((byte) => byte === 0)) return false;
    this.write([toParts ? inParts : inFile], bytes);
    return true;
  }

  pathOf(file: number): string {
    const relative = this.#relative(file);
    return this.spec.folder === undefined ? relative : `${this.spec.folder}/${relative}`;
  }

  close(): void {
    this.#files.closeWhere(this.#keyPrefix);
  }

  closeFile(file: number): void {
    this.#files.closeWhere(`${this.#keyPrefix}${file};`);
  }

  #relative(file: number): string {
    return file === PARTS_FILE ? this.spec.partsPath : (this.spec.paths[file] as string);
  }

  #open(file: number, writable: boolean, makeRoom = true): number {
    return this.#files.take(`${this.#keyPrefix}${file};`, writable, () => {
      if (this.root === undefined) return fs.openSync(this.#relative(file), "r");
      if (!writable) return openInside(this.root, this.#relative(file), fs.constants.O_RDONLY).fd;
      const executable = ((this.table.flags[file] ?? 0) & fileFlag.executable) !== 0;
      const flags = fs.constants.O_RDWR | fs.constants.O_CREAT;
      const { fd, stats } = openInside(this.root, this.#relative(file), flags, executable ? 0o777 : 0o666);
      try {
        if (executable && (stats.mode & 0o111) === 0) fs.fchmodSync(fd, (stats.mode & 0o777) | ((stats.mode & 0o444) >> 2));
        const length = this.table.lengths[file] ?? 0;
        if (makeRoom && file !== PARTS_FILE && this.spec.preallocate !== "none" && stats.size < length)
          fs.ftruncateSync(fd, length);
      } catch (error) {
        fs.closeSync(fd);
        throw error;
      }
      return fd;
    });
  }

  #attempt(file: number, operation: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      throw new VolumeError({ code: codeOf(error), path: this.pathOf(file), operation }, error);
    }
  }
}
