import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { lstat, mkdir, readdir, readlink, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { seededRandom, shuffle } from "#/base/random.ts";
import { ChunkPool } from "./chunk-pool.ts";
import { type FileRow, openStorage } from "./storage-fixture.ts";

const PIECE = 128 * 1024;
const CHUNK = 32 * 1024;
const manyFiles: FileRow[] = [
  ["t/a/x.bin", 300_000],
  ["t/a/empty", 0],
  ["t/tiny", 3],
  ["t/c/d/b.bin", 500_001],
  ["t/last", 1],
];

describe("chunk pool", () => {
  test("gives out all its memory once and refuses what was not taken", () => {
    const pool = new ChunkPool({ bytes: 3 * CHUNK, chunkLength: CHUNK });
    const chunks = [pool.tryTake(), pool.tryTake(), pool.tryTake()];
    assert.deepEqual(new Set(chunks.map((chunk) => chunk?.bytes.byteOffset)), new Set([0, CHUNK, 2 * CHUNK]));
    assert.equal(pool.tryTake(), undefined);
    const last = chunks[2];
    assert.ok(last !== undefined);
    pool.give(last);
    assert.throws(() => pool.give(last), RangeError);
    assert.equal(pool.tryTake(), last);
    assert.deepEqual([pool.freeCount, pool.totalCount], [0, 3]);
  });
});

describe("writing and reading", () => {
  test("pieces over many files are on disk, right, readable and found by a check", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE, chunkLength: CHUNK });
    await fixture.storage.prepare();
    await fixture.writeAll();
    assert.equal(fixture.good.size, fixture.layout.pieceCount);
    assert.deepEqual([fixture.faults, fixture.bad], [[], []]);
    await fixture.expectFiles();
    const pieces = Array.from({ length: fixture.layout.pieceCount }, (_, piece) => piece);
    await fixture.expectPieces(pieces);
    assert.deepEqual(await fixture.checked(), pieces);
    await fixture.storage.sync();
  });

  test("several views are filled in order, across files", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE });
    await fixture.writeAll();
    const out = new Uint8Array(70_000);
    await fixture.read(2, 5_000, [out.subarray(0, 10), out.subarray(10, 40_000), out.subarray(40_000)]);
    const start = 2 * PIECE + 5_000;
    assert.deepEqual(out, fixture.content.subarray(start, start + out.length));
  });

  test("chunks in any order give the right hash, also when one is written twice with other bytes first", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE, chunkLength: CHUNK });
    await fixture.storage.prepare();
    const wrong = (bytes: Uint8Array): unknown => bytes.fill(9);
    await fixture.sendAll([
      [1, CHUNK, wrong],
      [1, CHUNK],
      [1, 0, wrong],
      [1, 0],
    ]);
    const pieces = Array.from({ length: fixture.layout.pieceCount }, (_, piece) => piece);
    const rows = pieces.flatMap((piece) => fixture.chunks(piece).map((begin) => [piece, begin] as const));
    const rest = rows.filter(([piece, begin]) => piece !== 1 || begin > CHUNK);
    await fixture.sendAll(shuffle(rest, seededRandom(7)));
    assert.equal(fixture.good.size, fixture.layout.pieceCount);
    assert.deepEqual(fixture.bad, []);
    await fixture.expectFiles();
  });

  test("a wrong piece is reported with digests that differ in the wrong block only, and can come again", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE, chunkLength: CHUNK });
    await fixture.sendAll([
      [1, 3 * CHUNK],
      [1, CHUNK, (bytes) => (bytes[CHUNK - 1] = (bytes[CHUNK - 1] as number) ^ 1)],
      [1, 0],
      [1, 2 * CHUNK],
    ]);
    const bad = fixture.bad[0]?.blockDigests;
    assert.ok(bad !== undefined);
    assert.equal(bad.length, (PIECE / 16_384) * 20);
    await fixture.writePieces([1]);
    assert.deepEqual([...fixture.good], [1]);
    const good = await new Promise<Uint8Array | undefined>((resolve) => fixture.storage.digestBlocks(1, resolve));
    assert.ok(good !== undefined);
    const differing = Array.from({ length: PIECE / 16_384 }, (_, i) => i).filter(
      (i) => Buffer.compare(bad.subarray(i * 20, i * 20 + 20), good.subarray(i * 20, i * 20 + 20)) !== 0,
    );
    assert.deepEqual(differing, [3]);
    assert.deepEqual(
      good.subarray(0, 20),
      new Uint8Array(
        createHash("sha1")
          .update(fixture.content.subarray(PIECE, PIECE + 16_384))
          .digest(),
      ),
    );
  });

  test("a forgotten piece is complete only when all its chunks came again", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE, chunkLength: CHUNK });
    const [first, ...rest] = fixture.chunks(0).map((begin) => [0, begin] as const);
    assert.ok(first !== undefined);
    await fixture.sendAll([first]);
    fixture.storage.forgetPiece(0);
    await fixture.sendAll(rest);
    assert.equal(fixture.good.size, 0);
    await fixture.sendAll([first]);
    assert.deepEqual([...fixture.good], [0]);
  });

  test("padding reads as zeros and is not on disk", async (t) => {
    const files: FileRow[] = [
      ["t/a", 100_000],
      ["t/.pad/31072", 31_072, { padding: true }],
      ["t/b", 50_000],
    ];
    const fixture = await openStorage(t, { files, pieceLength: PIECE });
    await fixture.storage.prepare();
    await fixture.writeAll();
    assert.equal(fixture.good.size, 2);
    await fixture.expectFiles();
    await fixture.expectPieces([0, 1]);
    assert.deepEqual(await fixture.checked(), [0, 1]);
    assert.deepEqual((await readdir(join(fixture.folder, "t"))).sort(), ["a", "b"]);
  });

  test("a sparse file whose offsets pass 2^32 takes single pieces at its end", async (t) => {
    const length = 5 * 2 ** 30 + 77;
    const pieceLength = 2 ** 20;
    const end = Math.floor(length / pieceLength);
    const fixture = await openStorage(t, { files: [["small", 16]], pieceLength, chunkLength: 2 ** 20 });
    const tail = fixture.content.subarray(0, 16);
    const pieces = new Uint8Array((end + 1) * 20);
    const lastSize = length - end * pieceLength;
    const last = Buffer.concat([tail, Buffer.alloc(lastSize - 16, 5)]);
    pieces.set(createHash("sha1").update(last).digest(), end * 20);
    const layout = { ...fixture.layout, pieceLength, pieceCount: end + 1, totalLength: length, pieces };
    const files = [{ ...(fixture.layout.files[0] as (typeof fixture.layout.files)[0]), safePath: ["big"], length }];
    const huge = await fixture.open({}, { ...layout, files });
    const chunk = fixture.disk.pool.tryTake();
    assert.ok(chunk !== undefined);
    chunk.bytes.set(last);
    huge.writeChunk(end, 0, lastSize, chunk);
    await fixture.idle();
    assert.deepEqual([...fixture.good], [end]);
    const stats = await stat(join(fixture.folder, "big"));
    assert.equal(stats.size, length);
    assert.ok(stats.blocks * 512 < 2 ** 22, "the file takes no room where nothing is written");
    const out = new Uint8Array(lastSize);
    await fixture.read(end, 0, [out]);
    assert.equal(Buffer.compare(out, last), 0);
    assert.deepEqual(await fixture.checked({ pieces: [3, end] }), [end]);
  });

  test("a range outside the piece is the caller's error and leaves the chunk with him", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE });
    await assert.rejects(fixture.read(0, PIECE - 1, [new Uint8Array(2)]), { code: "STORAGE_BAD_RANGE" });
    await assert.rejects(fixture.read(fixture.layout.pieceCount, 0, [new Uint8Array(1)]), { code: "STORAGE_BAD_RANGE" });
    const chunk = fixture.disk.pool.tryTake();
    assert.ok(chunk !== undefined);
    assert.throws(() => fixture.storage.writeChunk(0, 1, 10, chunk), { code: "STORAGE_BAD_RANGE" });
    assert.throws(() => fixture.storage.writeChunk(99, 0, 10, chunk), { code: "STORAGE_BAD_RANGE" });
    fixture.disk.pool.give(chunk);
  });
});

describe("preparing", () => {
  test("folders, empty files, links inside the torrent and executable bits are made; data files are not", async (t) => {
    const files: FileRow[] = [
      ["t/run.sh", 10, { executable: true }],
      ["t/d/data", 10],
      ["t/e/empty", 0],
      ["t/e/to-data", 0, { symlink: ["t", "d", "data"] }],
      ["t/e/to-folder", 0, { symlink: ["t", "d"] }],
      ["t/e/out", 0, { symlink: ["..", "..", "etc", "passwd"] }],
    ];
    const fixture = await openStorage(t, { files, pieceLength: 16_384 });
    await fixture.storage.prepare();
    await fixture.storage.prepare();
    const top = join(fixture.folder, "t");
    assert.deepEqual((await readdir(top, { recursive: true })).sort(), ["d", "e", "e/empty", "e/to-data", "e/to-folder"]);
    assert.equal(await readlink(join(top, "e", "to-data")), "../d/data");
    assert.equal(await readlink(join(top, "e", "to-folder")), "../d");
    await fixture.writeAll();
    assert.deepEqual(
      [(await lstat(join(top, "run.sh"))).mode & 0o100, (await lstat(join(top, "d", "data"))).mode & 0o111],
      [0o100, 0],
    );
    assert.deepEqual(fixture.faults, []);
  });

  test("nothing is made of skipped files, not even empty ones and their folders", async (t) => {
    const files: FileRow[] = [
      ["t/wanted/empty", 0],
      ["t/skipped/empty", 0],
      ["t/skipped/data", 10],
    ];
    const fixture = await openStorage(t, { files, pieceLength: 16_384, skippedFiles: new Set([1, 2]) });
    await fixture.storage.prepare();
    assert.deepEqual((await readdir(join(fixture.folder, "t"), { recursive: true })).sort(), ["wanted", "wanted/empty"]);
  });

  test("full preallocation takes the room before the first write", async (t) => {
    const fixture = await openStorage(t, {
      files: [
        ["a", 3_000_000],
        ["b", 5],
      ],
      pieceLength: PIECE,
      preallocate: "full",
    });
    await fixture.storage.prepare();
    const { size, blocks } = await stat(fixture.pathOf(0));
    assert.equal(size, 3_000_000);
    assert.ok(blocks * 512 >= size);
    await fixture.writePieces([22]);
    assert.deepEqual(await fixture.checked(), [22]);
  });

  test("without preallocation a file ends where its last bytes were written", async (t) => {
    const fixture = await openStorage(t, { files: [["a", 300_000]], pieceLength: PIECE, preallocate: "none" });
    await fixture.writePieces([0]);
    assert.equal((await stat(fixture.pathOf(0))).size, PIECE);
    await fixture.storage.sync();
  });

  test("two thousand files in folders are made and written with few descriptors", async (t) => {
    const files = Array.from(
      { length: 2_000 },
      (_, i): FileRow => [`t/${i % 40}/${i % 7}/ファイル ${i}`, i % 9 === 0 ? 0 : 50 + i],
    );
    const fixture = await openStorage(t, { files, pieceLength: PIECE, maxOpenFiles: 16 });
    await fixture.storage.prepare();
    await fixture.writeAll();
    assert.deepEqual(fixture.faults, []);
    await fixture.expectFiles();
    const pieces = Array.from({ length: fixture.layout.pieceCount }, (_, piece) => piece);
    const descriptors = process.platform === "linux" ? (await readdir("/proc/self/fd")).length : 0;
    await Promise.all(pieces.map((piece) => fixture.expectPieces([piece])));
    assert.ok(fixture.disk.descriptors.openCount <= 8);
    if (descriptors > 0) assert.ok((await readdir("/proc/self/fd")).length <= descriptors + 10);
    assert.deepEqual(await fixture.checked(), pieces);
  });
});

describe("checking", () => {
  test("missing, short and changed files cost their own pieces only", async (t) => {
    const fixture = await openStorage(t, {
      files: [
        ["a", 4 * PIECE],
        ["b", 4 * PIECE],
        ["c", 4 * PIECE],
      ],
      pieceLength: PIECE,
    });
    assert.deepEqual(await fixture.checked(), []);
    await mkdir(fixture.folder, { recursive: true });
    for (const index of [0, 1]) await writeFile(fixture.pathOf(index), fixture.contentOfFile(index));
    await truncate(fixture.pathOf(0), 3 * PIECE + 1);
    const changed = Buffer.from(fixture.contentOfFile(1));
    changed[PIECE] = (changed[PIECE] as number) ^ 1;
    await writeFile(fixture.pathOf(1), changed);
    const progress: number[] = [];
    const told = new Map<number, boolean>();
    await fixture.storage.check({ onPiece: (piece, ok) => told.set(piece, ok), onProgress: (done) => progress.push(done) });
    assert.deepEqual(
      [...told]
        .filter(([, ok]) => ok)
        .map(([piece]) => piece)
        .sort((a, b) => a - b),
      [0, 1, 2, 4, 6, 7],
    );
    assert.equal(told.size, 12);
    assert.equal(progress.at(-1), 12);
    assert.deepEqual(fixture.faults, []);
  });

  test("pieces smaller than a read window are told apart", async (t) => {
    const fixture = await openStorage(t, {
      files: [
        ["a", 100_000],
        ["b", 100_000],
      ],
      pieceLength: 1_024,
      chunkLength: 16_384,
    });
    await fixture.writeAll();
    assert.equal(fixture.good.size, fixture.layout.pieceCount);
    await truncate(fixture.pathOf(1), 50_000);
    const ok = await fixture.checked();
    assert.deepEqual(
      ok,
      Array.from({ length: Math.floor(150_000 / 1_024) }, (_, piece) => piece),
    );
  });

  test("an aborted check stops with the signal's reason", async (t) => {
    const fixture = await openStorage(t, { files: [["a", 4 * PIECE]], pieceLength: 1_024 });
    await fixture.writeAll();
    const controller = new AbortController();
    const reason = new Error("enough");
    const check = fixture.storage.check({
      signal: controller.signal,
      onPiece: () => controller.abort(reason),
      pieces: [0, 5, 9, 20],
    });
    await assert.rejects(check, reason);
    assert.deepEqual(await fixture.checked({ pieces: [1, 2, 3] }), [1, 2, 3]);
  });
});

describe("closing", () => {
  test("waits for what is on its way, can be called again, and refuses later calls", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE, chunkLength: CHUNK });
    for (const begin of fixture.chunks(0)) fixture.send(0, begin);
    const closing = fixture.storage.close();
    await Promise.all([closing, fixture.storage.close()]);
    assert.deepEqual([...fixture.good], [0]);
    assert.equal(fixture.disk.pool.freeCount, fixture.disk.pool.totalCount);
    await assert.rejects(fixture.read(0, 0, [new Uint8Array(1)]), { code: "STORAGE_CLOSED" });
    await assert.rejects(fixture.storage.check(), { code: "STORAGE_CLOSED" });
    assert.throws(() => fixture.send(1, 0), { code: "STORAGE_CLOSED" });
    if (process.platform === "linux") {
      const open = await Promise.all((await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")));
      assert.deepEqual(
        open.filter((path) => path.startsWith(fixture.folder)),
        [],
      );
    }
  });

  test("chunks of a disk pool that ends come back as faults", async (t) => {
    const fixture = await openStorage(t, { files: manyFiles, pieceLength: PIECE, chunkLength: CHUNK });
    for (const begin of fixture.chunks(0)) fixture.send(0, begin);
    await fixture.disk.close();
    assert.equal(fixture.disk.pool.freeCount, fixture.disk.pool.totalCount);
    assert.equal(fixture.chunksWritten + fixture.faults.length, 4);
    assert.ok(fixture.faults.every((error) => error.code === "STORAGE_WORKER_FAILED"));
  });
});
