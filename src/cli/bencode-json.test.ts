import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { toLatin1 } from "#/base/bytes.ts";
import { type BencodeInput, decode, encode } from "#/bittorrent/bencode/index.ts";
import { formatBencodeJson, parseBencodeJson } from "./bencode-json.ts";
import { CliError } from "./errors.ts";

const vectors: readonly { readonly name: string; readonly bencoded: string; readonly json: string }[] = [
  { name: "an integer", bencoded: "i-42e", json: "-42" },
  { name: "an integer beyond 2^53", bencoded: "i9007199254740993e", json: "9007199254740993" },
  { name: "text", bencoded: "3:spa", json: '"spa"' },
  { name: "text that begins with a byte order mark", bencoded: "4:\xef\xbb\xbfx", json: '"\ufeffx"' },
  { name: "bytes that are no text", bencoded: "2:\xff\x00", json: '{"hex":"ff00"}' },
  { name: "an empty list", bencoded: "le", json: "[]" },
  { name: "a list", bencoded: "li1eli2eee", json: "[1,[2]]" },
  { name: "an empty dictionary", bencoded: "de", json: "{}" },
  { name: "a dictionary", bencoded: "d1:ai1e3:hex2:00e", json: '{"a":1,"hex":"00"}' },
  { name: "a dictionary whose only key is hex", bencoded: "d3:hex2:00e", json: '{"dictionary":[["hex","00"]]}' },
  { name: "a dictionary whose only key is dictionary", bencoded: "d10:dictionarylee", json: '{"dictionary":[["dictionary",[]]]}' },
  {
    name: "a dictionary with a key that is no text",
    bencoded: "d1:ai1e1:\xffi2ee",
    json: '{"dictionary":[["a",1],[{"hex":"ff"},2]]}',
  },
  { name: "a key that objects inherit", bencoded: "d9:__proto__i1e1:bi2ee", json: '{"__proto__":1,"b":2}' },
];

describe("bencoded values and JSON", () => {
  for (const { name, bencoded, json } of vectors) {
    test(name, () => {
      const bytes = Buffer.from(bencoded, "latin1");
      assert.equal(formatBencodeJson(decode(bytes), 0), json);
      assert.deepEqual(Buffer.from(encode(parseBencodeJson(json, "x"))), bytes);
      assert.deepEqual(Buffer.from(encode(parseBencodeJson(formatBencodeJson(decode(bytes), 2), "x"))), bytes);
    });
  }

  test("any value comes back as the same bytes", () => {
    const { value } = fc.letrec<{ value: BencodeInput }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
        fc.uint8Array({ maxLength: 8 }),
        fc.string({ unit: "grapheme", maxLength: 8 }),
        fc.array(tie("value"), { maxLength: 4 }),
        fc
          .array(
            fc.tuple(
              fc.oneof(fc.uint8Array({ maxLength: 4 }).map(toLatin1), fc.constantFrom("hex", "dictionary", "__proto__", "1")),
              tie("value"),
            ),
            { maxLength: 3 },
          )
          .map((pairs) => new Map(pairs)),
      ),
    }));
    fc.assert(
      fc.property(value, fc.constantFrom(0, 2), (input, indent) => {
        const bytes = encode(input);
        assert.deepEqual(encode(parseBencodeJson(formatBencodeJson(decode(bytes), indent), "x")), bytes);
      }),
    );
  });

  const refusals: readonly (readonly [string, RegExp])[] = [
    ["", /not JSON/],
    ["{", /not JSON/],
    ["1.5", /1\.5 is not a whole number/],
    ["1e3", /1e3 is not a whole number/],
    ["null", /the value is null/],
    ['{"a":[1,true]}', /item 2 of "a" of the value is true/],
    ['{"hex":"0"}', /not an even number of hexadecimal digits/],
    ['{"hex":1}', /not an even number of hexadecimal digits/],
    ['{"dictionary":{}}', /not a list of \[key, value\] pairs/],
    ['{"dictionary":[["a"]]}', /not a list of \[key, value\] pairs/],
    ['{"dictionary":[[1,2]]}', /a key of the value is not a byte string/],
    ['"\\ud800"', /half of a surrogate pair/],
    ["[".repeat(101) + "]".repeat(101), /nested too deep/],
    ["[".repeat(200_000) + "]".repeat(200_000), /nested too deep/],
  ];
  for (const [json, message] of refusals) {
    test(`refuses ${json.slice(0, 30)}`, () => {
      assert.throws(
        () => parseBencodeJson(json, "in.json"),
        (error) => {
          assert.ok(error instanceof CliError);
          assert.equal(error.code, "CLI_NOT_JSON");
          assert.match(error.message, /^in\.json: /);
          assert.match(error.message, message);
          return true;
        },
      );
    });
  }
});
