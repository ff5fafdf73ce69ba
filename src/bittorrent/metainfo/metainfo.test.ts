import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { fromLatin1, toHex } from "#/base/bytes.ts";
import { type BencodeInput, encode } from "#/bittorrent/bencode/index.ts";
import { parseInfo, parseMetainfo } from "./index.ts";

const HASH = new Uint8Array(20).fill(0xab);
const hashes = (count: number): Uint8Array => new Uint8Array(20 * count).fill(0xab);
const path = (...parts: string[]): BencodeInput => parts;

type Members = Record<string, BencodeInput | undefined>;
const torrent = (info: Members, outer: Members = {}): Uint8Array =>
  encode({ ...outer, info: { name: "t", "piece length": 16, ...info } });
const folder = (files: readonly Members[], info: Members = {}): Uint8Array => {
  const total = files.reduce((sum, file) => sum + Number(file["length"] ?? 0), 0);
  return torrent({ files: files as BencodeInput, ...info, pieces: info["pieces"] ?? hashes(Math.ceil(total / 16)) });
};

describe("info-hashes of known torrents", () => {
  const known = [
    {
      name: "magnet1.gif",
      infoHash: "ad42ce8109f54c99613ce38f9b4d87e70f24a165",
      length: 636505,
      last: 112217,
      size: 132,
      pieces:
        "3b46a96d9bc3716d1b75da91e6d753a793ad1cefeda417cb5c1cdbf841125c412da0bec9db8301f3422f45b1052e2d45da3e2a6516e1bb1f1db00733",
    },
    {
      name: "magnet2.gif",
      infoHash: "3f994a835e090238873498636b98a3e78d1c34ca",
      length: 79752,
      last: 79752,
      size: 91,
      pieces: "d78a7f55ddd89fef477bc49d938bc7e4d94094f1",
    },
    {
      name: "magnet3.gif",
      infoHash: "c5fb9894bdaba464811b088d806bdd611ba490af",
      length: 629944,
      last: 105656,
      size: 132,
      pieces:
        "ca80fd83ffb34d6e1bbd26a8ef6d305827f1cd0a707fd7c657f6d636f0583466c3cfe134ddb2c08a47076d104d214c0052960ef767262649a8af0ea8",
    },
  ] as const;
  for (const { name, infoHash, length, last, size, pieces } of known) {
    test(name, () => {
      const info = encode({ length, name, "piece length": 262144, pieces: Uint8Array.fromHex(pieces) });
      assert.equal(info.byteLength, size);
      const metainfo = parseInfo(info);
      assert.equal(metainfo.infoHashHex, infoHash);
      assert.equal(toHex(metainfo.infoHash), infoHash);
      assert.equal(metainfo.pieceCount, pieces.length / 40);
      assert.equal(metainfo.pieceSize(metainfo.pieceCount - 1), last);
      assert.equal(toHex(metainfo.pieceHash(metainfo.pieceCount - 1)), pieces.slice(-40));
    });
  }
});

describe("parseMetainfo", () => {
  test("a single file, with everything that may stand beside it", () => {
    const bytes = torrent(
      { name: "a.txt", length: 40, pieces: hashes(3), private: 1, source: "S", attr: "xh" },
      {
        announce: "http://unused/announce",
        "announce-list": [
          ["http://a/announce", "udp://b:1"],
          [" http://c/announce ", "udp://b:1", ""],
        ],
        "url-list": ["http://w/1", "http://w/2"],
        httpseeds: "http://h/seed",
        nodes: [
          ["router.example", 6881],
          ["19-ffaa:1:c3f,[141.44.25.148]", 7000],
        ],
        comment: "é",
        "created by": "maker",
        "creation date": 1_500_000_000,
        encoding: "UTF-8",
      },
    );
    const metainfo = parseMetainfo(bytes);
    assert.deepEqual(metainfo.files, [
      { index: 0, path: ["a.txt"], safePath: ["a.txt"], length: 40, offset: 0, padding: false, executable: true, hidden: true },
    ]);
    assert.deepEqual(metainfo.trackers, [["http://a/announce", "udp://b:1"], ["http://c/announce"]]);
    assert.deepEqual(metainfo.webSeeds, ["http://w/1", "http://w/2"]);
    assert.deepEqual(metainfo.httpSeeds, ["http://h/seed"]);
    assert.deepEqual(metainfo.nodes, [
      { host: "router.example", port: 6881 },
      { host: "19-ffaa:1:c3f,[141.44.25.148]", port: 7000 },
    ]);
    const { name, safeName, pieceLength, pieceCount, totalLength, isPrivate, singleFile, source, comment, createdBy, encoding } =
      metainfo;
    assert.deepEqual(
      { name, safeName, pieceLength, pieceCount, totalLength, isPrivate, singleFile, source, comment, createdBy, encoding },
      {
        name: "a.txt",
        safeName: "a.txt",
        pieceLength: 16,
        pieceCount: 3,
        totalLength: 40,
        isPrivate: true,
        singleFile: true,
        source: "S",
        comment: "é",
        createdBy: "maker",
        encoding: "UTF-8",
      },
    );
    assert.equal(metainfo.creationDate?.toISOString(), "2017-07-14T02:40:00.000Z");
    assert.deepEqual(
      [0, 1, 2].map((piece) => metainfo.pieceSize(piece)),
      [16, 16, 8],
    );
    assert.deepEqual(metainfo.issues, []);
    for (const piece of [-1, 3, 0.5, Number.NaN]) {
      assert.throws(() => metainfo.pieceSize(piece), RangeError);
      assert.throws(() => metainfo.pieceHash(piece), RangeError);
    }
  });

  test("nothing beside info but one tracker", () => {
    const metainfo = parseMetainfo(torrent({ length: 16, pieces: HASH }, { announce: "http://a/announce" }));
    assert.deepEqual(metainfo.trackers, [["http://a/announce"]]);
    assert.deepEqual([metainfo.webSeeds, metainfo.httpSeeds, metainfo.nodes, metainfo.issues], [[], [], [], []]);
    assert.equal(metainfo.isPrivate, false);
    assert.ok(!("comment" in metainfo) || metainfo.comment === undefined);
  });

  test("files in folders, empty ones, lengths and offsets past 2^32", () => {
    const metainfo = parseMetainfo(
      folder(
        [
          { length: 5_000_000_000, path: path("a", "big") },
          { length: 0, path: path("a", "b", "empty") },
          { length: 6, path: path("last") },
        ],
        { "piece length": 1 << 28, pieces: hashes(19) },
      ),
    );
    assert.equal(metainfo.totalLength, 5_000_000_006);
    assert.deepEqual(
      metainfo.files.map(({ safePath, length, offset }) => ({ safePath: safePath.join("/"), length, offset })),
      [
        { safePath: "t/a/big", length: 5_000_000_000, offset: 0 },
        { safePath: "t/a/b/empty", length: 0, offset: 5_000_000_000 },
        { safePath: "t/last", length: 6, offset: 5_000_000_000 },
      ],
    );
    assert.equal(metainfo.singleFile, false);
    assert.equal(metainfo.pieceSize(18), 5_000_000_006 - 18 * 2 ** 28);
  });

  test("a torrent of nothing but empty files has no pieces", () => {
    const metainfo = parseMetainfo(folder([{ length: 0, path: path("a") }]));
    assert.equal(metainfo.pieceCount, 0);
    assert.equal(metainfo.totalLength, 0);
  });

  test("the info-hash is that of the bytes as they stand, sorted or not, canonical or not", () => {
    const info = `d4:name1:t12:piece lengthi016e6:lengthi16e6:pieces20:${"x".repeat(20)}7:unknownde4:name5:evil!e`;
    const metainfo = parseMetainfo(fromLatin1(`d1:zi1e4:info${info}e\n`));
    assert.equal(metainfo.infoHashHex, createHash("sha1").update(info).digest("hex"));
    assert.equal(Buffer.from(metainfo.info).toString(), info);
    assert.equal(metainfo.name, "t");
    const offset = "d1:zi1e4:info".length;
    assert.deepEqual(metainfo.issues, [
      { where: "byte 7", what: 'unsortedKey "info"' },
      { where: `byte ${offset + info.indexOf("i016e")}`, what: "leadingZero" },
      { where: `byte ${offset + info.indexOf("6:length")}`, what: 'unsortedKey "length"' },
      { where: `byte ${offset + info.indexOf("4:name5")}`, what: 'duplicateKey "name"' },
      { where: `byte ${offset + info.length + 1}`, what: "1 bytes follow the torrent" },
    ]);
  });

  test("issues in the list of files are reported with their place in the torrent", () => {
    const text = `d4:infod5:filesld6:lengthi016e4:pathl1:aeee4:name1:t12:piece lengthi16e6:pieces20:${"x".repeat(20)}ee`;
    assert.deepEqual(parseMetainfo(fromLatin1(text)).issues, [{ where: `byte ${text.indexOf("i016e")}`, what: "leadingZero" }]);
  });

  test("names in UTF-8 go before names in another encoding", () => {
    const other = Uint8Array.of(0xc4, 0xe3);
    const metainfo = parseMetainfo(
      folder([{ length: 16, path: [other], "path.utf-8": path("dir", "你") }], { name: other, "name.utf-8": "好" }),
    );
    assert.equal(metainfo.name, "好");
    assert.deepEqual(metainfo.files[0]?.path, ["dir", "你"]);
    assert.deepEqual(metainfo.files[0]?.safePath, ["好", "dir", "你"]);
  });

  test("names in UTF-8 that are none give way to the others, and are reported", () => {
    const bad = Uint8Array.of(0xff);
    const metainfo = parseMetainfo(
      folder(
        [
          { length: 16, path: path("a"), "path.utf-8": [bad] },
          { length: 16, path: path("b"), "path.utf-8": 3 },
        ],
        { "name.utf-8": bad },
      ),
    );
    assert.deepEqual(
      metainfo.files.map((file) => file.safePath.join("/")),
      ["t/a", "t/b"],
    );
    assert.deepEqual(
      metainfo.issues.map(({ where }) => where),
      ["info.name.utf-8", "info.files.0.path.utf-8", "info.files.1.path.utf-8"],
    );
  });

  test("names that are not UTF-8 are read in the encoding that the torrent names", () => {
    const gbk = Uint8Array.of(0xc4, 0xe3);
    assert.equal(parseMetainfo(torrent({ name: gbk, length: 16, pieces: HASH }, { encoding: "GBK" })).name, "你");
    assert.equal(parseMetainfo(torrent({ name: "你", length: 16, pieces: HASH }, { encoding: "GBK" })).name, "你");
    assert.equal(parseMetainfo(torrent({ name: gbk, length: 16, pieces: HASH }, { encoding: "no such" })).name, "\ufffd\ufffd");
  });

  test("names of bad UTF-8 that look the same are two files", () => {
    const [a, b] = [Uint8Array.of(0x78, 0xff), Uint8Array.of(0x78, 0xfe)];
    const files = [
      { length: 8, path: [a] },
      { length: 8, path: [b] },
      { length: 8, path: [a, a] },
      { length: 8, path: [b, a] },
    ];
    assert.deepEqual(
      parseMetainfo(folder(files)).files.map((file) => file.safePath.join("/")),
      ["t/x\ufffd", "t/x\ufffd (2)", "t/x\ufffd (3)/x\ufffd", "t/x\ufffd (4)/x\ufffd"],
    );
  });

  test("paths stay inside, and clashes get names of their own", () => {
    const names = [
      ["..", "..", "etc", "passwd"],
      ["/abs"],
      ["C:", "x"],
      ["a\\b"],
      ["Dir", "x"],
      ["dir", "x"],
      ["DIR", "X"],
      ["dir"],
      ["e\u0301"],
      ["\u00e9"],
      ["nul"],
    ];
    assert.deepEqual(
      parseMetainfo(folder(names.map((parts) => ({ length: 1, path: parts })))).files.map((file) => file.safePath.join("/")),
      [
        "t/__/__/etc/passwd",
        "t/_abs",
        "t/C_/x",
        "t/a_b",
        "t/Dir/x",
        "t/dir (2)/x",
        "t/DIR (3)/X",
        "t/dir (4)",
        "t/e\u0301",
        "t/\u00e9 (2)",
        "t/_nul",
      ],
    );
    assert.deepEqual(
      parseMetainfo(folder(names.map((parts) => ({ length: 1, path: parts }))), { names: "linux" }).files.map((file) =>
        file.safePath.join("/"),
      ),
      [
        "t/__/__/etc/passwd",
        "t/_abs",
        "t/C:/x",
        "t/a\\b",
        "t/Dir/x",
        "t/dir/x",
        "t/DIR/X",
        "t/dir (2)",
        "t/e\u0301",
        "t/\u00e9",
        "t/nul",
      ],
    );
  });

  test("a path of a hundred thousand folders costs no more than its length", () => {
    const deep = new Array<string>(100_000).fill("d");
    assert.deepEqual(parseMetainfo(folder([{ length: 1, path: deep }])).files[0]?.safePath, ["t", ...deep]);
  });

  test("a name that would leave the output folder does not", () => {
    for (const name of ["..", ".", "/", "../x", "\0"]) {
      const metainfo = parseMetainfo(torrent({ name, length: 16, pieces: HASH }));
      assert.equal(
        metainfo.safeName,
        name.replace(/[/\0]/g, "_").replace(/^\.+$/, (dots) => "_".repeat(dots.length)),
      );
      assert.deepEqual(metainfo.files[0]?.safePath, [metainfo.safeName]);
    }
  });

  test("padding may have the same path many times, and takes no name from other files", () => {
    const metainfo = parseMetainfo(
      folder([
        { length: 10, path: path("a") },
        { length: 6, path: path(".pad", "6"), attr: "p" },
        { length: 10, path: path("b") },
        { length: 6, path: path(".pad", "6"), attr: "p" },
        { length: 10, path: path(".pad", "6") },
        { length: 6, path: path("_____padding_file_0_see BitComet____") },
      ]),
    );
    assert.deepEqual(
      metainfo.files.map(({ padding, safePath }) => [padding, safePath.slice(1).join("/")]),
      [
        [false, "a"],
        [true, ".pad/6"],
        [false, "b"],
        [true, ".pad/6"],
        [false, ".pad/6"],
        [true, "_____padding_file_0_see BitComet____"],
      ],
    );
  });

  test("symbolic links lead to safe paths in the torrent and nowhere else", () => {
    const link = (name: string, ...target: string[]): Members => ({ path: path(name), attr: "l", "symlink path": target });
    const metainfo = parseMetainfo(
      folder(
        [
          link("to file", "dir", "a?"),
          link("to folder", "dir"),
          link("outside", "..", "x"),
          link("nowhere", "dir", "b"),
          link("itself", "itself"),
          link("root"),
          { length: 16, path: path("dir", "a?"), attr: "xh" },
          { ...link("to renamed", "DIR"), length: 7 },
          { length: 0, path: path("DIR") },
        ],
        { pieces: hashes(1) },
      ),
    );
    assert.deepEqual(
      metainfo.files.map(({ symlink, length }) => [symlink?.join("/"), length]),
      [
        ["t/dir/a_", 0],
        ["t/dir", 0],
        [undefined, 0],
        [undefined, 0],
        [undefined, 0],
        [undefined, 0],
        [undefined, 16],
        ["t/DIR (2)", 0],
        [undefined, 0],
      ],
    );
    assert.deepEqual(
      metainfo.issues.map(({ where }) => where),
      [2, 3, 4, 5].map((i) => `info.files.${i}.symlink path`),
    );
    assert.equal(metainfo.totalLength, 16);
  });

  test("what is wrong beside info is left out and reported", () => {
    const metainfo = parseMetainfo(
      torrent(
        { length: 16, pieces: HASH, private: "yes", files: undefined },
        {
          announce: "http://a/announce",
          "announce-list": [3, "http://flat/announce", ["no url", 4, "http://x/\r\nHost: y"]],
          "url-list": ["http://w/my file", "ftp:", ""],
          httpseeds: { a: 1 },
          nodes: [["h", 0], ["h", 70000], ["", 1], [1, 2], "h:1", ["h"]],
          comment: 3,
          "created by": ["x"],
          "creation date": -1,
          encoding: 5,
        },
      ),
    );
    assert.deepEqual(metainfo.trackers, [["http://flat/announce"]]);
    assert.deepEqual(metainfo.webSeeds, ["http://w/my file"]);
    assert.deepEqual([metainfo.httpSeeds, metainfo.nodes, metainfo.comment, metainfo.createdBy], [[], [], undefined, undefined]);
    assert.equal(metainfo.creationDate, undefined);
    assert.equal(metainfo.isPrivate, true);
    assert.deepEqual(
      new Set(metainfo.issues.map(({ where }) => where.split(".")[0])),
      new Set(["comment", "created by", "encoding", "creation date", "announce-list", "url-list", "httpseeds", "nodes", "info"]),
    );
  });

  test("without a usable tier, announce counts", () => {
    const outer = { announce: "http://a/announce", "announce-list": [[], [""]] };
    assert.deepEqual(parseMetainfo(torrent({ length: 16, pieces: HASH }, outer)).trackers, [["http://a/announce"]]);
  });

  test("pieces and info are views of the input", () => {
    const bytes = torrent({ length: 16, pieces: HASH });
    const metainfo = parseMetainfo(bytes);
    for (const view of [metainfo.info, metainfo.pieces, metainfo.pieceHash(0)]) assert.equal(view.buffer, bytes.buffer);
  });

  test("a torrent with both versions of metadata is read as version 1", () => {
    const metainfo = parseMetainfo(torrent({ length: 16, pieces: HASH, "meta version": 2, "file tree": {} }));
    assert.equal(metainfo.totalLength, 16);
  });
});

describe("parseInfo", () => {
  test("takes what a magnet link says", () => {
    const info = encode({ name: "t", "piece length": 16, length: 16, pieces: HASH });
    const metainfo = parseInfo(info, { outer: { trackers: [["udp://a:1"]], webSeeds: ["http://w/"] } });
    assert.deepEqual(metainfo.trackers, [["udp://a:1"]]);
    assert.deepEqual(metainfo.webSeeds, ["http://w/"]);
    assert.deepEqual(metainfo.nodes, []);
    assert.equal(metainfo.infoHashHex, createHash("sha1").update(info).digest("hex"));
  });
});
