import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toHex, tryFromHex } from "#/base/bytes.ts";
import { anyMessage } from "./any-message.test.ts";
import { WireError, type WireErrorCode } from "./errors.ts";
import {
  decodeMessage,
  encodeCancelInto,
  encodedLength,
  encodeInto,
  encodeMessage,
  encodePieceHeaderInto,
  encodeRejectInto,
  encodeRequestInto,
  keepAlive,
  PIECE_MESSAGE_HEADER_LENGTH,
  REQUEST_MESSAGE_LENGTH,
  type WireMessage,
} from "./messages.ts";

const bytes = (hex: string): Uint8Array => tryFromHex(hex.replaceAll(" ", "")) as Uint8Array;

/** Written by hand from BEP 3, 5, 6 and 10. */
const golden: readonly { name: string; hex: string; message: WireMessage }[] = [
  { name: "choke", hex: "00000001 00", message: { type: "choke" } },
  { name: "unchoke", hex: "00000001 01", message: { type: "unchoke" } },
  { name: "interested", hex: "00000001 02", message: { type: "interested" } },
  { name: "not interested", hex: "00000001 03", message: { type: "notInterested" } },
  { name: "have", hex: "00000005 04 0000002a", message: { type: "have", piece: 42 } },
  { name: "have of the last index", hex: "00000005 04 ffffffff", message: { type: "have", piece: 0xffff_ffff } },
  { name: "bitfield", hex: "00000003 05 ff80", message: { type: "bitfield", bits: bytes("ff80") } },
  { name: "bitfield of no piece", hex: "00000001 05", message: { type: "bitfield", bits: bytes("") } },
  {
    name: "request",
    hex: "0000000d 06 00000001 00004000 00004000",
    message: { type: "request", piece: 1, begin: 16384, length: 16384 },
  },
  {
    name: "piece",
    hex: "0000000c 07 00000001 80000000 abcdef",
    message: { type: "piece", piece: 1, begin: 2 ** 31, block: bytes("abcdef") },
  },
  {
    name: "cancel",
    hex: "0000000d 08 00000001 00004000 00000001",
    message: { type: "cancel", piece: 1, begin: 16384, length: 1 },
  },
  { name: "port", hex: "00000003 09 1ae1", message: { type: "port", port: 6881 } },
  { name: "suggest piece", hex: "00000005 0d 00000007", message: { type: "suggest", piece: 7 } },
  { name: "have all", hex: "00000001 0e", message: { type: "haveAll" } },
  { name: "have none", hex: "00000001 0f", message: { type: "haveNone" } },
  {
    name: "reject request",
    hex: "0000000d 10 00000001 00000000 00004000",
    message: { type: "reject", piece: 1, begin: 0, length: 16384 },
  },
  { name: "allowed fast", hex: "00000005 11 00000423", message: { type: "allowedFast", piece: 1059 } },
  { name: "extended", hex: "00000004 14 00 6465", message: { type: "extended", id: 0, payload: bytes("6465") } },
  { name: "extended without payload", hex: "00000002 14 ff", message: { type: "extended", id: 255, payload: bytes("") } },
];

describe("messages as BEP 3, 5, 6 and 10 write them", () => {
  for (const { name, hex, message } of golden) {
    test(`${name} is encoded`, () => {
      assert.equal(toHex(encodeMessage(message)), hex.replaceAll(" ", ""));
      assert.equal(encodedLength(message), bytes(hex).byteLength);
    });
    test(`${name} is decoded`, () => assert.deepEqual(decodeMessage(bytes(hex).subarray(4)), message));
  }

  test("a keep-alive is a length of zero", () => assert.equal(toHex(keepAlive), "00000000"));

  test("request, cancel and reject are written where the caller wants", () => {
    const out = new Uint8Array(2 + 3 * REQUEST_MESSAGE_LENGTH);
    const second = encodeRequestInto(out, 1, 1, 2, 3);
    const third = encodeCancelInto(out, second, 4, 5, 6);
    assert.equal(encodeRejectInto(out, third, 7, 8, 0xffff_ffff), 1 + 3 * REQUEST_MESSAGE_LENGTH);
    assert.equal(
      toHex(out),
      "000000000d060000000100000002000000030000000d080000000400000005000000060000000d100000000700000008ffffffff00",
    );
  });

  test("a piece header and its block make a piece message", () => {
    const block = bytes("0102030405");
    const out = new Uint8Array(PIECE_MESSAGE_HEADER_LENGTH + block.byteLength);
    encodePieceHeaderInto(out, 0, 9, 32768, block.byteLength);
    out.set(block, PIECE_MESSAGE_HEADER_LENGTH);
    assert.deepEqual(out, encodeMessage({ type: "piece", piece: 9, begin: 32768, block }));
  });
});

describe("any message", () => {
  test("is decoded to what was encoded, at any offset", () => {
    fc.assert(
      fc.property(anyMessage, fc.nat(9), (message, offset) => {
        const out = new Uint8Array(offset + encodedLength(message) + 3).fill(0xee);
        const end = encodeInto(message, out, offset);
        assert.equal(end, offset + encodedLength(message));
        assert.deepEqual(decodeMessage(out.subarray(offset + 4, end)), message);
        assert.ok(out.subarray(0, offset).every((byte) => byte === 0xee) && out.subarray(end).every((byte) => byte === 0xee));
      }),
    );
  });

  test("views of it lie in the body", () => {
    const body = bytes("05 f0f1f2");
    const message = decodeMessage(body);
    assert.equal(message?.type, "bitfield");
    assert.equal(message.bits.buffer, body.buffer);
  });
});

describe("bodies that are refused", () => {
  const refusals: readonly { name: string; hex: string; code: WireErrorCode }[] = [
    { name: "a body without an id", hex: "", code: "WIRE_BAD_LENGTH" },
    { name: "a choke with a byte too many", hex: "00 00", code: "WIRE_BAD_LENGTH" },
    { name: "a have-all with a byte too many", hex: "0e 00", code: "WIRE_BAD_LENGTH" },
    { name: "a have that is short", hex: "04 000000", code: "WIRE_BAD_LENGTH" },
    { name: "a have that is long", hex: "04 0000000000", code: "WIRE_BAD_LENGTH" },
    { name: "a suggestion that is short", hex: "0d", code: "WIRE_BAD_LENGTH" },
    { name: "an allowed-fast that is long", hex: "11 0000000000", code: "WIRE_BAD_LENGTH" },
    { name: "a request that is short", hex: "06 00000001 00004000", code: "WIRE_BAD_LENGTH" },
    { name: "a request that is long", hex: "06 00000001 00004000 00004000 00", code: "WIRE_BAD_LENGTH" },
    { name: "a cancel that is short", hex: "08", code: "WIRE_BAD_LENGTH" },
    { name: "a reject that is short", hex: "10 00000001", code: "WIRE_BAD_LENGTH" },
    { name: "a piece without its header", hex: "07 00000001 000000", code: "WIRE_BAD_LENGTH" },
    { name: "a piece without data", hex: "07 00000001 00000000", code: "WIRE_EMPTY_BLOCK" },
    { name: "a port of one byte", hex: "09 1a", code: "WIRE_BAD_LENGTH" },
    { name: "a port of three bytes", hex: "09 1ae100", code: "WIRE_BAD_LENGTH" },
    { name: "an extended message without its own id", hex: "14", code: "WIRE_BAD_LENGTH" },
  ];
  for (const { name, hex, code } of refusals) {
    test(name, () => assert.throws(() => decodeMessage(bytes(hex)), { name: "WireError", code, fault: "remote" }));
  }

  test("random bytes give a message, undefined, or a WireError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(24), (body, id) => {
        if (body.byteLength > 0) body[0] = id;
        try {
          const message = decodeMessage(body);
          if (message !== undefined) assert.deepEqual(encodeMessage(message).subarray(4), body);
        } catch (error) {
          assert.ok(error instanceof WireError && error.fault === "remote");
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("an unknown id is no error, whatever its length", () => {
    for (const id of [10, 11, 12, 18, 19, 21, 22, 23, 255]) {
      assert.equal(decodeMessage(Uint8Array.of(id)), undefined);
      assert.equal(decodeMessage(Uint8Array.of(id, 1, 2, 3)), undefined);
    }
  });
});

describe("messages that cannot be encoded", () => {
  const outOfRange = { name: "WireError", code: "WIRE_OUT_OF_RANGE", fault: "local" };
  const bad: readonly { name: string; message: WireMessage }[] = [
    { name: "a negative piece", message: { type: "have", piece: -1 } },
    { name: "a piece beyond 32 bits", message: { type: "allowedFast", piece: 2 ** 32 } },
    { name: "a fraction", message: { type: "request", piece: 0, begin: 0.5, length: 1 } },
    { name: "no number", message: { type: "cancel", piece: 0, begin: 0, length: Number.NaN } },
    { name: "a port beyond 16 bits", message: { type: "port", port: 65536 } },
    { name: "an extended id beyond 8 bits", message: { type: "extended", id: 256, payload: new Uint8Array(0) } },
    { name: "an empty block", message: { type: "piece", piece: 0, begin: 0, block: new Uint8Array(0) } },
  ];
  for (const { name, message } of bad) test(name, () => assert.throws(() => encodeMessage(message), outOfRange));

  test("a buffer without room", () => {
    const out = new Uint8Array(16);
    assert.throws(() => encodeRequestInto(out, 0, 1, 2, 3), outOfRange);
    assert.throws(() => encodeInto({ type: "choke" }, out, 12), outOfRange);
    assert.throws(() => encodeInto({ type: "choke" }, out, -1), outOfRange);
    assert.throws(() => encodePieceHeaderInto(out, 4, 1, 2, 3), outOfRange);
    assert.throws(() => encodePieceHeaderInto(out, 0, 1, 2, -3), outOfRange);
    assert.deepEqual(out, new Uint8Array(16));
  });
});
