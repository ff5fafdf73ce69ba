import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { concatBytes, toHex, tryFromHex } from "#/base/bytes.ts";
import { anyMessage } from "./any-message.test.ts";
import { WireError, type WireErrorCode } from "./errors.ts";
import { FrameDecoder, type FrameSink } from "./frames.ts";
import { decodeMessage, encodeMessage, keepAlive, type WireMessage } from "./messages.ts";

const limits = { maxMessageLength: 600, maxBlockLength: 400 };
const bytes = (hex: string): Uint8Array => tryFromHex(hex.replaceAll(" ", "")) as Uint8Array;

/** What was told, with blocks put together, so that different cuts compare equal. */
type Told = string;

class Recorder implements FrameSink {
  readonly told: Told[] = [];
  readonly calls: string[] = [];
  #block = "";
  #left = 0;

  message(message: WireMessage): void {
    this.#note("message", describeMessage(message));
  }
  keepAlive(): void {
    this.#note("keepAlive", "keepAlive");
  }
  unknown(id: number, length: number): void {
    this.#note("unknown", `unknown ${id} ${length}`);
  }
  blockStart(piece: number, begin: number, length: number): void {
    assert.ok(length > 0 && this.#left === 0);
    this.#left = length;
    this.#block = "";
    this.#note("blockStart", `start ${piece} ${begin} ${length}`);
  }
  blockData(data: Uint8Array): void {
    assert.ok(data.byteLength > 0 && data.byteLength <= this.#left);
    this.#left -= data.byteLength;
    this.#block += toHex(data);
    this.calls.push("blockData");
  }
  blockEnd(): void {
    assert.equal(this.#left, 0);
    this.#note("blockEnd", `block ${this.#block}`);
  }
  #note(call: string, told: Told): void {
    this.calls.push(call);
    this.told.push(told);
  }
}

function describeMessage(message: WireMessage): Told {
  return JSON.stringify(message, (_, value) => (value instanceof Uint8Array ? toHex(value) : value));
}

interface Outcome {
  readonly told: readonly Told[];
  readonly code: WireErrorCode | undefined;
}

/** The stream given in pieces that end at `cuts`. */
function decodeCut(stream: Uint8Array, cuts: readonly number[]): Outcome {
  const sink = new Recorder();
  const decoder = new FrameDecoder(sink, limits);
  let code: WireErrorCode | undefined;
  let start = 0;
  for (const end of [...cuts, stream.byteLength]) {
    // The chunk's memory is spoilt after the call: nothing may depend on it.
    const chunk = Uint8Array.from(stream.subarray(start, end));
    try {
      decoder.receive(chunk);
    } catch (error) {
      assert.ok(error instanceof WireError && error.fault === "remote");
      assert.equal(code, undefined, "a decoder that has refused a stream stays silent");
      code = error.code;
    }
    chunk.fill(0xa5);
    start = end;
  }
  return { told: sink.told, code };
}

const everyByte = (stream: Uint8Array): number[] => Array.from({ length: stream.byteLength }, (_, i) => i);

/** The plain way: all bytes at hand, one frame after the other, each body by itself. */
function decodeNaively(stream: Uint8Array): Outcome {
  const told: Told[] = [];
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  let at = 0;
  while (at + 4 <= stream.byteLength) {
    const length = view.getUint32(at);
    if (length === 0) {
      told.push("keepAlive");
      at += 4;
      continue;
    }
    if (length > Math.max(limits.maxMessageLength, limits.maxBlockLength + 9)) return { told, code: "WIRE_MESSAGE_TOO_LONG" };
    const id = stream[at + 4];
    if (id === undefined) break;
    const frame = stream.subarray(at + 4, at + 4 + length);
    const padded = new Uint8Array(length); // what is missing cannot change whether the length fits the id
    padded.set(frame);
    let message: WireMessage | undefined;
    try {
      message = decodeMessage(padded);
    } catch (error) {
      return { told, code: (error as WireError).code };
    }
    if (id === 7) {
      if (length - 9 > limits.maxBlockLength) return { told, code: "WIRE_BLOCK_TOO_LONG" };
      if (frame.byteLength < 9) break;
      assert.equal(message?.type, "piece");
      told.push(`start ${message.piece} ${message.begin} ${message.block.byteLength}`);
      if (frame.byteLength === length) told.push(`block ${toHex(message.block)}`);
    } else {
      if (length > limits.maxMessageLength) return { told, code: "WIRE_MESSAGE_TOO_LONG" };
      if (message === undefined) told.push(`unknown ${id} ${length}`);
      else if (frame.byteLength === length) told.push(describeMessage(message));
    }
    at += 4 + length;
  }
  return { told, code: undefined };
}

function frame(id: number, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(5 + body.byteLength);
  new DataView(out.buffer).setUint32(0, 1 + body.byteLength);
  out[4] = id;
  out.set(body, 5);
  return out;
}

const goodFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 8, arbitrary: anyMessage.map(encodeMessage) },
  { weight: 1, arbitrary: fc.constant(keepAlive) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(10, 21, 99, 255), fc.uint8Array({ maxLength: 30 })).map(([id, body]) => frame(id, body)),
  },
);
const anyFrame: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 12, arbitrary: goodFrame },
  { weight: 1, arbitrary: fc.tuple(fc.nat(24), fc.uint8Array({ maxLength: 700 })).map(([id, body]) => frame(id, body)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
);
const streamOf = (frames: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> =>
  fc.array(frames, { maxLength: 12 }).map((list) => concatBytes(list));
const streamAndCuts = (frames: fc.Arbitrary<Uint8Array>): fc.Arbitrary<[Uint8Array, number[]]> =>
  streamOf(frames).chain((stream) =>
    fc.tuple(
      fc.constant(stream),
      fc.array(fc.nat(stream.byteLength), { maxLength: 12 }).map((cuts) => cuts.sort((a, b) => a - b)),
    ),
  );

describe("a stream of frames", () => {
  test("of messages arrives as it was sent", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 12 }), (messages) => {
        const want = messages.flatMap((message) =>
          message.type === "piece"
            ? [`start ${message.piece} ${message.begin} ${message.block.byteLength}`, `block ${toHex(message.block)}`]
            : [describeMessage(message)],
        );
        assert.deepEqual(decodeCut(concatBytes(messages.map(encodeMessage)), []), { told: want, code: undefined });
      }),
    );
  });

  test("gives the same whole, byte by byte, cut at random, and by a naive decoder", () => {
    fc.assert(
      fc.property(streamAndCuts(anyFrame), ([stream, cuts]) => {
        const want = decodeNaively(stream);
        assert.deepEqual(decodeCut(stream, []), want);
        assert.deepEqual(decodeCut(stream, everyByte(stream)), want);
        assert.deepEqual(decodeCut(stream, cuts), want);
      }),
      { numRuns: 400 },
    );
  });

  test("of random bytes gives the same by both, or the same refusal", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (stream) => {
        for (let i = 0; i < stream.byteLength && i < 3; i++) stream[i] = 0; // else nearly all are refused by their first prefix
        const want = decodeNaively(stream);
        assert.deepEqual(decodeCut(stream, []), want);
        assert.deepEqual(decodeCut(stream, everyByte(stream)), want);
      }),
      { numRuns: 1000 },
    );
  });

  test("each cut of one of every kind is harmless", () => {
    const stream = concatBytes([
      keepAlive,
      encodeMessage({ type: "bitfield", bits: new Uint8Array(500).fill(7) }),
      encodeMessage({ type: "piece", piece: 1, begin: 2, block: bytes("0a0b0c") }),
      frame(77, bytes("010203")),
      frame(78, bytes("")),
      encodeMessage({ type: "choke" }),
      encodeMessage({ type: "request", piece: 1, begin: 2, length: 3 }),
      keepAlive,
    ]);
    const want = decodeNaively(stream);
    assert.equal(want.told.length, 9);
    for (let cut = 0; cut <= stream.byteLength; cut++) assert.deepEqual(decodeCut(stream, [cut]), want);
  });
});

describe("a block", () => {
  test("is handed on as views of the chunks and never kept", () => {
    const stream = encodeMessage({ type: "piece", piece: 3, begin: 16384, block: bytes("000102030405060708090a0b0c0d0e0f") });
    const views: Uint8Array[] = [];
    const sink = new Recorder();
    sink.blockData = (data) => void views.push(data);
    sink.blockEnd = () => void views.push(new Uint8Array(0));
    const decoder = new FrameDecoder(sink, limits);
    const chunks = [stream.slice(0, 15), stream.slice(15, 20), stream.slice(20)];
    for (const chunk of chunks) decoder.receive(chunk);
    assert.deepEqual(
      views.map((view) => view.byteLength),
      [2, 5, 9, 0],
    );
    assert.deepEqual(
      views.slice(0, 3).map((view) => view.buffer),
      chunks.map((chunk) => chunk.buffer),
    );
    assert.deepEqual(sink.told, ["start 3 16384 16"]);
  });

  test("of the largest length is taken although a message of that length is not", () => {
    const sink = new Recorder();
    const decoder = new FrameDecoder(sink, { maxMessageLength: 10, maxBlockLength: 64 });
    decoder.receive(encodeMessage({ type: "piece", piece: 0, begin: 0, block: new Uint8Array(64) }));
    assert.deepEqual(sink.calls, ["blockStart", "blockData", "blockEnd"]);
    assert.throws(() => decoder.receive(encodeMessage({ type: "bitfield", bits: new Uint8Array(10) })), {
      code: "WIRE_MESSAGE_TOO_LONG",
    });
  });
});

describe("what is refused, as soon as prefix and id are there", () => {
  const refusals: readonly { name: string; hex: string; code: WireErrorCode }[] = [
    { name: "a prefix beyond every limit, without an id", hex: "00000259", code: "WIRE_MESSAGE_TOO_LONG" },
    { name: "the largest prefix", hex: "ffffffff", code: "WIRE_MESSAGE_TOO_LONG" },
    { name: "a prefix that looks like a web page", hex: "48545450", code: "WIRE_MESSAGE_TOO_LONG" },
    { name: "a block too long by one", hex: "0000019a 07", code: "WIRE_BLOCK_TOO_LONG" },
    { name: "a block of nothing", hex: "00000009 07", code: "WIRE_EMPTY_BLOCK" },
    { name: "a piece message without its header", hex: "00000008 07", code: "WIRE_BAD_LENGTH" },
    { name: "a request of the wrong length", hex: "0000000e 06", code: "WIRE_BAD_LENGTH" },
    { name: "a choke with a body", hex: "00000002 00", code: "WIRE_BAD_LENGTH" },
  ];
  for (const { name, hex, code } of refusals) {
    test(name, () => {
      const stream = bytes(hex);
      for (const cuts of [[], everyByte(stream)]) {
        assert.deepEqual(decodeCut(concatBytes([encodeMessage({ type: "choke" }), stream]), cuts), {
          told: ['{"type":"choke"}'],
          code,
        });
      }
    });
  }

  test("after a refusal the decoder is silent", () => {
    const sink = new Recorder();
    const decoder = new FrameDecoder(sink, limits);
    assert.throws(() => decoder.receive(bytes("ffffffff")), { code: "WIRE_MESSAGE_TOO_LONG", fault: "remote" });
    decoder.receive(encodeMessage({ type: "choke" }));
    assert.deepEqual(sink.calls, []);
  });

  test("limits that make no sense", () => {
    for (const bad of [0, -1, 1.5, Number.NaN, 2 ** 31 + 1]) {
      assert.throws(() => new FrameDecoder(new Recorder(), { ...limits, maxMessageLength: bad }), { code: "WIRE_OUT_OF_RANGE" });
      assert.throws(() => new FrameDecoder(new Recorder(), { ...limits, maxBlockLength: bad }), { code: "WIRE_OUT_OF_RANGE" });
    }
  });
});

describe("stop", () => {
  const stream = concatBytes([
    keepAlive,
    encodeMessage({ type: "have", piece: 1 }),
    frame(77, bytes("0102")),
    encodeMessage({ type: "piece", piece: 1, begin: 2, block: bytes("0a0b0c") }),
    encodeMessage({ type: "bitfield", bits: new Uint8Array(300) }),
    keepAlive,
  ]);
  const calls = (cuts: readonly number[], stopAt?: number): string[] => {
    const sink = new Recorder();
    const decoder = new FrameDecoder(sink, limits);
    const methods = ["message", "keepAlive", "unknown", "blockStart", "blockData", "blockEnd"] as const;
    for (const method of methods) {
      const original = sink[method].bind(sink) as (...args: unknown[]) => void;
      sink[method] = (...args: unknown[]) => {
        original(...args);
        if (sink.calls.length - 1 === stopAt) decoder.stop();
      };
    }
    let start = 0;
    for (const end of [...cuts, stream.byteLength]) {
      decoder.receive(stream.subarray(start, end));
      start = end;
    }
    decoder.receive(stream);
    return sink.calls;
  };

  test("from inside each sink call makes it the last one", () => {
    for (const cuts of [[], everyByte(stream)]) {
      const all = calls(cuts);
      assert.deepEqual(new Set(all), new Set(["keepAlive", "message", "unknown", "blockStart", "blockData", "blockEnd"]));
      for (let i = 0; i < all.length; i++) assert.deepEqual(calls(cuts, i), all.slice(0, i + 1));
    }
  });

  test("from outside forgets a message that is half there", () => {
    const sink = new Recorder();
    const decoder = new FrameDecoder(sink, limits);
    const message = encodeMessage({ type: "have", piece: 1 });
    decoder.receive(message.subarray(0, 6));
    decoder.stop();
    decoder.stop();
    decoder.receive(message.subarray(6));
    assert.deepEqual(sink.calls, []);
  });
});
