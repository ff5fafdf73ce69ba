import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromLatin1, toLatin1 } from "#/base/bytes.ts";
import { seededRandom } from "#/base/random.ts";
import { createPeerId, describePeerId } from "./peer-id.ts";

/** An id that begins with `start`; what follows is no part of any style. */
const idOf = (start: string): Uint8Array => fromLatin1(start.padEnd(20, "\xf3"));

describe("peer ids of others (BEP 20)", () => {
  const names: readonly [string, string][] = [
    ["-FS0100-", "Freshet 0.1.0"],
    ["-qB4520-", "qBittorrent 4.5.2"],
    ["-qB5101-", "qBittorrent 5.1.0.1"],
    ["-LT20B0-", "libtorrent 2.0.11"],
    ["-lt0D80-", "libTorrent (rTorrent) 0.13.8"],
    ["-DE13F0-", "Deluge 1.3.15"],
    ["-AZ5760-", "Vuze 5.7.6"],
    ["-BI3400-", "BiglyBT 3.4.0"],
    ["-KT5130-", "KTorrent 5.1.3"],
    ["-UT3550-", "µTorrent 3.5.5"],
    ["-UT355S-", "µTorrent 3.5.5"],
    ["-UT355SA", "µTorrent 3.5.5"],
    ["-BT7a5S-", "BitTorrent 7.10.5"],
    ["-TR4060-", "Transmission 4.0.6"],
    ["-TR2940-", "Transmission 2.94"],
    ["-TR300Z-", "Transmission 3.00"],
    ["-TR0072-", "Transmission 0.72"],
    ["-TR0006-", "Transmission 0.6"],
    ["-BC0171-", "BitComet 1.71"],
    ["-WW0206-", "WebTorrent 2.6"],
    ["-WD0024-", "WebTorrent Desktop 0.24"],
    ["-XL0012-", "Xunlei 0.0.1.2"],
    ["-FL51FF-", "Folx"],
    ["-A~0300-", "Ares 0.3.0"],
    ["A2-1-36-0-", "aria2 1.36.0"],
    ["TIX0262-", "Tixati 2.62"],
    ["TIX0305-", "Tixati 3.05"],
    ["-ML2.7.2-", "MLDonkey 2.7.2"],
    ["-G3g3rmz    ", "G3 Torrent"],
    ["-BOWA0C-", "Bits on Wheels"],
    ["XBT054d-", "XBT Client 0.5.4"],
    ["OP7685", "Opera 7685"],
    ["DNA010203", "BitTorrent DNA 1.02.03"],
    ["AZ2500BT", "BitTyrant"],
    ["exbc\x00\x38", "BitComet 0.56"],
    ["exbc\x01\x02LORD", "BitLord 1.02"],
    ["M4-3-6--", "BitTorrent 4.3.6"],
    ["M7-10-5-", "BitTorrent 7.10.5"],
    ["Q1-10-0-", "Queen Bee 1.10.0"],
    ["S58B-----", "Shadow's client 5.8.11"],
    ["T03A0----", "BitTornado 0.3.10.0"],
    ["T03A---T-", "BitTornado 0.3.10"],
    ["A310--001", "ABC 3.1.0"],
    ["R060-----", "Tribler 0.6.0"],
  ];
  for (const [start, name] of names)
    test(`${JSON.stringify(start)} is ${name}`, () => assert.equal(describePeerId(idOf(start)), name));

  test("a code that nobody knows is shown", () => assert.equal(describePeerId(idOf("-x91234-")), "unknown (-x91234-)"));

  test("an id of no style is shown in hexadecimal", () => {
    assert.equal(describePeerId(new Uint8Array(20)), `unknown (${"00".repeat(20)})`);
    for (const start of ["-qB45", "-qB\x1b[3-", "T03A0xxxx", "M4-3", "Z03A0----", "\x1b[31m"]) {
      assert.match(describePeerId(idOf(start)), /^unknown \([0-9a-f]{40}\)$/);
    }
  });

  test("an id of another length is unknown", () => {
    assert.equal(describePeerId(new Uint8Array(0)), "unknown ()");
    assert.equal(describePeerId(fromLatin1("-qB4520-")), "unknown (2d7142343532302d)");
    assert.equal(describePeerId(new Uint8Array(100)), `unknown (${"00".repeat(20)})`);
  });

  test("whatever the bytes are, the name can be printed", () => {
    const starts = names.map(([start]) => start);
    fc.assert(
      fc.property(fc.constantFrom("", ...starts), fc.nat(9), fc.uint8Array({ minLength: 20, maxLength: 20 }), (start, kept, id) => {
        id.set(fromLatin1(start.slice(0, kept)));
        assert.match(describePeerId(id), /^[ -~µ]{1,60}$/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a peer id of ours", () => {
  test("is code, version, and 12 letters or digits", () => {
    const id = createPeerId(seededRandom(1));
    assert.match(toLatin1(id), /^-FS0100-[0-9A-Za-z]{12}$/);
    assert.equal(id.byteLength, 20);
  });
  test("says the version that is given", () => {
    for (const [version, code, name] of [
      ["1", "1000", "Freshet 1.0.0"],
      ["0.12.3", "0C30", "Freshet 0.12.3"],
      ["2.35.0.1", "2Z01", "Freshet 2.35.0.1"],
      ["0.2.0-beta.1", "0200", "Freshet 0.2.0"],
    ] as const) {
      const id = createPeerId(seededRandom(1), version);
      assert.equal(toLatin1(id).slice(0, 8), `-FS${code}-`);
      assert.equal(describePeerId(id), name);
    }
  });
  test("differs from draw to draw and is the same for the same seed", () => {
    const random = seededRandom(1);
    const first = createPeerId(random);
    assert.notDeepEqual(createPeerId(random), first);
    assert.deepEqual(createPeerId(seededRandom(1)), first);
  });
  test("is not made of a version that does not fit", () => {
    for (const version of ["", "x", "0.36.0", "100"]) {
      assert.throws(() => createPeerId(seededRandom(1), version), { code: "WIRE_OUT_OF_RANGE", fault: "local" });
    }
  });
});
