import assert from "node:assert/strict";
import { access, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type FileRow, openStorage, type StorageFixture } from "./storage-fixture.ts";

const PIECE = 32_768;
/** Pieces: a 0-1, b 1-4 (shares 1 and 4), c 4-6. */
const files: FileRow[] = [
  ["a", PIECE + 1_000],
  ["b", 3 * PIECE],
  ["c", 2 * PIECE],
];
const wanted = [0, 1, 4, 5, 6];

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function partsOf(fixture: StorageFixture): string {
  return join(fixture.folder, `.${fixture.layout.infoHashHex}.parts`);
}

describe("skipped files", () => {
  test("their bytes in shared pieces are kept aside; they are never made, and those pieces read and check well", async (t) => {
    const fixture = await openStorage(t, { files, pieceLength: PIECE, skippedFiles: new Set([1]) });
    await fixture.storage.prepare();
    await fixture.writePieces(wanted);
    assert.deepEqual([...fixture.good].sort(), wanted);
    assert.deepEqual((await readdir(fixture.folder)).sort(), [`.${fixture.layout.infoHashHex}.parts`, "a", "c"]);
    await fixture.expectPieces(wanted);
    assert.deepEqual(await fixture.checked(), wanted);
    await fixture.storage.sync();
    await fixture.storage.close();
    assert.ok(await exists(partsOf(fixture)), "kept for the next start");
  });

  test("a file wanted again gets its bytes, and the file kept aside goes at the end", async (t) => {
    const fixture = await openStorage(t, { files, pieceLength: PIECE, skippedFiles: new Set([1]) });
    await fixture.storage.prepare();
    await fixture.writePieces(wanted);
    await fixture.storage.setSkipped(1, false);
    await fixture.expectPieces(wanted);
    assert.deepEqual(await fixture.checked(), wanted);
    await fixture.writePieces([2, 3]);
    await fixture.expectFiles();
    await fixture.storage.sync();
    await fixture.storage.close();
    assert.ok(!(await exists(partsOf(fixture))));
  });

  test("skipping a file that has bytes leaves them and keeps the shared pieces readable", async (t) => {
    const fixture = await openStorage(t, { files, pieceLength: PIECE });
    await fixture.storage.prepare();
    await fixture.writeAll();
    await fixture.storage.setSkipped(1, true);
    await fixture.expectPieces([0, 1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await fixture.checked(), [0, 1, 2, 3, 4, 5, 6]);
    const before = await readFile(fixture.pathOf(1));
    await fixture.writePieces([1, 4]);
    assert.deepEqual(await readFile(fixture.pathOf(1)), before);
    assert.deepEqual((await fixture.storage.fileStamps()).skipped, [1]);
  });

  test("a move waits for the writes before it and is seen by those after it", async (t) => {
    const fixture = await openStorage(t, { files, pieceLength: PIECE, skippedFiles: new Set([1]) });
    await fixture.storage.prepare();
    fixture.send(1, 0);
    const moved = fixture.storage.setSkipped(1, false);
    fixture.send(4, 0);
    await moved;
    await fixture.idle();
    await fixture.expectPieces([1, 4]);
    await fixture.writePieces([0, 2, 3, 5, 6]);
    await fixture.expectFiles();
  });

  test("at the next start bytes follow a selection that changed meanwhile", async (t) => {
    const fixture = await openStorage(t, { files, pieceLength: PIECE, skippedFiles: new Set([1]) });
    await fixture.storage.prepare();
    await fixture.writePieces(wanted);
    await fixture.storage.close();
    await fixture.open({});
    await fixture.storage.prepare();
    assert.deepEqual(await fixture.checked(), wanted);
    await fixture.storage.close();
    assert.ok(!(await exists(partsOf(fixture))));
    await fixture.open({ skippedFiles: new Set([1]) });
    await fixture.storage.prepare();
    assert.deepEqual(await fixture.checked(), wanted);
  });

  test("a file of the user under a skipped name is not touched", async (t) => {
    const fixture = await openStorage(t, { files, pieceLength: PIECE, skippedFiles: new Set([1]) });
    await fixture.storage.prepare();
    await writeFile(fixture.pathOf(1), "mine");
    await fixture.writePieces(wanted);
    assert.equal(await readFile(fixture.pathOf(1), "utf8"), "mine");
    await fixture.expectPieces(wanted);
  });
});
