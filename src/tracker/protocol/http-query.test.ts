import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toLatin1 } from "#/base/bytes.ts";
import { TrackerError } from "./errors.ts";
import { announceTarget, decodeAnnounceQuery, decodeScrapeQuery, encodeAnnounceQuery, encodeScrapeQuery } from "./http-query.ts";
import type { AnnounceRequest } from "./messages.ts";
import { parseTrackerUrl } from "./tracker-url.ts";

const infoHash = Uint8Array.of(
  0,
  0x20,
  0x25,
  0x26,
  0x2b,
  0x2d,
  0x2e,
  0x2f,
  0x30,
  0x41,
  0x5f,
  0x61,
  0x7a,
  0x7e,
  0x7f,
  0x80,
  0xc3,
  0xa4,
  0xfe,
  0xff,
);
const escapedHash = "%00%20%25%26%2B-.%2F0A_az~%7F%80%C3%A4%FE%FF";
const request: AnnounceRequest = {
  infoHash,
  peerId: new TextEncoder().encode("-FS0100-abcdefghijkl"),
  port: 6881,
  uploaded: 1,
  downloaded: 2,
  left: 2 ** 33,
  key: 0xabc,
};
const plain = `info_hash=${escapedHash}&peer_id=-FS0100-abcdefghijkl&port=6881&uploaded=1&downloaded=2&left=8589934592&compact=1&no_peer_id=1&key=00000ABC`;

describe("an announce as a query", () => {
  test("escapes each byte that is not unreserved", () => assert.equal(encodeAnnounceQuery(request), plain));

  test("carries what is optional", () => {
    const full = {
      ...request,
      event: "completed",
      numWant: 0,
      trackerId: Uint8Array.of(0x26, 0xff),
      ipv4: "192.0.2.1",
      ipv6: "2001:db8::1",
    } as const;
    const more = "&event=completed&numwant=0&ipv4=192.0.2.1&ipv6=2001%3Adb8%3A%3A1&trackerid=%26%FF";
    assert.equal(encodeAnnounceQuery(full), plain + more);
  });

  const targets = [
    { url: "http://t.example/announce", target: `/announce?${plain}` },
    { url: "http://t.example/announce?passkey=a%20b", target: `/announce?passkey=a%20b&${plain}` },
    { url: "http://t.example/announce?", target: `/announce?${plain}` },
    { url: "https://t.example/x/announce.php?a=1&#top", target: `/x/announce.php?a=1&${plain}` },
  ];
  for (const { url, target } of targets) {
    test(`stands behind what ${url} has`, () => assert.equal(announceTarget(parseTrackerUrl(url), request), target));
  }

  test("is not made of what is out of range", () => {
    assert.throws(() => encodeAnnounceQuery({ ...request, port: -1 }), {
      code: "TRACKER_BAD_REQUEST",
      details: { member: "port" },
    });
  });

  test("is read back by a tracker, whatever its bytes are", () => {
    const hash = fc.uint8Array({ minLength: 20, maxLength: 20 });
    const count = fc.maxSafeNat();
    const event = fc.constantFrom("started" as const, "completed" as const, "stopped" as const, undefined);
    fc.assert(
      fc.property(
        hash,
        hash,
        fc.nat(65535),
        count,
        event,
        fc.option(fc.nat(2 ** 31 - 1), { nil: undefined }),
        (hash1, hash2, port, left, what, numWant) => {
          const asked = {
            infoHash: hash1,
            peerId: hash2,
            port,
            uploaded: 7,
            downloaded: 8,
            left,
            event: what,
            key: 0xabc,
            numWant,
            trackerId: hash1,
          };
          const {
            key,
            compact,
            noPeerId,
            ip: _ip,
            ipv4: _ipv4,
            ipv6: _ipv6,
            ...read
          } = decodeAnnounceQuery(encodeAnnounceQuery(asked));
          assert.deepEqual(read, withoutKey(asked));
          assert.deepEqual({ key, compact, noPeerId }, { key: "00000ABC", compact: true, noPeerId: true });
        },
      ),
    );
  });

  function withoutKey({ key: _key, ...rest }: AnnounceRequest): Omit<AnnounceRequest, "key"> {
    return rest;
  }
});

describe("an announce read by a tracker", () => {
  const base = "info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=1&left=0";

  test("takes what is absent or makes no sense as absent", () => {
    const read = decodeAnnounceQuery(`${base}&event=paused&numwant=-1&compact=0&ipv4=x&ipv6=1.2.3.4&uploaded=1e3&=x&y`);
    const { event, numWant, compact, ipv4, ipv6, uploaded, downloaded, key, noPeerId } = read;
    assert.deepEqual(
      [event, numWant, compact, ipv4, ipv6, uploaded, downloaded, key, noPeerId],
      [undefined, undefined, false, undefined, undefined, 0, 0, undefined, false],
    );
  });

  test("takes the addresses of BEP 7 with and without a port", () => {
    const read = decodeAnnounceQuery(`${base}&ipv4=192.0.2.1:99&ipv6=%5B2001:db8::1%5D:99`);
    assert.deepEqual([read.ipv4, read.ipv6], ["192.0.2.1", "2001:db8::1"]);
    assert.equal(decodeAnnounceQuery(`${base}&ipv6=2001:db8::1`).ipv6, "2001:db8::1");
  });

  test("keeps a plus sign, and a percent sign that escapes nothing", () => {
    const read = decodeAnnounceQuery(base.replace("aaaaaaaaaaaaaaaaaaaa", "+%%2aaaaaaaaaaaaaaaaaa"));
    assert.equal(Buffer.from(read.infoHash).toString("latin1"), "+%*aaaaaaaaaaaaaaaaa");
  });

  for (const member of ["info_hash", "peer_id", "port", "left"]) {
    const without = base.split("&").filter((part) => !part.startsWith(member));
    for (const part of [[], [`${member}=`], [`${member}=99999x`]]) {
      test(`refuses ${part[0] ?? `no ${member}`}`, () => {
        assert.throws(() => decodeAnnounceQuery([...without, ...part].join("&")), {
          code: "TRACKER_BAD_REQUEST",
          details: { member },
        });
      });
    }
  }

  test("gives a value or a TrackerError for any text", () => {
    const part = fc.tuple(
      fc.constantFrom("info_hash", "peer_id", "port", "left", "x"),
      fc.uint8Array({ maxLength: 24 }).map(toLatin1),
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        try {
          return decodeAnnounceQuery(parts.map(([name, value]) => `${name}=${value}`).join("&")).port >= 0;
        } catch (error) {
          return error instanceof TrackerError;
        }
      }),
    );
  });
});

describe("a scrape as a query", () => {
  test("names each hash, and is read back", () => {
    const other = new Uint8Array(20).fill(0x61);
    const query = encodeScrapeQuery([infoHash, other]);
    assert.equal(query, `info_hash=${escapedHash}&info_hash=aaaaaaaaaaaaaaaaaaaa`);
    assert.deepEqual(decodeScrapeQuery(query), [infoHash, other]);
  });

  test("of nothing is neither made nor answered", () => {
    assert.throws(() => encodeScrapeQuery([]), { code: "TRACKER_BAD_REQUEST" });
    assert.throws(() => decodeScrapeQuery("x=1"), { code: "TRACKER_BAD_REQUEST" });
    assert.throws(() => decodeScrapeQuery("info_hash=abc"), { code: "TRACKER_BAD_REQUEST" });
  });
});
