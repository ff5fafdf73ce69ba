import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { concatBytes, encodeUtf8 } from "#/base/bytes.ts";
import { CodedError } from "#/base/errors.ts";
import { type BencodeInput, encode } from "#/bittorrent/bencode/index.ts";
import { MAX_PIECE_LENGTH, type metainfoErrorCodes, parseInfo, parseMetainfo } from "./index.ts";

type Code = keyof typeof metainfoErrorCodes;
type Members = Record<string, BencodeInput | undefined>;
const HASH = new Uint8Array(20);

function failsWith(code: string, act: () => unknown, where?: string): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof CodedError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.fault, "remote");
    if (where !== undefined) assert.equal(error.details["where"], where);
    return true;
  });
}

describe("parseMetainfo refuses", () => {
  const single: Members = { name: "t", "piece length": 16, length: 16, pieces: HASH };
  const multi = (...files: BencodeInput[]): Members => ({ ...single, length: undefined, files });
  const file: Members = { length: 16, path: ["a"] };
  const big = 2 ** 53 - 1;
  const cases: readonly { name: string; info: Members; code: Code; where?: string }[] = [
    { name: "no name", info: { ...single, name: undefined }, code: "METAINFO_MISSING", where: "info.name" },
    { name: "a name that is no byte string", info: { ...single, name: 1 }, code: "METAINFO_WRONG_TYPE", where: "info.name" },
    { name: "an empty name", info: { ...single, name: "" }, code: "METAINFO_EMPTY_PATH", where: "info.name" },
    {
      name: "no piece length",
      info: { ...single, "piece length": undefined },
      code: "METAINFO_MISSING",
      where: "info.piece length",
    },
    {
      name: "a piece length that is no integer",
      info: { ...single, "piece length": "16" },
      code: "METAINFO_WRONG_TYPE",
      where: "info.piece length",
    },
    { name: "a piece length of zero", info: { ...single, "piece length": 0 }, code: "METAINFO_BAD_PIECE_LENGTH" },
    {
      name: "a negative piece length",
      info: { ...single, "piece length": -1 },
      code: "METAINFO_NEGATIVE",
      where: "info.piece length",
    },
    {
      name: "a piece length over the limit",
      info: { ...single, "piece length": MAX_PIECE_LENGTH + 1 },
      code: "METAINFO_BAD_PIECE_LENGTH",
    },
    {
      name: "a piece length of 64 bits",
      info: { ...single, "piece length": 2n ** 63n },
      code: "METAINFO_OVERFLOW",
      where: "info.piece length",
    },
    { name: "no pieces", info: { ...single, pieces: undefined }, code: "METAINFO_MISSING", where: "info.pieces" },
    { name: "pieces that are a list", info: { ...single, pieces: [HASH] }, code: "METAINFO_WRONG_TYPE", where: "info.pieces" },
    { name: "pieces of 19 bytes", info: { ...single, pieces: HASH.subarray(1) }, code: "METAINFO_BAD_PIECES" },
    { name: "a hash too many", info: { ...single, pieces: new Uint8Array(40) }, code: "METAINFO_PIECES_MISMATCH" },
    { name: "a hash too few", info: { ...single, length: 17 }, code: "METAINFO_PIECES_MISMATCH" },
    { name: "hashes of no data", info: { ...single, length: 0 }, code: "METAINFO_PIECES_MISMATCH" },
    { name: "neither length nor files", info: { ...single, length: undefined }, code: "METAINFO_MISSING", where: "info.length" },
    { name: "a length that is no integer", info: { ...single, length: [16] }, code: "METAINFO_WRONG_TYPE", where: "info.length" },
    { name: "a negative length", info: { ...single, length: -16 }, code: "METAINFO_NEGATIVE", where: "info.length" },
    { name: "a length past 2^53", info: { ...single, length: 2n ** 53n }, code: "METAINFO_OVERFLOW", where: "info.length" },
    { name: "a length below -2^53", info: { ...single, length: -(2n ** 60n) }, code: "METAINFO_NEGATIVE", where: "info.length" },
    { name: "an attr that is no byte string", info: { ...single, attr: 1 }, code: "METAINFO_WRONG_TYPE", where: "info.attr" },
    {
      name: "files that are a dictionary",
      info: { ...single, files: file as BencodeInput },
      code: "METAINFO_WRONG_TYPE",
      where: "info.files",
    },
    { name: "files that are a byte string", info: { ...single, files: "le" }, code: "METAINFO_WRONG_TYPE", where: "info.files" },
    { name: "no files", info: multi(), code: "METAINFO_NO_FILES" },
    { name: "a file that is no dictionary", info: multi(3), code: "METAINFO_WRONG_TYPE", where: "info.files.0" },
    { name: "a file without a length", info: multi({ path: ["a"] }), code: "METAINFO_MISSING", where: "info.files.0.length" },
    {
      name: "a file of negative length",
      info: multi(file, { path: ["b"], length: -1 }),
      code: "METAINFO_NEGATIVE",
      where: "info.files.1.length",
    },
    {
      name: "a file whose length is text",
      info: multi({ path: ["b"], length: "1" }),
      code: "METAINFO_WRONG_TYPE",
      where: "info.files.0.length",
    },
    {
      name: "a file longer than 2^53",
      info: multi({ path: ["b"], length: 2n ** 54n }),
      code: "METAINFO_OVERFLOW",
      where: "info.files.0.length",
    },
    {
      name: "files that are longer than 2^53 together",
      info: multi({ path: ["a"], length: big }, { path: ["b"], length: 1 }),
      code: "METAINFO_OVERFLOW",
    },
    { name: "a file without a path", info: multi({ length: 16 }), code: "METAINFO_MISSING", where: "info.files.0.path" },
    {
      name: "a path that is text",
      info: multi({ length: 16, path: "a" }),
      code: "METAINFO_WRONG_TYPE",
      where: "info.files.0.path",
    },
    {
      name: "only a path.utf-8 that is not UTF-8",
      info: multi({ length: 16, "path.utf-8": [Uint8Array.of(255)] }),
      code: "METAINFO_WRONG_TYPE",
      where: "info.files.0.path.utf-8",
    },
    {
      name: "a path of integers",
      info: multi({ length: 16, path: ["a", 1] }),
      code: "METAINFO_WRONG_TYPE",
      where: "info.files.0.path.1",
    },
    { name: "a path of no parts", info: multi({ length: 16, path: [] }), code: "METAINFO_EMPTY_PATH", where: "info.files.0.path" },
    {
      name: "a path with an empty part",
      info: multi({ length: 16, path: ["a", ""] }),
      code: "METAINFO_EMPTY_PATH",
      where: "info.files.0.path.1",
    },
    {
      name: "the same path twice",
      info: multi(file, { length: 0, path: ["b"] }, file),
      code: "METAINFO_DUPLICATE_PATH",
      where: "info.files.2",
    },
    {
      name: "the same path in folders twice",
      info: multi({ length: 16, path: ["a", "b"] }, { length: 0, path: ["a", "b"] }),
      code: "METAINFO_DUPLICATE_PATH",
    },
    {
      name: "the same path of bad UTF-8 twice",
      info: multi({ length: 16, path: [Uint8Array.of(255)] }, { length: 0, path: [Uint8Array.of(255)] }),
      code: "METAINFO_DUPLICATE_PATH",
    },
    {
      name: "a file attr that is no byte string",
      info: multi({ ...file, attr: [] }),
      code: "METAINFO_WRONG_TYPE",
      where: "info.files.0.attr",
    },
    {
      name: "a symbolic link to nothing",
      info: multi(file, { path: ["l"], attr: "l" }),
      code: "METAINFO_MISSING",
      where: "info.files.1.symlink path",
    },
    {
      name: "a symbolic link to text",
      info: multi(file, { path: ["l"], attr: "l", "symlink path": "a" }),
      code: "METAINFO_WRONG_TYPE",
      where: "info.files.1.symlink path",
    },
    {
      name: "a symbolic link to an integer",
      info: multi(file, { path: ["l"], attr: "l", "symlink path": [1] }),
      code: "METAINFO_WRONG_TYPE",
      where: "info.files.1.symlink path.0",
    },
    {
      name: "version 2 metadata alone",
      info: { name: "t", "piece length": 16384, "meta version": 2, "file tree": {} },
      code: "METAINFO_UNSUPPORTED_VERSION",
    },
  ];
  for (const { name, info, code, where } of cases) {
    test(name, () => {
      failsWith(code, () => parseMetainfo(encode({ info })), where);
      failsWith(code, () => parseInfo(encode(info)), where);
    });
  }

  test("what is no torrent", () => {
    failsWith("METAINFO_WRONG_TYPE", () => parseMetainfo(encodeUtf8("i1e")), "");
    failsWith("METAINFO_MISSING", () => parseMetainfo(encodeUtf8("de")), "info");
    failsWith("METAINFO_WRONG_TYPE", () => parseMetainfo(encodeUtf8("d4:info3:abce")), "info");
    failsWith("METAINFO_WRONG_TYPE", () => parseInfo(encodeUtf8("le")), "info");
    failsWith("BENCODE_UNEXPECTED_BYTE", () => parseMetainfo(encodeUtf8("<!DOCTYPE html>")));
    failsWith("BENCODE_TRUNCATED", () => parseMetainfo(new Uint8Array()));
    failsWith("BENCODE_INTEGER_RANGE", () => parseMetainfo(encodeUtf8(`d4:infod6:lengthi${"9".repeat(30)}eee`)));
  });

  test("bytes behind an info dictionary, which its hash would not cover", () => {
    failsWith("METAINFO_WRONG_TYPE", () => parseInfo(concatBytes([encode(single), encodeUtf8("x")])), "info");
  });

  const whole = encode({
    announce: "http://a/announce",
    "announce-list": [["http://a/announce"], ["udp://b:1"]],
    info: {
      name: "t",
      "piece length": 16,
      pieces: HASH,
      files: [
        { length: 10, path: ["dir", "a"], attr: "x" },
        { length: 6, path: [".pad", "6"], attr: "p" },
        { path: ["l"], attr: "l", "symlink path": ["dir", "a"] },
      ],
    },
    nodes: [["h", 1]],
  });

  test("a torrent cut at any byte", () => {
    assert.deepEqual(parseMetainfo(whole).issues, []);
    for (let end = 0; end < whole.byteLength; end++) failsWith("BENCODE_TRUNCATED", () => parseMetainfo(whole.subarray(0, end)));
  });

  test("with no other than coded errors, whatever bytes are changed", () => {
    const changes = fc.array(
      fc.tuple(fc.nat(whole.byteLength - 1), fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from("dlie01:-")))),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(changes, (list) => {
        const bytes = whole.slice();
        for (const [at, byte] of list) bytes[at] = byte;
        valueOrCodedError(() => parseMetainfo(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  test("with no other than coded errors, whatever the values are", () => {
    const keys = [
      "name",
      "name.utf-8",
      "piece length",
      "pieces",
      "length",
      "files",
      "path",
      "path.utf-8",
      "attr",
      "symlink path",
      "private",
      "source",
      "info",
      "announce",
      "announce-list",
      "url-list",
      "httpseeds",
      "nodes",
      "creation date",
      "encoding",
      "comment",
    ];
    const { tree } = fc.letrec<{ tree: BencodeInput }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
        fc.constantFrom<BencodeInput>(0, 1, 16, "a", "..", "gbk", "pxhl", HASH, "http://a/b"),
        fc.uint8Array({ maxLength: 6 }),
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom(...keys), tie("tree"), { maxKeys: 8 }),
      ),
    }));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), tree), fc.dictionary(fc.constantFrom(...keys), tree), (outer, info) => {
        valueOrCodedError(() => parseMetainfo(encode({ ...outer, info })));
        valueOrCodedError(() =>
          parseMetainfo(encode({ ...outer, info: { name: "t", "piece length": 16, pieces: HASH, ...info } })),
        );
      }),
      { numRuns: 1000 },
    );
  });
});

function valueOrCodedError(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof CodedError, String(error));
  }
}
