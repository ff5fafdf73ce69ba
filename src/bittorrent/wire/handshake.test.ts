import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromLatin1, toHex, tryFromHex } from "#/base/bytes.ts";
import { WireError } from "./errors.ts";
import { encodeHandshake, HANDSHAKE_LENGTH, HandshakeDecoder } from "./handshake.ts";

const infoHash = tryFromHex("000102030405060708090a0b0c0d0e0f10111213") as Uint8Array;
const peerId = fromLatin1("-FS0100-abcdefghijkl");
const NAME = "13426974546f7272656e742070726f746f636f6c";
const TAIL = `000102030405060708090a0b0c0d0e0f10111213${toHex(peerId)}`;

describe("a handshake as BEP 3 writes it", () => {
  const golden = [
    { name: "without extensions", reserved: "0000000000000000", flags: { fast: false, extended: false, dht: false } },
    { name: "with the fast extension (BEP 6)", reserved: "0000000000000004", flags: { fast: true, extended: false, dht: false } },
    {
      name: "with the extension protocol (BEP 10)",
      reserved: "0000000000100000",
      flags: { fast: false, extended: true, dht: false },
    },
    { name: "with a DHT node (BEP 5)", reserved: "0000000000000001", flags: { fast: false, extended: false, dht: true } },
    { name: "with all three", reserved: "0000000000100005", flags: { fast: true, extended: true, dht: true } },
  ];
  for (const { name, reserved, flags } of golden) {
    test(`${name}, is encoded`, () => {
      assert.equal(toHex(encodeHandshake({ infoHash, peerId, ...flags })), NAME + reserved + TAIL);
    });
    test(`${name}, is decoded`, () => {
      const result = new HandshakeDecoder().push(tryFromHex(NAME + reserved + TAIL) as Uint8Array);
      assert.deepEqual(result?.handshake, { infoHash, peerId, reserved: tryFromHex(reserved), ...flags });
      assert.equal(result.rest.byteLength, 0);
    });
  }

  test("flags are off unless they are given", () => {
    assert.equal(toHex(encodeHandshake({ infoHash, peerId })), `${NAME}0000000000000000${TAIL}`);
  });

  test("unknown reserved bits are kept and mean nothing", () => {
    const result = new HandshakeDecoder().push(tryFromHex(`${NAME}ffffffffffefffea${TAIL}`) as Uint8Array);
    assert.ok(result !== undefined);
    const { fast, extended, dht, reserved } = result.handshake;
    assert.deepEqual(
      { fast, extended, dht, reserved: toHex(reserved) },
      {
        fast: false,
        extended: false,
        dht: false,
        reserved: "ffffffffffefffea",
      },
    );
  });
});

describe("HandshakeDecoder", () => {
  test("gives the same for every cut, and what follows as a view", () => {
    const stream = new Uint8Array(HANDSHAKE_LENGTH + 5).fill(0x77);
    stream.set(encodeHandshake({ infoHash, peerId, fast: true }));
    const whole = new HandshakeDecoder().push(stream);
    assert.ok(whole !== undefined);
    assert.equal(whole.rest.buffer, stream.buffer);
    assert.equal(toHex(whole.rest), "7777777777");
    for (let cut = 0; cut < HANDSHAKE_LENGTH; cut++) {
      const decoder = new HandshakeDecoder();
      assert.equal(decoder.push(stream.slice(0, cut)), undefined);
      assert.equal(decoder.received, cut);
      assert.deepEqual(decoder.push(stream.slice(cut)), whole);
    }
  });

  test("takes a stream byte by byte", () => {
    const stream = encodeHandshake({ infoHash, peerId, dht: true });
    const decoder = new HandshakeDecoder();
    for (const byte of stream.subarray(0, -1)) assert.equal(decoder.push(Uint8Array.of(byte)), undefined);
    const result = decoder.push(stream.subarray(-1));
    assert.deepEqual(result?.handshake, new HandshakeDecoder().push(stream)?.handshake);
  });

  test("its arrays do not depend on the chunk", () => {
    const stream = encodeHandshake({ infoHash, peerId });
    const result = new HandshakeDecoder().push(stream);
    stream.fill(0);
    assert.deepEqual(result?.handshake.infoHash, infoHash);
    assert.deepEqual(result.handshake.peerId, peerId);
  });

  test("refuses the first byte that differs, at once", () => {
    const stream = encodeHandshake({ infoHash, peerId });
    for (let at = 0; at < 20; at++) {
      const decoder = new HandshakeDecoder();
      assert.equal(decoder.push(stream.subarray(0, at)), undefined);
      assert.throws(() => decoder.push(Uint8Array.of((stream[at] as number) ^ 0x20)), {
        name: "WireError",
        code: "WIRE_BAD_HANDSHAKE",
        fault: "remote",
        details: { offset: at, got: (stream[at] as number) ^ 0x20 },
      });
    }
    assert.throws(() => new HandshakeDecoder().push(fromLatin1("GET / HTTP/1.1\r\n")), { code: "WIRE_BAD_HANDSHAKE" });
  });

  test("gives a handshake, nothing yet, or a WireError for random bytes", () => {
    const start = encodeHandshake({ infoHash, peerId }).subarray(0, 20);
    fc.assert(
      fc.property(fc.nat(20), fc.uint8Array({ maxLength: 100 }), (kept, tail) => {
        const stream = new Uint8Array(kept + tail.byteLength);
        stream.set(start.subarray(0, kept));
        stream.set(tail, kept);
        const speaks = start.subarray(0, stream.byteLength).every((byte, i) => byte === stream[i]);
        try {
          assert.equal(new HandshakeDecoder().push(stream) !== undefined, stream.byteLength >= HANDSHAKE_LENGTH);
          assert.ok(speaks);
        } catch (error) {
          assert.ok(error instanceof WireError && error.code === "WIRE_BAD_HANDSHAKE" && !speaks);
        }
      }),
    );
  });

  test("refuses to go on behind the end", () => {
    const decoder = new HandshakeDecoder();
    decoder.push(encodeHandshake({ infoHash, peerId }));
    assert.throws(() => decoder.push(new Uint8Array(1)), { code: "WIRE_OUT_OF_RANGE", fault: "local" });
  });
});

test("an info-hash or peer id of the wrong length is not encoded", () => {
  const short = new Uint8Array(19);
  assert.throws(() => encodeHandshake({ infoHash: short, peerId }), { code: "WIRE_OUT_OF_RANGE", fault: "local" });
  assert.throws(() => encodeHandshake({ infoHash, peerId: short }), { code: "WIRE_OUT_OF_RANGE", fault: "local" });
});
