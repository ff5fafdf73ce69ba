/** A torrent of made-up bytes with an open storage in a temporary folder, for tests. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ChunkPool } from "./chunk-pool.ts";
import { DiskPool } from "./disk-pool.ts";
import type { StorageError } from "./errors.ts";
import type { StorageFileSource, StorageLayoutSource } from "./layout.ts";
import { type PieceChecked, TorrentStorage, type TorrentStorageOptions } from "./torrent-storage.ts";

/** Repeatable bytes without a short period. */
export function patternBytes(length: number, seed = 1): Uint8Array {
  const out = new Uint8Array(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    out[i] = state >>> 16;
  }
  return out;
}

export type FileRow = readonly [path: string, length: number, extra?: Partial<StorageFileSource>];

/** What the program that is killed writes; pieces of 32 KiB, some of them over two files. */
export const crashFiles: readonly FileRow[] = [
  ["t/a", 2_000_000],
  ["t/b", 1_000_001],
  ["t/c/d", 3_000_000],
];

export interface FixtureOptions extends Partial<Omit<TorrentStorageOptions, "disk" | "layout">> {
  readonly files: readonly FileRow[];
  readonly pieceLength: number;
  readonly chunkLength?: number;
  readonly workers?: number;
  readonly maxOpenFiles?: number;
}

export function layoutOf(files: readonly FileRow[], pieceLength: number, content: Uint8Array): StorageLayoutSource {
  let offset = 0;
  const sources = files.map(([path, length, extra]) => {
    const names = path.split("/");
    const source = { safePath: names, length, offset, padding: false, ...extra };
    offset += length;
    return source;
  });
  const pieceCount = Math.ceil(offset / pieceLength);
  const pieces = new Uint8Array(pieceCount * 20);
  for (let piece = 0; piece < pieceCount; piece++) {
    const bytes = content.subarray(piece * pieceLength, (piece + 1) * pieceLength);
    pieces.set(createHash("sha1").update(bytes).digest(), piece * 20);
  }
  return { infoHashHex: "ab".repeat(20), pieceLength, pieceCount, totalLength: offset, pieces, files: sources };
}

export function contentOf(files: readonly FileRow[]): Uint8Array {
  const content = patternBytes(files.reduce((sum, [, length]) => sum + length, 0));
  let offset = 0;
  for (const [, length, extra] of files) {
    if (extra?.padding) content.fill(0, offset, offset + length);
    offset += length;
  }
  return content;
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "freshet-storage-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export class StorageFixture {
  readonly layout: StorageLayoutSource;
  readonly content: Uint8Array;
  readonly folder: string;
  readonly disk: DiskPool;
  readonly good = new Set<number>();
  readonly bad: PieceChecked[] = [];
  readonly faults: StorageError[] = [];
  chunksWritten = 0;
  /** Set by `open`. */
  storage!: TorrentStorage;
  readonly #opened: (TorrentStorage | undefined)[] = [];
  #settled = 0;
  #wanted = Number.POSITIVE_INFINITY;
  #reached: (() => void) | undefined;

  constructor(disk: DiskPool, folder: string, options: FixtureOptions) {
    this.disk = disk;
    this.folder = folder;
    this.content = contentOf(options.files);
    this.layout = layoutOf(options.files, options.pieceLength, this.content);
  }

  /** Opens the storage, or another in its place, which the caller has closed before unless it has another layout. */
  async open(options: Partial<TorrentStorageOptions>, layout = this.layout): Promise<TorrentStorage> {
    this.#opened.push(this.storage);
    this.storage = await TorrentStorage.open({
      ...options,
      disk: this.disk,
      layout,
      folder: this.folder,
      onChunkWritten: () => {
        this.chunksWritten++;
        this.#settle();
      },
      onPieceChecked: (result) => {
        if (result.ok) this.good.add(result.piece);
        else this.bad.push(result);
      },
      onFault: (error) => {
        this.faults.push(error);
        this.#settle();
      },
    });
    return this.storage;
  }

  async close(): Promise<void> {
    for (const storage of [...this.#opened, this.storage]) await storage?.close();
    await this.disk.close();
  }

  #settle(): void {
    this.#settled++;
    // The check of a piece is told right after its last chunk, in the same turn.
    if (this.#settled >= this.#wanted) queueMicrotask(() => this.#reached?.());
  }

  pieceSize(piece: number): number {
    const { pieceLength, totalLength } = this.layout;
    return Math.min(pieceLength, totalLength - piece * pieceLength);
  }

  /** Begins of a piece's chunks. */
  chunks(piece: number): number[] {
    const begins: number[] = [];
    for (let begin = 0; begin < this.pieceSize(piece); begin += this.disk.pool.chunkLength) begins.push(begin);
    return begins;
  }

  /** Writes one chunk from the content, changed by `change`; does not wait. */
  send(piece: number, begin: number, change?: (bytes: Uint8Array) => unknown): void {
    const chunk = this.disk.pool.tryTake();
    assert.ok(chunk !== undefined, "the pool is empty");
    const length = Math.min(this.disk.pool.chunkLength, this.pieceSize(piece) - begin);
    const start = piece * this.layout.pieceLength + begin;
    chunk.bytes.set(this.content.subarray(start, start + length));
    change?.(chunk.bytes.subarray(0, length));
    this.storage.writeChunk(piece, begin, length, chunk);
  }

  /** Sends chunks and waits until each is written or failed. */
  async sendAll(
    rows: readonly (readonly [piece: number, begin: number, change?: (bytes: Uint8Array) => unknown])[],
  ): Promise<void> {
    for (const row of rows) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const mustWait = this.disk.pool.freeCount === 1;
      if (mustWait) {
        this.#wanted = this.#settled + (this.disk.pool.totalCount - this.disk.pool.freeCount) + 1;
        this.#reached = resolve;
      }
      this.send(...row);
      if (mustWait) await promise;
    }
    await this.idle();
  }

  /** Waits until no chunk is on its way. */
  async idle(): Promise<void> {
    const { pool } = this.disk;
    if (pool.freeCount === pool.totalCount) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = this.#settled + pool.totalCount - pool.freeCount;
    this.#reached = resolve;
    await promise;
  }

  async writePieces(pieces: Iterable<number>): Promise<void> {
    await this.sendAll([...pieces].flatMap((piece) => this.chunks(piece).map((begin) => [piece, begin] as const)));
  }

  async writeAll(): Promise<void> {
    await this.writePieces(Array.from({ length: this.layout.pieceCount }, (_, piece) => piece));
  }

  read(piece: number, begin: number, views: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.storage.read(piece, begin, views, (error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  /** Reads whole pieces and compares them with the content. */
  async expectPieces(pieces: Iterable<number>): Promise<void> {
    for (const piece of pieces) {
      const out = new Uint8Array(this.pieceSize(piece));
      await this.read(piece, 0, [out]);
      const start = piece * this.layout.pieceLength;
      assert.equal(Buffer.compare(out, this.content.subarray(start, start + out.length)), 0, `piece ${piece}`);
    }
  }

  async checked(options: { pieces?: Iterable<number> } = {}): Promise<number[]> {
    const ok: number[] = [];
    await this.storage.check({ ...options, onPiece: (piece, right) => right && ok.push(piece) });
    return ok.sort((a, b) => a - b);
  }

  contentOfFile(index: number): Uint8Array {
    const { offset, length } = this.layout.files[index] as StorageFileSource;
    return this.content.subarray(offset, offset + length);
  }

  pathOf(index: number): string {
    return join(this.folder, ...(this.layout.files[index] as StorageFileSource).safePath);
  }

  /** Compares every file that is not padding with the content. */
  async expectFiles(): Promise<void> {
    for (const [index, file] of this.layout.files.entries()) {
      if (file.padding) continue;
      const bytes = await readFile(this.pathOf(index));
      assert.equal(Buffer.compare(bytes, this.contentOfFile(index)), 0, file.safePath.join("/"));
    }
  }
}

/** Opens everything; closed and removed after the test. */
export async function openStorage(t: TestContext, options: FixtureOptions): Promise<StorageFixture> {
  const { files: _files, pieceLength: _pieceLength, chunkLength = 32 * 1024, workers = 2, maxOpenFiles, ...rest } = options;
  const own = options.folder === undefined ? await mkdtemp(join(tmpdir(), "freshet-storage-")) : undefined;
  const folder = options.folder ?? join(own as string, "out");
  const pool = new ChunkPool({ bytes: chunkLength * 8, chunkLength });
  const disk = await DiskPool.open({ pool, workers, ...(maxOpenFiles !== undefined && { maxOpenFiles }) });
  const fixture = new StorageFixture(disk, folder, options);
  await fixture.open(rest);
  t.after(async () => {
    await fixture.close();
    if (own !== undefined) await rm(own, { recursive: true, force: true });
  });
  return fixture;
}
