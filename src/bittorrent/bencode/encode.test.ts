import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { CodedError } from "#/base/errors.ts";
import { BencodeDictionary, type BencodeInput, type BencodeValue, decode, encode } from "./index.ts";

const latin1 = (value: BencodeInput): string => Buffer.from(encode(value)).toString("latin1");

describe("encode", () => {
  const vectors: readonly { name: string; value: BencodeInput; text: string }[] = [
    { name: "ASCII text", value: "spam", text: "4:spam" },
    { name: "text beyond ASCII as UTF-8, counted in bytes", value: "é€", text: "5:\xc3\xa9\xe2\x82\xac" },
    { name: "bytes as they are", value: Uint8Array.of(0, 255), text: "2:\0\xff" },
    { name: "integers", value: [0, -3, 4294967300, 2n ** 64n - 1n], text: "li0ei-3ei4294967300ei18446744073709551615ee" },
    { name: "minus zero as zero", value: -0, text: "i0e" },
    {
      name: "keys in the order of their bytes",
      value: { b: 1, a: 2, "a b": 3, "\xff": 4, B: 5 },
      text: "d1:Bi5e1:ai2e3:a bi3e1:bi1e1:\xffi4ee",
    },
    { name: "numbers as keys in the order of bytes", value: { 10: 1, 9: 2 }, text: "d2:10i1e1:9i2ee" },
    {
      name: "a map",
      value: new Map<string, BencodeInput>([
        ["z", []],
        ["y", {}],
      ]),
      text: "d1:yde1:zlee",
    },
    { name: "no undefined members", value: { a: undefined, b: 1 }, text: "d1:bi1ee" },
  ];
  for (const { name, value, text } of vectors) {
    test(`writes ${name}`, () => assert.equal(latin1(value), text));
  }

  test("writes a decoded dictionary as it stood, sorted or not", () => {
    const text = "d1:bi01e1:ai2ee";
    assert.equal(latin1({ info: decode(Buffer.from(text)) }), `d4:info${text}e`);
  });

  test("writes more than its first buffer holds", () => {
    const block = new Uint8Array(1_000_000).fill(7);
    const out = encode([block, "x".repeat(5000), block]);
    assert.equal(out.byteLength, 2 + 2 * (8 + 1_000_000) + 5 + 5000);
    assert.equal(out.byteLength, out.buffer.byteLength);
  });

  const circle: BencodeInput[] = [];
  circle.push(circle);
  const refusals: readonly { name: string; value: unknown; code: string }[] = [
    { name: "a fraction", value: 1.5, code: "BENCODE_UNENCODABLE" },
    { name: "NaN", value: Number.NaN, code: "BENCODE_UNENCODABLE" },
    { name: "a number that is no exact integer", value: 2 ** 53, code: "BENCODE_UNENCODABLE" },
    { name: "null", value: [null], code: "BENCODE_UNENCODABLE" },
    { name: "a boolean", value: { a: true }, code: "BENCODE_UNENCODABLE" },
    { name: "undefined in a list", value: [undefined], code: "BENCODE_UNENCODABLE" },
    { name: "an object of a class", value: new Date(0), code: "BENCODE_UNENCODABLE" },
    { name: "a key that is no bytes", value: { "€": 1 }, code: "BENCODE_UNENCODABLE" },
    { name: "a list in itself", value: circle, code: "BENCODE_TOO_DEEP" },
  ];
  for (const { name, value, code } of refusals) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => encode(value as BencodeInput),
        (error) => error instanceof CodedError && error.code === code && error.fault === "local",
      );
    });
  }
});

describe("encode and decode", () => {
  const key = fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString("latin1"));
  const { tree } = fc.letrec<{ tree: BencodeInput }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.maxSafeInteger(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
      fc.uint8Array({ maxLength: 12 }),
      fc.array(tie("tree"), { maxLength: 4 }),
      fc.array(fc.tuple(key, tie("tree")), { maxLength: 12 }).map((entries) => new Map(entries)),
    ),
  }));

  test("what is encoded decodes to the same, in canonical form, and encodes to the same bytes", () => {
    fc.assert(
      fc.property(tree, (value) => {
        const bytes = encode(value);
        const decoded = decode(bytes, { canonical: true });
        assert.ok(same(value, decoded));
        assert.deepEqual(encode(copy(decoded)), bytes);
      }),
      { numRuns: 500 },
    );
  });
});

function same(input: BencodeInput, value: BencodeValue): boolean {
  if (typeof input === "number" || typeof input === "bigint") return BigInt(input) === BigInt(value as number | bigint);
  if (input instanceof Uint8Array) return value instanceof Uint8Array && Buffer.compare(input, value) === 0;
  if (Array.isArray(input))
    return Array.isArray(value) && input.length === value.length && input.every((item, i) => same(item, value[i] as BencodeValue));
  assert.ok(input instanceof Map && value instanceof BencodeDictionary);
  return value.size === input.size && [...input].every(([key, item]) => same(item, value.get(key) as BencodeValue));
}

/** The value without its raw bytes, so that encoding has to make them. */
function copy(value: BencodeValue): BencodeInput {
  if (value instanceof BencodeDictionary) return new Map([...value].map(([key, item]) => [key, copy(item)]));
  return Array.isArray(value) ? value.map(copy) : value;
}
