import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { allowedFastSet } from "./allowed-fast.ts";

const options = { infoHash: new Uint8Array(20).fill(0xaa), ip: Uint8Array.of(80, 4, 4, 200), pieceCount: 1313 };

describe("the allowed-fast set", () => {
  test("of 7 pieces is that of BEP 6", () => {
    assert.deepEqual(allowedFastSet({ ...options, count: 7 }), [1059, 431, 808, 1217, 287, 376, 1188]);
  });
  test("of 9 pieces is that of BEP 6", () => {
    assert.deepEqual(allowedFastSet({ ...options, count: 9 }), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
  });
  test("is the same for a whole network of 256 addresses, and another for the next", () => {
    const first = allowedFastSet({ ...options, count: 9 });
    assert.deepEqual(allowedFastSet({ ...options, ip: Uint8Array.of(80, 4, 4, 1), count: 9 }), first);
    assert.notDeepEqual(allowedFastSet({ ...options, ip: Uint8Array.of(80, 4, 5, 200), count: 9 }), first);
  });
  test("of more pieces than there are is all of them", () => {
    assert.deepEqual(allowedFastSet({ ...options, pieceCount: 3, count: 10 }), [0, 1, 2]);
    assert.deepEqual(allowedFastSet({ ...options, pieceCount: 3, count: 3 }), [0, 1, 2]);
    assert.deepEqual(allowedFastSet({ ...options, pieceCount: 0, count: 10 }), []);
  });
  test("has different pieces, all within the torrent", () => {
    const pieces = allowedFastSet({ ...options, pieceCount: 12, count: 11 });
    assert.equal(new Set(pieces).size, 11);
    assert.ok(pieces.every((piece) => piece >= 0 && piece < 12));
  });
  test("is not made for other addresses or hashes", () => {
    const outOfRange = { name: "WireError", code: "WIRE_OUT_OF_RANGE", fault: "local" };
    assert.throws(() => allowedFastSet({ ...options, ip: new Uint8Array(16), count: 9 }), outOfRange);
    assert.throws(() => allowedFastSet({ ...options, infoHash: new Uint8Array(32), count: 9 }), outOfRange);
    assert.throws(() => allowedFastSet({ ...options, pieceCount: -1, count: 9 }), outOfRange);
  });
});
