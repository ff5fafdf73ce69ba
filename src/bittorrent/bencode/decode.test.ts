import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toHex } from "#/base/bytes.ts";
import { CodedError } from "#/base/errors.ts";
import {
  BencodeDictionary,
  type BencodeValue,
  type bencodeErrorCodes,
  type DecodeOptions,
  decode,
  decodePrefix,
  ListDecoder,
} from "./index.ts";

type Code = keyof typeof bencodeErrorCodes;

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "latin1"));

/** Byte strings as `'text'`, dictionaries as lists of pairs: a form that `deepEqual` can compare. */
function plain(value: BencodeValue): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  if (value instanceof BencodeDictionary) return { entries: [...value].map(([key, item]) => [key, plain(item)]) };
  return Array.isArray(value) ? value.map(plain) : value;
}

function failsWith(code: Code, act: () => unknown): void {
  assert.throws(act, (error) => error instanceof CodedError && error.code === code && error.fault === "remote");
}

describe("decode", () => {
  const vectors: readonly { name: string; text: string; value: unknown }[] = [
    { name: "a byte string", text: "4:spam", value: "spam" },
    { name: "an empty byte string", text: "0:", value: "" },
    { name: "a byte string with a colon and bytes beyond ASCII", text: "4:a:\xff\0", value: "a:\xff\0" },
    { name: "zero", text: "i0e", value: 0 },
    { name: "a negative integer", text: "i-52e", value: -52 },
    { name: "an integer beyond 32 bits", text: "i4294967300e", value: 4294967300 },
    { name: "the largest integer that is a number", text: "i9007199254740991e", value: 9007199254740991 },
    { name: "the first integer that is a bigint", text: "i9007199254740992e", value: 9007199254740992n },
    { name: "the first negative integer that is a bigint", text: "i-9007199254740992e", value: -9007199254740992n },
    { name: "the least signed integer of 64 bits", text: "i-9223372036854775808e", value: -(2n ** 63n) },
    { name: "the largest unsigned integer of 64 bits", text: "i18446744073709551615e", value: 2n ** 64n - 1n },
    { name: "an empty list", text: "le", value: [] },
    { name: "a list of all types", text: "l4:spami7elede4:eggse", value: ["spam", 7, [], { entries: [] }, "eggs"] },
    { name: "an empty dictionary", text: "de", value: { entries: [] } },
    {
      name: "a dictionary in a dictionary",
      text: "d10:inner_dictd4:key16:value14:key2i42eee",
      value: {
        entries: [
          [
            "inner_dict",
            {
              entries: [
                ["key1", "value1"],
                ["key2", 42],
              ],
            },
          ],
        ],
      },
    },
    {
      name: "an empty key, and one of bytes beyond ASCII",
      text: "d0:i1e1:\xffi2ee",
      value: {
        entries: [
          ["", 1],
          ["\xff", 2],
        ],
      },
    },
  ];
  for (const { name, text, value } of vectors) {
    test(`reads ${name}`, () => {
      assert.deepEqual(plain(decode(bytes(text), { canonical: true })), value);
    });
  }

  const refusals: readonly { name: string; text: string; code: Code; options?: DecodeOptions }[] = [
    { name: "nothing", text: "", code: "BENCODE_TRUNCATED" },
    { name: "a page of HTML", text: "<html>", code: "BENCODE_UNEXPECTED_BYTE" },
    { name: "an end without a beginning", text: "e", code: "BENCODE_UNEXPECTED_BYTE" },
    { name: "a negative length", text: "-1:a", code: "BENCODE_UNEXPECTED_BYTE" },
    { name: "a length without a colon", text: "4spam", code: "BENCODE_BAD_LENGTH" },
    { name: "a length that would not fit a number", text: "99999999999999999999:", code: "BENCODE_BAD_LENGTH" },
    { name: "a length beyond the input", text: "999999999999999:a", code: "BENCODE_TRUNCATED" },
    { name: "an integer of no digits", text: "ie", code: "BENCODE_BAD_INTEGER" },
    { name: "a lone minus sign", text: "i-e", code: "BENCODE_BAD_INTEGER" },
    { name: "a plus sign", text: "i+1e", code: "BENCODE_BAD_INTEGER" },
    { name: "a fraction", text: "i1.5e", code: "BENCODE_BAD_INTEGER" },
    { name: "an integer of 65 bits", text: "i18446744073709551616e", code: "BENCODE_INTEGER_RANGE" },
    { name: "a negative integer of 65 bits", text: "i-9223372036854775809e", code: "BENCODE_INTEGER_RANGE" },
    { name: "an integer of a thousand digits", text: `i${"9".repeat(1000)}e`, code: "BENCODE_INTEGER_RANGE" },
    { name: "an integer over a limit of the caller", text: "i101e", code: "BENCODE_INTEGER_RANGE", options: { maxInteger: 100n } },
    { name: "an integer under a limit of the caller", text: "i-1e", code: "BENCODE_INTEGER_RANGE", options: { minInteger: 0n } },
    { name: "an integer as key", text: "di1ei2ee", code: "BENCODE_BAD_KEY" },
    { name: "a key without value", text: "d1:ae", code: "BENCODE_UNEXPECTED_BYTE" },
    { name: "bytes behind the value", text: "i1ei2e", code: "BENCODE_TRAILING_BYTES" },
    { name: "lists too deep by default", text: "l".repeat(101) + "e".repeat(101), code: "BENCODE_TOO_DEEP" },
    { name: "lists too deep for the caller", text: "lllee", code: "BENCODE_TOO_DEEP", options: { maxDepth: 2 } },
    {
      name: "a million lists, whatever the caller allows",
      text: "l".repeat(1_000_000),
      code: "BENCODE_TOO_DEEP",
      options: { maxDepth: 1e9 },
    },
    { name: "an input too long for the caller", text: "4:spam", code: "BENCODE_TOO_LARGE", options: { maxBytes: 5 } },
    { name: "too many values for the caller", text: "li1ei2ee", code: "BENCODE_TOO_MANY_VALUES", options: { maxValues: 2 } },
    { name: "a leading zero, when canonical", text: "i01e", code: "BENCODE_NOT_CANONICAL", options: { canonical: true } },
    { name: "minus zero, when canonical", text: "i-0e", code: "BENCODE_NOT_CANONICAL", options: { canonical: true } },
    {
      name: "a length with a leading zero, when canonical",
      text: "01:a",
      code: "BENCODE_NOT_CANONICAL",
      options: { canonical: true },
    },
    { name: "unsorted keys, when canonical", text: "d1:bi1e1:ai2ee", code: "BENCODE_NOT_CANONICAL", options: { canonical: true } },
    {
      name: "a duplicate key, when canonical",
      text: "d1:ai1e1:ai2ee",
      code: "BENCODE_NOT_CANONICAL",
      options: { canonical: true },
    },
  ];
  for (const { name, text, code, options } of refusals) {
    test(`refuses ${name}`, () => {
      failsWith(code, () => decode(bytes(text), options));
    });
  }

  test("a value cut at any byte is truncated", () => {
    const whole = bytes("d4:infod6:lengthi12e4:name5:a.txt3:xyzli-3e0:deee3:zzz11:hello worlde");
    decode(whole);
    for (let end = 0; end < whole.byteLength; end++) failsWith("BENCODE_TRUNCATED", () => decode(whole.subarray(0, end)));
  });

  test("random bytes give a value or a coded error", () => {
    const notation = fc.array(fc.constantFrom(..."ilde0123456789:-a"), { maxLength: 40 }).map((letters) => bytes(letters.join("")));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), notation), fc.boolean(), (input, canonical) => {
        for (const read of [() => decode(input, { canonical }), () => drain(new ListDecoder(input, { canonical }))]) {
          try {
            read();
          } catch (error) {
            assert.ok(error instanceof CodedError, String(error));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("byte strings are views of the input, wherever the input lies in its memory", () => {
    const memory = bytes("....d3:key5:valuee....");
    const input = memory.subarray(4, 18);
    const value = decode(input);
    assert.ok(value instanceof BencodeDictionary);
    const view = value.bytes("key");
    assert.ok(view);
    assert.equal(view.buffer, memory.buffer);
    assert.equal(view.byteOffset, 12);
    assert.equal(toHex(value.raw), toHex(input));
  });

  test("keys that share a place in the key cache stay apart", () => {
    const text = Array.from({ length: 500 }, (_, i) => `k${String(i).padStart(3, "0")}`);
    const value = decode(
      bytes(
        `l${text
          .map((key) => `d4:${key}i1ee`)
          .join("")
          .repeat(2)}e`,
      ),
    );
    assert.ok(Array.isArray(value));
    assert.deepEqual(
      value.map((item) => [...(item as BencodeDictionary)][0]?.[0]),
      [...text, ...text],
    );
  });
});

describe("decodePrefix", () => {
  test("tells where the value ends and leaves what follows alone", () => {
    const { value, end } = decodePrefix(bytes("d8:msg_typei1eexyz"));
    assert.deepEqual(plain(value), { entries: [["msg_type", 1]] });
    assert.equal(end, 15);
  });

  test("reports what is not canonical, with its place", () => {
    const { value, issues } = decodePrefix(bytes("d1:bi01e1:a02:xx1:bi-0e1:ci1ee"));
    assert.deepEqual(issues, [
      { type: "leadingZero", at: 4 },
      { type: "unsortedKey", at: 8, key: "a" },
      { type: "leadingZero", at: 11 },
      { type: "duplicateKey", at: 16, key: "b" },
      { type: "negativeZero", at: 19 },
    ]);
    assert.deepEqual(plain(value), {
      entries: [
        ["b", 1],
        ["a", "xx"],
        ["c", 1],
      ],
    });
  });

  test("minus zero is zero", () => {
    assert.ok(Object.is(decodePrefix(bytes("i-0e")).value, 0));
  });

  test("keeps no more than 64 issues", () => {
    assert.equal(decodePrefix(bytes(`l${"i00e".repeat(1000)}e`)).issues.length, 64);
  });
});

describe("BencodeDictionary", () => {
  const value = decode(bytes("d4:infod3:fooi1ee4:listle3:numi5e4:text3:\xc3\xa9!4:widei9007199254740993ee"));
  assert.ok(value instanceof BencodeDictionary);
  const dictionary: BencodeDictionary = value;

  test("gives the bytes of a value as they stand", () => {
    assert.equal(toHex(dictionary.rawOf("info") ?? bytes("")), toHex(bytes("d3:fooi1ee")));
    assert.equal(toHex(dictionary.dictionary("info")?.raw ?? bytes("")), toHex(bytes("d3:fooi1ee")));
    assert.equal(toHex(dictionary.rawOf("num") ?? bytes("")), toHex(bytes("i5e")));
    assert.equal(dictionary.rawOf("absent"), undefined);
  });

  test("reads by type, and gives undefined for another type or no value", () => {
    assert.equal(dictionary.size, 5);
    assert.equal(dictionary.integer("num"), 5);
    assert.equal(dictionary.integer("wide"), undefined);
    assert.equal(dictionary.get("wide"), 9007199254740993n);
    assert.equal(dictionary.text("text"), "é!");
    assert.equal(dictionary.bytes("text")?.byteLength, 3);
    assert.deepEqual(dictionary.list("list"), []);
    for (const read of ["bytes", "text", "integer", "list", "dictionary"] as const) {
      assert.equal(dictionary[read]("absent"), undefined);
      assert.equal(dictionary[read](read === "integer" ? "text" : "num"), undefined);
    }
    assert.ok(dictionary.has("info") && !dictionary.has("absent"));
  });

  test("finds every key of a large dictionary, first values of duplicates, in any order", () => {
    const keys = Array.from({ length: 200 }, (_, i) => `key${(i * 37) % 200}`);
    const text = keys.map((key, i) => `${key.length}:${key}i${i}e`).join("");
    const large = decode(bytes(`d${text}4:key0i999ee`));
    assert.ok(large instanceof BencodeDictionary);
    assert.equal(large.size, 200);
    assert.deepEqual(
      keys.map((key) => large.integer(key)),
      keys.map((_, i) => i),
    );
  });
});

describe("opaque keys and ListDecoder", () => {
  test("the value of an opaque key is its bytes, from which a list is read item by item", () => {
    const list = "li1e4:spamd1:ali2eeee";
    const value = decode(bytes(`d5:filesi3e4:infod5:files${list}4:name1:xee`), { opaqueKeys: ["files"] });
    assert.ok(value instanceof BencodeDictionary);
    assert.equal(Buffer.from(value.bytes("files") ?? []).toString(), "i3e");
    const info = value.dictionary("info");
    assert.equal(info?.text("name"), "x");
    const raw = info?.bytes("files") ?? bytes("");
    assert.equal(Buffer.from(raw).toString(), list);
    assert.deepEqual(drain(new ListDecoder(raw)).map(plain), [1, "spam", { entries: [["a", [2]]] }]);
  });

  test("an outline is held to depth, count and lengths", () => {
    const opaqueKeys = ["x"];
    failsWith("BENCODE_TOO_DEEP", () => decode(bytes(`d1:x${"l".repeat(100)}${"e".repeat(100)}e`), { opaqueKeys }));
    failsWith("BENCODE_TOO_MANY_VALUES", () => decode(bytes("d1:xli1ei2eee"), { opaqueKeys, maxValues: 3 }));
    failsWith("BENCODE_TRUNCATED", () => decode(bytes("d1:xl9:abe"), { opaqueKeys }));
    failsWith("BENCODE_TRUNCATED", () => decode(bytes("d1:xl"), { opaqueKeys }));
    failsWith("BENCODE_UNEXPECTED_BYTE", () => decode(bytes("d1:xlxee"), { opaqueKeys }));
    failsWith("BENCODE_UNEXPECTED_BYTE", () => decode(bytes("d1:xe"), { opaqueKeys }));
  });

  test("an opaque value has the bounds that decoding finds", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(..."lde", "i1e", "1:a", "0:"), { maxLength: 20 }), (parts) => {
        const input = bytes(`d1:x${parts.join("")}e`);
        let decoded: BencodeDictionary;
        try {
          decoded = decodePrefix(input).value as BencodeDictionary;
        } catch {
          return; // an outline may be looser, never stricter
        }
        const opaque = decodePrefix(input, { opaqueKeys: ["x"] }).value as BencodeDictionary;
        assert.deepEqual(opaque.bytes("x"), decoded.rawOf("x"));
      }),
      { numRuns: 2000 },
    );
  });

  test("ListDecoder refuses what is no list, and bytes behind it", () => {
    failsWith("BENCODE_UNEXPECTED_BYTE", () => new ListDecoder(bytes("de")));
    failsWith("BENCODE_TRUNCATED", () => new ListDecoder(bytes("")));
    failsWith("BENCODE_TRAILING_BYTES", () => drain(new ListDecoder(bytes("lex"))));
    failsWith("BENCODE_TRUNCATED", () => drain(new ListDecoder(bytes("li1e"))));
  });

  test("ListDecoder reports issues and stays at the end", () => {
    const decoder = new ListDecoder(bytes("li00ee"));
    assert.deepEqual([decoder.next(), decoder.next(), decoder.next()], [0, undefined, undefined]);
    assert.deepEqual(decoder.issues, [{ type: "leadingZero", at: 1 }]);
  });
});

function drain(decoder: ListDecoder): BencodeValue[] {
  const items: BencodeValue[] = [];
  for (let item = decoder.next(); item !== undefined; item = decoder.next()) items.push(item);
  return items;
}
