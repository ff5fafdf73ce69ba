import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFile,
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ChunkPool } from "./chunk-pool.ts";
import { DiskPool } from "./disk-pool.ts";
import { type FileRow, openStorage, patternBytes, temporaryFolder } from "./storage-fixture.ts";

const childProgram = fileURLToPath(import.meta.resolve("./storage-child.ts"));
const PIECE = 64 * 1024;
const twoFiles: FileRow[] = [
  ["t/d/a", 100_000],
  ["t/b", 100_000],
];

describe("files that change under a seeder", () => {
  test("a truncated file is told by the read, files that are whole still read", async (t) => {
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE });
    await fixture.writeAll();
    await fixture.expectPieces([0]);
    await truncate(fixture.pathOf(0), 1_000);
    await assert.rejects(
      fixture.read(0, 0, [new Uint8Array(PIECE)]),
      (error: Error & { code: string; details: { path: string } }) => {
        assert.deepEqual([error.code, error.details.path], ["STORAGE_FILE_TRUNCATED", fixture.pathOf(0)]);
        return true;
      },
    );
    await fixture.expectPieces([2, 3]);
  });

  test("a missing file and a folder in its place are told by the read", async (t) => {
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE });
    await fixture.writeAll();
    await rm(fixture.pathOf(0));
    await assert.rejects(fixture.read(0, 0, [new Uint8Array(1)]), { code: "STORAGE_FILE_MISSING" });
    await mkdir(fixture.pathOf(0));
    await assert.rejects(fixture.read(0, 0, [new Uint8Array(1)]), { code: "STORAGE_NOT_A_FILE" });
    await fixture.expectPieces([2, 3]);
  });

  test("a file that vanished is not made durable", async (t) => {
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE });
    await fixture.writeAll();
    await rename(fixture.pathOf(1), `${fixture.pathOf(1)}.away`);
    await assert.rejects(fixture.storage.sync(), { code: "STORAGE_FILE_MISSING" });
    await rename(`${fixture.pathOf(1)}.away`, fixture.pathOf(1));
    await fixture.storage.sync();
  });
});

/** The user that owns nothing. */
const NOBODY = 65_534;

describe("writes that fail", () => {
  async function expectFault(t: TestContext, code: string, spoil: (folder: string) => Promise<unknown>): Promise<void> {
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE });
    await mkdir(join(fixture.folder, "t"), { recursive: true });
    await spoil(fixture.folder);
    await fixture.writeAll();
    assert.deepEqual(new Set(fixture.faults.map((error) => error.code)), new Set([code]));
    assert.deepEqual(new Set(fixture.faults.map(({ details }) => details["path"])), new Set([fixture.pathOf(0)]));
    assert.equal(fixture.disk.pool.freeCount, fixture.disk.pool.totalCount);
    assert.deepEqual([...fixture.good].sort(), [2, 3]);
    await fixture.expectPieces([2, 3]);
    await fixture.storage.sync();
  }

  test("a folder in the file's place", (t) =>
    expectFault(t, "STORAGE_NOT_A_FILE", (folder) => mkdir(join(folder, "t", "d", "a"), { recursive: true })));

  test("a file in the folder's place", (t) =>
    expectFault(t, "STORAGE_NOT_A_FOLDER", (folder) => writeFile(join(folder, "t", "d"), "")));

  test("a pipe in the file's place", { skip: process.platform === "win32" && "no mkfifo" }, (t) =>
    expectFault(t, "STORAGE_NOT_A_FILE", async (folder) => {
      await mkdir(join(folder, "t", "d"));
      assert.equal(spawnSync("mkfifo", [join(folder, "t", "d", "a")]).status, 0);
    }),
  );

  test("no permission", async (t) => {
    const isRoot = process.getuid?.() === 0; // who may write everywhere, so somebody else writes
    try {
      await expectFault(t, "STORAGE_NO_PERMISSION", async (folder) => {
        await mkdir(join(folder, "t", "d"));
        await chmod(join(folder, "t", "d"), 0o555);
        if (!isRoot) return;
        for (const outer of [folder, dirname(folder)]) await chmod(outer, 0o755);
        await chown(join(folder, "t"), NOBODY, NOBODY);
        process.seteuid?.(NOBODY);
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  /** Runs storage-child.ts in a mount namespace of its own, so that nothing is left of the file system. */
  function inTinyFileSystem(t: TestContext, options: string, role: string): string | undefined {
    const mount = `mount -t tmpfs -o ${options} none "$1" && exec "$2" "$3" ${role} "$1"`;
    const folder = join(tmpdir(), `freshet-tiny-${process.pid}-${role}`);
    const script = `mkdir -p "$1" && ${mount}`;
    const run = spawnSync("unshare", ["-rm", "sh", "-c", script, "sh", folder, process.execPath, childProgram], {
      encoding: "utf8",
    });
    t.after(() => rm(folder, { recursive: true, force: true }));
    if (run.error !== undefined || /unshare|mount/.test(run.stderr)) {
      t.skip(`no file system can be mounted here: ${run.error?.message ?? run.stderr.trim()}`);
      return undefined;
    }
    assert.equal(run.status, 0, run.stderr);
    return run.stdout;
  }

  test("a full disk loses only the chunk that has no room, and goes on when there is room again", (t) => {
    const out = inTinyFileSystem(t, "size=1m", "full-disk");
    if (out === undefined) return;
    const { fault, goodBefore, pool, readable, goodAfter, pieceCount } = JSON.parse(out) as Record<string, unknown>;
    assert.equal(fault, "STORAGE_DISK_FULL");
    assert.ok((goodBefore as number) > 5 && (goodBefore as number) < (pieceCount as number));
    assert.deepEqual([pool, readable, goodAfter], [true, goodBefore, pieceCount]);
  });

  test("a read-only file system", (t) => {
    const out = inTinyFileSystem(t, "ro", "read-only");
    if (out !== undefined) assert.equal((JSON.parse(out) as Record<string, unknown>)["fault"], "STORAGE_READ_ONLY");
  });
});

describe("symbolic links", { skip: process.platform === "win32" && "links need a privilege" }, () => {
  test("a file that is a link out of the folder is neither written, read nor checked", async (t) => {
    const outside = join(await temporaryFolder(t), "secret");
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE });
    const secret = patternBytes(100_000, 5);
    await writeFile(outside, secret);
    await mkdir(join(fixture.folder, "t", "d"), { recursive: true });
    await symlink(outside, fixture.pathOf(0));
    await fixture.writePieces([0]);
    assert.deepEqual(
      fixture.faults.map((error) => error.code),
      fixture.chunks(0).map(() => "STORAGE_OUTSIDE_FOLDER"),
    );
    await assert.rejects(fixture.read(0, 0, [new Uint8Array(1)]), { code: "STORAGE_OUTSIDE_FOLDER" });
    assert.deepEqual(await fixture.checked({ pieces: [0] }), []);
    assert.equal(fixture.faults.at(-1)?.code, "STORAGE_OUTSIDE_FOLDER");
    assert.deepEqual(await readFile(outside), Buffer.from(secret));
  });

  test("a folder that is a link out of the folder is not entered, nothing is made behind it", async (t) => {
    const outside = await temporaryFolder(t);
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE });
    await mkdir(join(fixture.folder, "t"), { recursive: true });
    await symlink(outside, join(fixture.folder, "t", "d"));
    await fixture.writePieces([0]);
    await assert.rejects(fixture.storage.prepare(), { code: "STORAGE_OUTSIDE_FOLDER" });
    await assert.rejects(fixture.read(0, 0, [new Uint8Array(1)]), { code: /STORAGE_OUTSIDE_FOLDER|STORAGE_FILE_MISSING/ });
    assert.equal(fixture.faults[0]?.code, "STORAGE_OUTSIDE_FOLDER");
    assert.deepEqual(await readdir(outside), []);
  });

  test("a link to nowhere is not followed to make a file", async (t) => {
    const outside = await temporaryFolder(t);
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE });
    await mkdir(join(fixture.folder, "t", "d"), { recursive: true });
    await symlink(join(outside, "new"), fixture.pathOf(0));
    await fixture.writePieces([0]);
    assert.equal(fixture.faults[0]?.code, "STORAGE_OUTSIDE_FOLDER");
    assert.deepEqual(await readdir(outside), []);
  });

  test("links that stay inside are followed, and the folder itself may be one", async (t) => {
    const top = await temporaryFolder(t);
    await mkdir(join(top, "real", "t", "elsewhere"), { recursive: true });
    await symlink(join(top, "real"), join(top, "link"));
    await symlink("elsewhere", join(top, "real", "t", "d"));
    const fixture = await openStorage(t, { files: twoFiles, pieceLength: PIECE, folder: join(top, "link") });
    await writeFile(join(top, "real", "t", "target"), "");
    await symlink("target", fixture.pathOf(1));
    await fixture.writeAll();
    assert.deepEqual(fixture.faults, []);
    await fixture.expectFiles();
    assert.deepEqual(await fixture.checked(), [0, 1, 2, 3]);
    assert.ok((await lstat(fixture.pathOf(1))).isSymbolicLink());
    await fixture.storage.sync();
  });
});

describe("hashing files to make a torrent", () => {
  async function openDisk(t: TestContext): Promise<DiskPool> {
    const disk = await DiskPool.open({ pool: new ChunkPool({ bytes: 65_536, chunkLength: 16_384 }) });
    t.after(() => disk.close());
    return disk;
  }

  test("gives the digests of the files laid end to end, whatever the piece length", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "freshet-storage-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const fixture = await openStorage(t, {
      files: [
        ["a", 5_000_000],
        ["empty", 0],
        ["b", 77],
      ],
      pieceLength: 32_768,
      folder,
    });
    const files = [0, 1, 2].map((index) => ({ path: fixture.pathOf(index), length: fixture.contentOfFile(index).length }));
    for (const [index, { path }] of files.entries()) await writeFile(path, fixture.contentOfFile(index));
    const disk = await openDisk(t);
    const progress: number[] = [];
    const pieces = await disk.hashPieces({ files, pieceLength: 32_768, onProgress: (bytes) => progress.push(bytes) });
    assert.deepEqual(pieces, fixture.layout.pieces);
    assert.equal(progress.at(-1), 5_000_077);
    const one = await disk.hashPieces({ files, pieceLength: 2 ** 23 });
    assert.equal(one.length, 20);
    assert.deepEqual(await disk.hashPieces({ files: [], pieceLength: 16_384 }), new Uint8Array());
  });

  test("says which file is missing or shorter than said", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "a");
    const disk = await openDisk(t);
    const options = { files: [{ path, length: 100_000 }], pieceLength: 16_384 };
    await assert.rejects(disk.hashPieces(options), { code: "STORAGE_FILE_MISSING" });
    await appendFile(path, patternBytes(99_999));
    await assert.rejects(disk.hashPieces(options), { code: "STORAGE_FILE_TRUNCATED" });
    const reason = new Error("enough");
    await assert.rejects(disk.hashPieces({ ...options, signal: AbortSignal.abort(reason) }), reason);
  });
});
