import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { tablesOf } from "./layout.ts";
import { joinSpans, PARTS_FILE, type Span, SpanTable, ZEROS } from "./span-table.ts";
import { type FileRow, layoutOf } from "./storage-fixture.ts";

function tableOf(files: readonly FileRow[], pieceLength: number, skipped: readonly number[] = []): SpanTable {
  const table = new SpanTable(tablesOf(layoutOf(files, pieceLength, new Uint8Array())));
  for (const file of skipped) for (const { flag } of table.edges(file)) table.flags[file] = (table.flags[file] as number) | flag;
  return table;
}

describe("span table", () => {
  test("a piece over several files is cut at their borders, empty files left out", () => {
    const table = tableOf(
      [
        ["a", 10],
        ["empty", 0],
        ["b", 3],
        ["c", 100],
      ],
      16,
    );
    assert.deepEqual(table.spans(0, 4, 12), [
      { file: 0, offset: 4, length: 6 },
      { file: 2, offset: 0, length: 3 },
      { file: 3, offset: 0, length: 3 },
    ]);
    assert.equal(table.pieceSize(7), 1);
    assert.deepEqual(table.spans(7, 0, 1), [{ file: 3, offset: 99, length: 1 }]);
  });

  test("offsets beyond 2^32 and 2^40 stay exact", () => {
    const table = tableOf(
      [
        ["a", 2 ** 41 + 5],
        ["b", 2 ** 33],
      ],
      2 ** 24,
    );
    const piece = table.firstPiece(1);
    assert.deepEqual(table.spans(piece, 0, 10), [
      { file: 0, offset: 2 ** 41, length: 5 },
      { file: 1, offset: 0, length: 5 },
    ]);
    assert.equal(table.fileAt(2 ** 41 + 5), 1);
  });

  test("padding is zeros and makes no edges", () => {
    const table = tableOf(
      [
        ["a", 10],
        [".pad/6", 6, { padding: true }],
        ["b", 20],
      ],
      16,
    );
    assert.deepEqual(table.spans(0, 8, 8), [
      { file: 0, offset: 8, length: 2 },
      { file: ZEROS, offset: 0, length: 6 },
    ]);
    assert.deepEqual([table.edges(0), table.edges(1), table.edges(2)], [[], [], []]);
  });

  test("only bytes in shared pieces of a skipped file are in the parts file, at the torrent's offset", () => {
    const table = tableOf(
      [
        ["a", 20],
        ["b", 40],
        ["c", 20],
      ],
      16,
      [1],
    );
    assert.deepEqual(
      table.edges(1).map(({ piece }) => piece),
      [1, 3],
    );
    assert.deepEqual(table.spans(1, 0, 16), [
      { file: 0, offset: 16, length: 4 },
      { file: PARTS_FILE, offset: 20, length: 12 },
    ]);
    assert.deepEqual(table.spans(2, 0, 16), [{ file: 1, offset: 12, length: 16 }]);
    assert.deepEqual(table.spans(3, 0, 16), [
      { file: PARTS_FILE, offset: 48, length: 12 },
      { file: 2, offset: 0, length: 4 },
    ]);
  });

  test("neighbours in one file are joined", () => {
    const spans: Span[] = [
      { file: 0, offset: 0, length: 5 },
      { file: 0, offset: 5, length: 5 },
      { file: 0, offset: 11, length: 1 },
      { file: ZEROS, offset: 0, length: 2 },
      { file: ZEROS, offset: 0, length: 3 },
    ];
    assert.deepEqual(joinSpans(spans), [
      { file: 0, offset: 0, length: 10 },
      { file: 0, offset: 11, length: 1 },
      { file: ZEROS, offset: 0, length: 5 },
    ]);
  });

  test("spans of any range name each byte as a walk over all bytes does", () => {
    const files = fc.array(fc.record({ length: fc.nat(40), padding: fc.boolean() }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(files, fc.integer({ min: 1, max: 50 }), fc.nat(), fc.nat(), (rows, pieceLength, a, b) => {
        const fileRows = rows.map(({ length, padding }, i): FileRow => [String(i), length, { padding }]);
        const table = tableOf(fileRows, pieceLength);
        fc.pre(table.totalLength > 0);
        const piece = a % table.pieceCount;
        const begin = b % table.pieceSize(piece);
        const length = table.pieceSize(piece) - begin;
        const want = rows
          .flatMap(({ length, padding }, file) => Array.from({ length }, (_, at) => (padding ? "zero" : `${file}:${at}`)))
          .slice(piece * pieceLength + begin, piece * pieceLength + begin + length);
        const got = table
          .spans(piece, begin, length)
          .flatMap((span) =>
            Array.from({ length: span.length }, (_, i) => (span.file === ZEROS ? "zero" : `${span.file}:${span.offset + i}`)),
          );
        assert.deepEqual(got, want);
      }),
    );
  });
});
