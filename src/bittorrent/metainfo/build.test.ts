import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CodedError } from "#/base/errors.ts";
import { decode } from "#/bittorrent/bencode/index.ts";
import { type BuildInput, buildMetainfo, choosePieceLength, parseMetainfo } from "./index.ts";

const HASH = new Uint8Array(20).fill(0x41);
const file: BuildInput = { name: "a.txt", length: 5, pieceLength: 16384, pieces: HASH };

describe("choosePieceLength", () => {
  const KIB = 1024;
  const vectors = [
    { total: 0, pieceLength: 16 * KIB },
    { total: 2048 * 16 * KIB, pieceLength: 16 * KIB },
    { total: 2048 * 16 * KIB + 1, pieceLength: 32 * KIB },
    { total: 2 ** 30, pieceLength: 512 * KIB },
    { total: 2048 * 2 ** 24, pieceLength: 2 ** 24 },
    { total: Number.MAX_SAFE_INTEGER, pieceLength: 2 ** 24 },
  ];
  for (const { total, pieceLength } of vectors) {
    test(`${total} bytes have pieces of ${pieceLength}`, () => assert.equal(choosePieceLength(total), pieceLength));
  }
});

describe("buildMetainfo", () => {
  test("writes no more than it is told, in canonical form", () => {
    assert.equal(
      Buffer.from(buildMetainfo(file)).toString(),
      `d4:infod6:lengthi5e4:name5:a.txt12:piece lengthi16384e6:pieces20:${"A".repeat(20)}ee`,
    );
  });

  test("writes everything it is told", () => {
    const bytes = buildMetainfo({
      ...file,
      executable: true,
      private: true,
      source: "S",
      trackers: [["http://a/announce", "udp://b:1"], [], ["udp://c:1"]],
      webSeeds: ["http://w/"],
      httpSeeds: ["http://h/"],
      nodes: [{ host: "::1", port: 5 }],
      comment: "é",
      createdBy: "me",
      creationDate: new Date(1_500_000_000_999),
    });
    const want =
      "d8:announce17:http://a/announce13:announce-listll17:http://a/announce9:udp://b:1el9:udp://c:1ee7:comment2:é" +
      "10:created by2:me13:creation datei1500000000e9:httpseedsl9:http://h/e" +
      `4:infod4:attr1:x6:lengthi5e4:name5:a.txt12:piece lengthi16384e6:pieces20:${"A".repeat(20)}7:privatei1e6:source1:Se` +
      "5:nodesll3:::1i5eee8:url-listl9:http://w/ee";
    assert.equal(Buffer.from(bytes).toString(), want);
    decode(bytes, { canonical: true });
  });

  test("writes one tracker as announce alone", () => {
    const bytes = buildMetainfo({ ...file, trackers: [["http://a/announce"]] });
    assert.ok(!Buffer.from(bytes).includes("announce-list"));
    assert.deepEqual(parseMetainfo(bytes).trackers, [["http://a/announce"]]);
  });

  test("what is built is read back the same", () => {
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }).filter((text) => !/[/\0]|^\.\.?$/.test(text));
    const files = fc.uniqueArray(
      fc.record({
        path: fc.array(name, { minLength: 1, maxLength: 3 }),
        length: fc.nat(40_000),
        executable: fc.boolean(),
        hidden: fc.boolean(),
      }),
      { minLength: 1, maxLength: 8, selector: ({ path }) => path.join("/") },
    );
    fc.assert(
      fc.property(
        name,
        files,
        fc.option(fc.string(), { nil: undefined }),
        fc.boolean(),
        (torrentName, list, comment, isPrivate) => {
          const total = list.reduce((sum, { length }) => sum + length, 0);
          const pieces = new Uint8Array(20 * Math.ceil(total / 16384));
          const input: BuildInput = { name: torrentName, files: list, pieceLength: 16384, pieces, comment, private: isPrivate };
          const bytes = buildMetainfo(input);
          assert.deepEqual(buildMetainfo(structuredClone(input)), bytes);
          const metainfo = parseMetainfo(bytes);
          assert.equal(metainfo.name, torrentName);
          assert.equal(metainfo.totalLength, total);
          assert.equal(metainfo.comment, comment);
          assert.equal(metainfo.isPrivate, isPrivate);
          assert.deepEqual(
            metainfo.files.map(({ path, length, executable, hidden }) => ({ path, length, executable, hidden })),
            list.map((entry) => ({ ...entry })),
          );
          const folded = metainfo.files.map(({ safePath }) => safePath.join("/").normalize("NFC").toLowerCase());
          assert.equal(new Set(folded).size, list.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("writes links and padding", () => {
    const metainfo = parseMetainfo(
      buildMetainfo({
        name: "t",
        pieceLength: 16384,
        pieces: HASH,
        files: [
          { path: ["d", "a"], length: 1 },
          { path: [".pad", "16383"], length: 16383, padding: true },
          { path: ["l"], length: 0, symlink: ["d", "a"] },
        ],
      }),
    );
    assert.deepEqual(
      metainfo.files.map(({ padding, symlink }) => [padding, symlink]),
      [
        [false, undefined],
        [true, undefined],
        [false, ["t", "d", "a"]],
      ],
    );
  });

  const { length: _, ...noLength } = file;
  const refusals: readonly { name: string; input: BuildInput; code: string }[] = [
    { name: "neither files nor length", input: noLength, code: "METAINFO_BAD_INPUT" },
    { name: "both files and length", input: { ...file, files: [{ path: ["a"], length: 5 }] }, code: "METAINFO_BAD_INPUT" },
    { name: "a name that leads upwards", input: { ...file, name: ".." }, code: "METAINFO_BAD_NAME" },
    { name: "a path with a slash", input: { ...noLength, files: [{ path: ["a/b"], length: 5 }] }, code: "METAINFO_BAD_NAME" },
    { name: "an empty name", input: { ...file, name: "" }, code: "METAINFO_EMPTY_PATH" },
    { name: "a length that is a fraction", input: { ...file, length: 1.5 }, code: "METAINFO_BAD_INPUT" },
    { name: "a negative length", input: { ...file, length: -1 }, code: "METAINFO_NEGATIVE" },
    { name: "a piece length of zero", input: { ...file, pieceLength: 0 }, code: "METAINFO_BAD_PIECE_LENGTH" },
    { name: "a hash too many", input: { ...file, pieces: new Uint8Array(40) }, code: "METAINFO_PIECES_MISMATCH" },
    {
      name: "the same path twice",
      input: {
        ...noLength,
        files: [
          { path: ["a"], length: 5 },
          { path: ["a"], length: 0 },
        ],
      },
      code: "METAINFO_DUPLICATE_PATH",
    },
    { name: "a tracker that is no URL", input: { ...file, trackers: [["tracker"]] }, code: "METAINFO_BAD_INPUT" },
    {
      name: "a link out of the torrent",
      input: {
        ...noLength,
        files: [
          { path: ["a"], length: 5 },
          { path: ["l"], length: 0, symlink: ["..", "x"] },
        ],
      },
      code: "METAINFO_BAD_INPUT",
    },
    { name: "an invalid date", input: { ...file, creationDate: new Date(Number.NaN) }, code: "METAINFO_BAD_INPUT" },
  ];
  for (const { name, input, code } of refusals) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => buildMetainfo(input),
        (error) => error instanceof CodedError && error.code === code && error.fault === "local",
      );
    });
  }
});
