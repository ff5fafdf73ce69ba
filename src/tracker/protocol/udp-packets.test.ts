import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { concatBytes, toHex, tryFromHex } from "#/base/bytes.ts";
import { TrackerError } from "./errors.ts";
import { type AnnounceRequest, MAX_PEERS } from "./messages.ts";
import {
  decodeUdpReply,
  decodeUdpRequest,
  encodeUdpReply,
  encodeUdpRequest,
  MAX_SCRAPE_HASHES,
  type UdpReply,
  type UdpRequest,
} from "./udp-packets.ts";

const bytes = (hex: string): Uint8Array => tryFromHex(hex.replace(/\s/g, "")) ?? assert.fail(`not hexadecimal: ${hex}`);
const code = (expected: string) => (error: unknown) => error instanceof TrackerError && error.code === expected;

const infoHash = Uint8Array.from({ length: 20 }, (_, i) => 0xa0 + i);
const peerId = new TextEncoder().encode("-FS0100-abcdefghijkl");
const request: AnnounceRequest = {
  infoHash,
  peerId,
  port: 0x1ae1,
  uploaded: 3,
  downloaded: 1,
  left: 2 ** 40,
  event: "started",
  key: 0xdeadbeef,
  numWant: 50,
};
const announce: UdpRequest = { type: "announce", connectionId: 0x1122334455667788n, transactionId: 0xfffffffe, request, path: "" };
const announceHex = `1122334455667788 00000001 fffffffe ${toHex(infoHash)} ${toHex(peerId)}
  0000000000000001 0000010000000000 0000000000000003 00000002 00000000 deadbeef 00000032 1ae1`;

// Layouts: BEP 15, "Packet formats"; options: BEP 41, "Extension format".
const requests: { name: string; hex: string; message: UdpRequest }[] = [
  { name: "connect", hex: "0000041727101980 00000000 01020304", message: { type: "connect", transactionId: 0x01020304 } },
  { name: "announce", hex: announceHex, message: announce },
  {
    name: "announce that leaves the number of peers to the tracker, and names its address",
    hex: announceHex.replace("00000000 deadbeef 00000032", "0a000001 deadbeef ffffffff"),
    message: { ...announce, request: { ...request, numWant: undefined, ipv4: "10.0.0.1" } },
  },
  { name: "announce with a path", hex: `${announceHex} 02 06 2f613f623d63`, message: { ...announce, path: "/a?b=c" } },
  {
    name: "announce with a path longer than one option holds",
    hex: `${announceHex} 02 ff ${"61".repeat(255)} 02 01 61`,
    message: { ...announce, path: "a".repeat(256) },
  },
  {
    name: "scrape of two",
    hex: `8000000000000001 00000002 00000005 ${toHex(infoHash)} ${toHex(peerId)}`,
    message: { type: "scrape", connectionId: 0x8000000000000001n, transactionId: 5, infoHashes: [infoHash, peerId] },
  },
];

const replies: { name: string; family: 4 | 6; hex: string; message: UdpReply }[] = [
  {
    name: "connect",
    family: 4,
    hex: "00000000 01020304 ffffffffffffffff",
    message: { type: "connect", transactionId: 0x01020304, connectionId: 0xffffffffffffffffn },
  },
  {
    name: "announce over IPv4",
    family: 4,
    hex: "00000001 00000007 00000708 00000002 80000001 0a000001 1ae1 c0000201 0050",
    message: {
      type: "announce",
      transactionId: 7,
      intervalSeconds: 1800,
      leechers: 2,
      seeders: 0x80000001,
      peers: [
        { host: "10.0.0.1", port: 6881 },
        { host: "192.0.2.1", port: 80 },
      ],
    },
  },
  {
    name: "announce over IPv6",
    family: 6,
    hex: "00000001 00000007 00000708 00000002 00000001 20010db8000000000000000000000001 1ae1",
    message: {
      type: "announce",
      transactionId: 7,
      intervalSeconds: 1800,
      leechers: 2,
      seeders: 1,
      peers: [{ host: "2001:db8::1", port: 6881 }],
    },
  },
  {
    name: "scrape",
    family: 4,
    hex: "00000002 00000007 00000001 00000002 00000003 00000004 00000005 00000006",
    message: {
      type: "scrape",
      transactionId: 7,
      entries: [
        { seeders: 1, completed: 2, leechers: 3 },
        { seeders: 4, completed: 5, leechers: 6 },
      ],
    },
  },
  { name: "error", family: 4, hex: "00000003 00000007 6e6f", message: { type: "error", transactionId: 7, message: "no" } },
];

describe("UDP requests", () => {
  for (const { name, hex, message } of requests) {
    test(`${name}: has the bytes of BEP 15`, () => assert.equal(toHex(encodeUdpRequest(message)), toHex(bytes(hex))));
    test(`${name}: is read back`, () => assert.deepEqual(decodeUdpRequest(bytes(hex)), message));
    test(`${name}: a shorter datagram is refused or is another valid one, never misread past its end`, () => {
      const whole = bytes(hex);
      for (let length = 0; length < whole.byteLength; length++) {
        try {
          decodeUdpRequest(whole.subarray(0, length));
        } catch (error) {
          assert.ok(error instanceof TrackerError && error.code === "TRACKER_BAD_REQUEST", String(error));
          continue;
        }
        assert.ok(length >= 36, `${length} bytes cannot be a request with contents`);
      }
    });
  }

  test("options that are not known are skipped, and what follows the end of options is ignored", () => {
    const hex = `${announceHex} 01 09 03 616161 02 01 62 00 02 05 63`;
    assert.deepEqual(decodeUdpRequest(bytes(hex)), { ...announce, path: "b" });
  });

  test("counters beyond 2^53 become the largest safe integer", () => {
    const hex = announceHex.replace("0000010000000000", "ffffffffffffffff");
    const decoded = decodeUdpRequest(bytes(hex));
    assert.equal(decoded.type === "announce" && decoded.request.left, Number.MAX_SAFE_INTEGER);
  });

  const refused: { name: string; hex: string }[] = [
    { name: "a connect with another protocol id", hex: "0000041727101981 00000000 01020304" },
    { name: "an unknown action", hex: "0000041727101980 00000009 01020304" },
    { name: "an option that is cut off", hex: `${announceHex} 02 05 61` },
    { name: "a scrape of nothing", hex: "8000000000000001 00000002 00000005" },
    { name: "a scrape of more than 74", hex: `8000000000000001 00000002 00000005 ${"00".repeat(75 * 20)}` },
  ];
  for (const { name, hex } of refused) {
    test(`${name} is refused`, () => assert.throws(() => decodeUdpRequest(bytes(hex)), code("TRACKER_BAD_REQUEST")));
  }

  const unsendable: { name: string; change: Partial<AnnounceRequest> }[] = [
    { name: "a hash of 19 bytes", change: { infoHash: new Uint8Array(19) } },
    { name: "a peer id of 21 bytes", change: { peerId: new Uint8Array(21) } },
    { name: "port 65536", change: { port: 65536 } },
    { name: "a negative count", change: { left: -1 } },
    { name: "a count that is no number", change: { uploaded: Number.NaN } },
    { name: "a key of 33 bits", change: { key: 2 ** 32 } },
    { name: "an address of the wrong family", change: { ipv4: "::1" } },
  ];
  for (const { name, change } of unsendable) {
    test(`${name} is not sent`, () => {
      assert.throws(() => encodeUdpRequest({ ...announce, request: { ...request, ...change } }), code("TRACKER_BAD_REQUEST"));
    });
  }

  test("a scrape of 75 is not sent", () => {
    const infoHashes = new Array(MAX_SCRAPE_HASHES + 1).fill(infoHash);
    const scrape: UdpRequest = { type: "scrape", connectionId: 1n, transactionId: 1, infoHashes };
    assert.throws(() => encodeUdpRequest(scrape), code("TRACKER_BAD_REQUEST"));
  });
});

describe("UDP replies", () => {
  for (const { name, family, hex, message } of replies) {
    test(`${name}: has the bytes of BEP 15`, () => assert.equal(toHex(encodeUdpReply(message, family)), toHex(bytes(hex))));
    test(`${name}: is read back`, () => assert.deepEqual(decodeUdpReply(bytes(hex), family), message));
  }

  const refused: { name: string; hex: string }[] = [
    { name: "a reply without a transaction id", hex: "00000000 010203" },
    { name: "a connect reply of 15 bytes", hex: "00000000 01020304 ffffffffffffff" },
    { name: "an announce reply of 19 bytes", hex: "00000001 00000007 00000708 00000002 800000" },
    { name: "an unknown action", hex: "00000004 00000007" },
  ];
  for (const { name, hex } of refused) {
    test(`${name} is refused`, () => assert.throws(() => decodeUdpReply(bytes(hex), 4), code("TRACKER_BAD_ANSWER")));
  }

  test("bytes behind the last whole peer, and peers with port 0, are left out", () => {
    const reply = decodeUdpReply(bytes("00000001 00000007 00000708 00000002 00000001 0a000001 0000 0a000002 0001 0a0000"), 4);
    assert.deepEqual(reply.type === "announce" && reply.peers, [{ host: "10.0.0.2", port: 1 }]);
  });

  test("peers beyond the bound are left out", () => {
    const head = bytes("00000001 00000007 00000708 00000002 00000001");
    const reply = decodeUdpReply(concatBytes([head, new Uint8Array(6 * (MAX_PEERS + 5)).fill(1)]), 4);
    assert.equal(reply.type === "announce" && reply.peers.length, MAX_PEERS);
  });

  test("peers of the other family are not sent", () => {
    const peers = [{ host: "2001:db8::1", port: 1 }];
    const reply: UdpReply = { type: "announce", transactionId: 1, intervalSeconds: 1, leechers: 0, seeders: 0, peers };
    assert.equal(encodeUdpReply(reply, 4).byteLength, 20);
  });
});

describe("random datagrams", () => {
  const datagrams = fc
    .tuple(fc.constantFrom(0, 1, 2, 3, 4), fc.uint8Array({ maxLength: 200 }), fc.constantFrom(3, 11))
    .map(([action, datagram, at]) => {
      if (datagram.byteLength > at) datagram[at] = action; // most get past the action
      if (datagram.byteLength > at) datagram.fill(0, at - 3, at);
      return datagram;
    });

  test("give a request or a TrackerError", () => {
    fc.assert(
      fc.property(datagrams, (datagram) => decodes(() => decodeUdpRequest(datagram))),
      { numRuns: 500 },
    );
  });

  test("give a reply or a TrackerError", () => {
    fc.assert(
      fc.property(datagrams, fc.constantFrom(4 as const, 6 as const), (datagram, family) =>
        decodes(() => decodeUdpReply(datagram, family)),
      ),
      {
        numRuns: 500,
      },
    );
  });

  function decodes(decode: () => { type: string }): boolean {
    try {
      return typeof decode().type === "string";
    } catch (error) {
      return error instanceof TrackerError;
    }
  }
});
