import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { openStorage, patternBytes } from "./storage-fixture.ts";

test("what is written piece by piece is on disk, hashed, readable and checked", async (t) => {
  const fixture = await openStorage(t, {
    files: [
      ["a/x.bin", 300_000],
      ["a/empty", 0],
      ["b.bin", 500_001],
    ],
    pieceLength: 65_536,
  });
  await fixture.storage.prepare();
  await fixture.writeAll();
  assert.equal(fixture.good.size, fixture.layout.pieceCount);
  assert.deepEqual(fixture.faults, []);
  await fixture.expectFiles();
  const out = new Uint8Array(10_000);
  await fixture.read(4, 20_000, [out.subarray(0, 4_000), out.subarray(4_000)]);
  assert.deepEqual(out, fixture.content.subarray(4 * 65_536 + 20_000, 4 * 65_536 + 30_000));
  assert.equal(createHash("sha1").update(patternBytes(10)).digest().length, 20);
  const ok: number[] = [];
  await fixture.storage.check({ onPiece: (piece, right) => right && ok.push(piece) });
  assert.equal(ok.length, fixture.layout.pieceCount);
  await fixture.storage.sync();
});
