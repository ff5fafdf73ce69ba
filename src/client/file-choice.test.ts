import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { buildMetainfo, parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { type PiecePriority, piecePriority } from "#/bittorrent/swarm/index.ts";
import { type FilePriorities, piecePriorities, requireFilePriorities, skippedFiles } from "./file-choice.ts";

const { skip, low, normal, high, highest } = piecePriority;
const PIECE = 16_384;

/** Pieces: 0 of a; 1 of a and b; 2 of b, c and e; 3 of padding and f; 4 of f. */
const files = [
  { path: ["a"], length: PIECE + 1000 },
  { path: ["b"], length: PIECE },
  { path: ["c"], length: 1 },
  { path: ["d"], length: 0 },
  { path: ["e"], length: 3 * PIECE - (2 * PIECE + 1001) },
  { path: [".pad", "1000"], length: 1000, padding: true },
  { path: ["f"], length: PIECE },
];
const metainfo = parseMetainfo(buildMetainfo({ name: "choice", files, pieceLength: PIECE, pieces: new Uint8Array(5 * 20) }));

type Row = readonly [file: number, priority: PiecePriority];

describe("priorities of pieces", () => {
  const cases: readonly { readonly name: string; readonly rows: readonly Row[]; readonly want: readonly number[] }[] = [
    { name: "nothing chosen: all normal", rows: [], want: [normal, normal, normal, normal, normal] },
    { name: "a skipped file keeps the piece that it shares", rows: [[0, skip]], want: [skip, normal, normal, normal, normal] },
    {
      name: "a piece is skipped when all its files are",
      rows: [
        [0, skip],
        [1, skip],
      ],
      want: [skip, skip, normal, normal, normal],
    },
    {
      name: "a file of one byte keeps its piece",
      rows: [
        [0, skip],
        [1, skip],
        [4, skip],
        [6, skip],
      ],
      want: [skip, skip, normal, skip, skip],
    },
    {
      name: "a shared piece has the priority of the most wanted file",
      rows: [[1, highest]],
      want: [normal, highest, highest, normal, normal],
    },
    {
      name: "less wanted than its neighbours, it only changes pieces of its own",
      rows: [[6, low]],
      want: [normal, normal, normal, low, low],
    },
    {
      name: "an empty file and padding change nothing",
      rows: [
        [3, highest],
        [5, highest],
        [6, skip],
      ],
      want: [normal, normal, normal, skip, skip],
    },
    {
      name: "four priorities",
      rows: [
        [0, low],
        [1, high],
        [2, normal],
        [4, skip],
        [6, highest],
      ],
      want: [low, high, high, highest, highest],
    },
    { name: "all skipped", rows: [0, 1, 2, 3, 4, 6].map((file) => [file, skip] as const), want: [skip, skip, skip, skip, skip] },
  ];
  for (const { name, rows, want } of cases) test(name, () => assert.deepEqual([...piecePriorities(metainfo, new Map(rows))], want));
});

test("skipped files are those of priority skip", () => {
  assert.deepEqual(skippedFiles(new Map()), new Set());
  assert.deepEqual(
    skippedFiles(
      new Map([
        [0, skip],
        [1, low],
        [3, skip],
      ]),
    ),
    new Set([0, 3]),
  );
});

describe("a choice that cannot be", () => {
  const refused: readonly (readonly [number, number])[] = [
    [7, normal],
    [-1, normal],
    [0.5, normal],
    [Number.NaN, skip],
    [0, 5],
    [0, -1],
    [0, 1.5],
  ];
  for (const [file, priority] of refused) {
    test(`file ${file} with priority ${priority}`, () => {
      const choice = new Map([[file, priority]]) as FilePriorities;
      assert.throws(() => requireFilePriorities(metainfo, choice), { name: "ClientError", code: "CLIENT_BAD_OPTION" });
    });
  }

  test("all that can be is taken", () => {
    for (const priority of Object.values(piecePriority)) {
      requireFilePriorities(metainfo, new Map(metainfo.files.map(({ index }) => [index, priority])));
    }
  });
});
