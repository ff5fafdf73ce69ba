import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeUtf8, fromLatin1, toHex, toLatin1 } from "#/base/bytes.ts";
import { TrackerError } from "./errors.ts";
import {
  decodeAnnounceAnswer,
  decodeScrapeAnswer,
  encodeAnnounceAnswer,
  encodeFailure,
  encodeScrapeAnswer,
  tryReadFailure,
} from "./http-answer.ts";
import { DEFAULT_INTERVAL_SECONDS, MAX_PEERS } from "./messages.ts";

const nothing = {
  minIntervalSeconds: undefined,
  seeders: undefined,
  leechers: undefined,
  warning: undefined,
  trackerId: undefined,
  externalIp: undefined,
};

describe("the answer to an announce", () => {
  test("with compact peers of both families, and everything that is optional", () => {
    const text =
      "d8:completei5e11:external ip4:\xc0\x00\x02\x0910:incompletei6e8:intervali1800e12:min intervali60e" +
      "5:peers12:\x0a\x00\x00\x01\x1a\xe1\x0a\x00\x00\x02\x00\x506:peers618:\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x09" +
      "10:tracker id3:a\xffb15:warning message8:careful!e";
    assert.deepEqual(decodeAnnounceAnswer(fromLatin1(text)), {
      intervalSeconds: 1800,
      minIntervalSeconds: 60,
      seeders: 5,
      leechers: 6,
      peers: [
        { host: "10.0.0.1", port: 6881 },
        { host: "10.0.0.2", port: 80 },
        { host: "2001:db8::1", port: 9 },
      ],
      warning: "careful!",
      trackerId: fromLatin1("a\xffb"),
      externalIp: "192.0.2.9",
    });
  });

  test("with a list of peers: names, bad ports and strangers are skipped, mapped addresses become IPv4", () => {
    const text =
      "d8:intervali9e5:peersld2:ip9:127.0.0.14:porti1eed2:ip11:tracker.com4:porti1eed2:ip9:127.0.0.14:porti0ee" +
      "d2:ip9:127.0.0.14:porti65536eei1ed2:ip16:::ffff:192.0.2.17:peer id1:x4:porti65535eed2:ip3:::14:porti2eeee";
    assert.deepEqual(decodeAnnounceAnswer(fromLatin1(text)), {
      ...nothing,
      intervalSeconds: 9,
      peers: [
        { host: "127.0.0.1", port: 1 },
        { host: "192.0.2.1", port: 65535 },
        { host: "::1", port: 2 },
      ],
    });
  });

  test("without anything has the default interval and no peers", () => {
    assert.deepEqual(decodeAnnounceAnswer(encodeUtf8("de")), { ...nothing, intervalSeconds: DEFAULT_INTERVAL_SECONDS, peers: [] });
  });

  test("with members of wrong types counts those as absent", () => {
    const text = "d8:complete1:x11:external ip3:abc10:incompletei-1e8:intervali-5e5:peersi1e6:peers6le15:warning messagei1ee";
    assert.deepEqual(decodeAnnounceAnswer(encodeUtf8(text)), { ...nothing, intervalSeconds: DEFAULT_INTERVAL_SECONDS, peers: [] });
  });

  test("may have bytes behind its end, and half a peer", () => {
    assert.deepEqual(decodeAnnounceAnswer(fromLatin1("d5:peers8:\x0a\x00\x00\x01\x00\x01zze\r\n")).peers, [
      { host: "10.0.0.1", port: 1 },
    ]);
  });

  test("gives no more peers than the bound, of both families and both forms together", () => {
    const many = new Uint8Array(6 * (MAX_PEERS - 1)).fill(1);
    const packed6 = new Uint8Array(18 * 5).fill(0x20);
    const text = `d5:peers${many.byteLength}:${toLatin1(many)}6:peers6${packed6.byteLength}:${toLatin1(packed6)}e`;
    assert.equal(decodeAnnounceAnswer(fromLatin1(text)).peers.length, MAX_PEERS);
    const list = "d2:ip7:1.2.3.44:porti1ee".repeat(MAX_PEERS + 5);
    assert.equal(decodeAnnounceAnswer(fromLatin1(`d5:peersl${list}ee`)).peers.length, MAX_PEERS);
  });

  test("drops a tracker id that is too long to send back, and cuts texts", () => {
    const answer = decodeAnnounceAnswer(
      encodeUtf8(`d10:tracker id257:${"x".repeat(257)}15:warning message600:${"y".repeat(600)}e`),
    );
    assert.equal(answer.trackerId, undefined);
    assert.equal(answer.warning?.length, 500);
  });

  for (const body of ["", "le", "i1e", "<html>", "d8:interval", "5:hello"]) {
    test(`"${body}" is refused`, () => assert.throws(() => decodeAnnounceAnswer(encodeUtf8(body)), { code: "TRACKER_BAD_ANSWER" }));
  }

  test("nested too deep, or of too many values, is refused", () => {
    assert.throws(() => decodeAnnounceAnswer(encodeUtf8(`d1:x${"l".repeat(20)}${"e".repeat(21)}`)), { code: "TRACKER_BAD_ANSWER" });
    assert.throws(() => decodeAnnounceAnswer(encodeUtf8(`d1:xl${"le".repeat(200_000)}ee`)), { code: "TRACKER_BAD_ANSWER" });
  });

  test("made by a tracker is read back in both forms", () => {
    const answer = {
      intervalSeconds: 1,
      minIntervalSeconds: 2,
      seeders: 3,
      leechers: 4,
      peers: [
        { host: "192.0.2.1", port: 5 },
        { host: "2001:db8::1", port: 6 },
      ],
      warning: "w",
      trackerId: Uint8Array.of(1),
      externalIp: "2001:db8::2",
    };
    assert.deepEqual(decodeAnnounceAnswer(encodeAnnounceAnswer(answer, { compact: true })), answer);
    assert.deepEqual(decodeAnnounceAnswer(encodeAnnounceAnswer(answer, { compact: false })), answer);
  });

  test("names peer ids only where they are wanted", () => {
    const answer = { intervalSeconds: 1, peers: [{ host: "1.2.3.4", port: 5, peerId: encodeUtf8("-FS0100-abcdefghijkl") }] };
    const text = (noPeerId: boolean): string => toLatin1(encodeAnnounceAnswer(answer, { compact: false, noPeerId }));
    assert.equal(text(false), "d8:intervali1e5:peersld2:ip7:1.2.3.47:peer id20:-FS0100-abcdefghijkl4:porti5eeee");
    assert.equal(text(true), "d8:intervali1e5:peersld2:ip7:1.2.3.44:porti5eeee");
  });
});

describe("a refusal", () => {
  const cases = [
    { body: "d14:failure reason4:nopee", retry: undefined },
    { body: "d14:failure reason4:nope8:retry ini5ee", retry: 300 },
    { body: "d14:failure reason4:nope8:retry in1:5e", retry: 300 },
    { body: "d14:failure reason4:nope8:retry in5:nevere", retry: Number.POSITIVE_INFINITY },
    { body: "d14:failure reason4:nope8:retry ini-5ee", retry: undefined },
  ];
  for (const { body, retry } of cases) {
    test(`${body} is thrown with its reason and its time`, () => {
      const matches = { code: "TRACKER_FAILURE", fault: "remote", details: { reason: "nope" }, retryInSeconds: retry };
      assert.throws(() => decodeAnnounceAnswer(encodeUtf8(body)), matches);
      assert.throws(() => decodeScrapeAnswer(encodeUtf8(body)), matches);
      assert.equal(tryReadFailure(encodeUtf8(body))?.retryInSeconds, retry);
    });
  }

  test("made by a tracker has the keys of BEP 3 and BEP 31", () => {
    assert.equal(toLatin1(encodeFailure({ reason: "no", retryInMinutes: 7 })), "d14:failure reason2:no8:retry ini7ee");
    assert.equal(toLatin1(encodeFailure({ reason: "no", retryInMinutes: "never" })), "d14:failure reason2:no8:retry in5:nevere");
    assert.equal(toLatin1(encodeFailure({ reason: "no" })), "d14:failure reason2:noe");
  });

  test("is not seen in other bodies", () => {
    assert.equal(tryReadFailure(encodeUtf8("<html>")), undefined);
    assert.equal(tryReadFailure(encodeUtf8("de")), undefined);
  });
});

describe("the answer to a scrape", () => {
  const infoHash = Uint8Array.from({ length: 20 }, (_, i) => 0xf0 + (i % 16));

  test("is read by hash, whatever else it holds", () => {
    const entry = "d8:completei1e10:downloadedi2e10:incompletei3ee";
    const text = `d5:filesd3:abc${entry}20:${toLatin1(infoHash)}${entry}20:${"z".repeat(20)}i1eee`;
    const entries = decodeScrapeAnswer(fromLatin1(text));
    assert.deepEqual([...entries], [[toHex(infoHash), { seeders: 1, leechers: 3, completed: 2 }]]);
  });

  test("made by a tracker is read back", () => {
    const entry = { seeders: 7, leechers: 8, completed: 9 };
    assert.deepEqual(decodeScrapeAnswer(encodeScrapeAnswer([[infoHash, entry]])).get(toHex(infoHash)), entry);
  });

  test("without files is refused", () => assert.throws(() => decodeScrapeAnswer(encodeUtf8("de")), { code: "TRACKER_BAD_ANSWER" }));
});

test("random bytes give an answer or a TrackerError", () => {
  const whole = encodeAnnounceAnswer(
    { intervalSeconds: 5, peers: [{ host: "1.2.3.4", port: 5 }], warning: "w" },
    { compact: false },
  );
  const mutated = fc.tuple(fc.nat(whole.byteLength - 1), fc.nat(255), fc.nat(whole.byteLength)).map(([at, value, length]) => {
    const copy = Uint8Array.from(whole);
    copy[at] = value;
    return copy.subarray(0, length);
  });
  const reads = (body: Uint8Array): boolean => {
    for (const decode of [decodeAnnounceAnswer, decodeScrapeAnswer]) {
      try {
        decode(body);
      } catch (error) {
        if (!(error instanceof TrackerError)) return false;
      }
    }
    return true;
  };
  fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), mutated), reads), { numRuns: 500 });
});
