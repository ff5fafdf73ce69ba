import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { fromLatin1, toHex, toLatin1 } from "#/base/bytes.ts";
import { WireError } from "./errors.ts";
import {
  DONT_HAVE_NAME,
  decodeDontHave,
  decodeExtensionHandshake,
  EXTENSION_HANDSHAKE_ID,
  type ExtensionHandshakeFields,
  encodeDontHave,
  encodeExtended,
  encodeExtensionHandshake,
} from "./extension.ts";

const full: ExtensionHandshakeFields = {
  messages: new Map([
    ["ut_metadata", 2],
    ["lt_donthave", 7],
  ]),
  version: "Freshet 0.1.0",
  port: 6881,
  requestQueue: 500,
  yourIp: Uint8Array.of(80, 4, 4, 200),
  ipv4: Uint8Array.of(10, 0, 0, 1),
  ipv6: Uint8Array.from({ length: 16 }, (_, i) => 0x61 + i),
  uploadOnly: true,
  metadataSize: 31235,
};
const fullText =
  "d4:ipv44:\n\0\0\x014:ipv616:abcdefghijklmnop1:md11:lt_donthavei7e11:ut_metadatai2ee13:metadata_sizei31235e" +
  "1:pi6881e4:reqqi500e11:upload_onlyi1e1:v13:Freshet 0.1.06:yourip4:P\x04\x04\xc8e";
const decodeText = (text: string) => decodeExtensionHandshake(fromLatin1(text));
/** Without `raw`. */
const fieldsOf = (text: string) => {
  const { raw, ...fields } = decodeText(text);
  assert.ok(raw.size >= 0);
  return fields;
};

describe("an extension handshake", () => {
  test("with every field is encoded", () => assert.equal(toLatin1(encodeExtensionHandshake(full)), fullText));
  test("with every field is decoded", () => assert.deepEqual(fieldsOf(fullText), full));

  test("as BEP 10 shows it is decoded", () => {
    const { raw, ...fields } = decodeText("d1:md11:LT_metadatai1e6:\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e");
    assert.deepEqual(fields, {
      messages: new Map([
        ["LT_metadata", 1],
        ["\xb5T_PEX", 2],
      ]),
      port: 6881,
      version: "µTorrent 1.2",
    });
    assert.deepEqual(
      [...raw.entries()].map(([key]) => key),
      ["m", "p", "v"],
    );
  });

  test("of no fields is an empty list of messages", () => {
    assert.equal(toLatin1(encodeExtensionHandshake({ messages: new Map() })), "d1:mdee");
    assert.deepEqual(fieldsOf("de"), { messages: new Map() });
  });

  test("carries further keys, which yield to the fields", () => {
    const payload = encodeExtensionHandshake({
      messages: new Map(),
      port: 1,
      extra: { p: 2, reqq: 9, scion: "1-ff00:0:110,[10.0.0.1]:7" },
    });
    const decoded = decodeExtensionHandshake(payload);
    assert.equal(decoded.port, 1);
    assert.equal(decoded.requestQueue, 9);
    assert.equal(decoded.raw.text("scion"), "1-ff00:0:110,[10.0.0.1]:7");
  });

  test("does not depend on the payload once it is decoded", () => {
    const payload = encodeExtensionHandshake(full);
    const decoded = decodeExtensionHandshake(payload);
    payload.fill(0);
    assert.deepEqual(decoded.yourIp, full.yourIp);
    assert.equal(toLatin1(decoded.raw.raw), fullText);
  });

  test("of any fields is decoded to what was encoded", () => {
    const ip = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    const anyFields = fc.record(
      {
        messages: fc
          .array(fc.tuple(fc.stringMatching(/^[a-zA-Z_]{1,20}$/), fc.nat(255)), { maxLength: 8 })
          .map((entries) => new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)))),
        version: fc.stringMatching(/^[A-Za-zµ][A-Za-z0-9 ./]{0,60}[0-9]$/),
        port: fc.integer({ min: 1, max: 65535 }),
        requestQueue: fc.integer({ min: 1, max: 2 ** 40 }),
        yourIp: fc.oneof(ip(4), ip(16)),
        ipv4: ip(4),
        ipv6: ip(16),
        uploadOnly: fc.boolean(),
        metadataSize: fc.integer({ min: 1, max: 2 ** 31 }),
      },
      { requiredKeys: ["messages"], noNullPrototype: true },
    );
    fc.assert(
      fc.property(anyFields, (fields) => {
        const { raw, ...decoded } = decodeExtensionHandshake(encodeExtensionHandshake(fields as ExtensionHandshakeFields));
        assert.deepEqual(decoded, fields);
        assert.ok(raw.has("m"));
      }),
    );
  });
});

describe("a field that is wrong is left out, the others stay", () => {
  const wrong: readonly { name: string; text: string }[] = [
    { name: "m is no dictionary", text: "d1:ml1:ae4:reqqi9ee" },
    {
      name: "a message id is text, negative, too large or beyond 2^53",
      text: "d1:md1:a1:x1:bi-1e1:ci256e1:di99999999999999999ee4:reqqi9ee",
    },
    { name: "p is 0", text: "d1:pi0e4:reqqi9ee" },
    { name: "p is beyond 16 bits", text: "d1:pi65536e4:reqqi9ee" },
    { name: "p is text", text: "d1:p4:68814:reqqi9ee" },
    { name: "v is a number", text: "d4:reqqi9e1:vi1ee" },
    { name: "v is empty, or nothing that can be shown", text: "d4:reqqi9e1:v3: \n\x1be" },
    { name: "yourip has 5 bytes", text: "d4:reqqi9e6:yourip5:abcdee" },
    { name: "ipv4 has 16 bytes and ipv6 4", text: "d4:ipv416:abcdefghijklmnop4:ipv64:abcd4:reqqi9ee" },
    { name: "upload_only is text", text: "d4:reqqi9e11:upload_only1:1e" },
    { name: "metadata_size is negative", text: "d13:metadata_sizei-1e4:reqqi9ee" },
    { name: "bytes follow", text: "d4:reqqi9eeXYZ" },
    { name: "keys are not sorted", text: "d4:reqqi9e1:mdee" },
  ];
  for (const { name, text } of wrong) test(name, () => assert.deepEqual(fieldsOf(text), { messages: new Map(), requestQueue: 9 }));

  test("reqq is 0, negative, text, or beyond 2^53", () => {
    for (const reqq of ["i0e", "i-5e", "3:250", "i9999999999999999999e"]) {
      assert.deepEqual(fieldsOf(`d1:pi7e4:reqq${reqq}e`), { messages: new Map(), port: 7 });
    }
  });

  test("upload_only of 0 is said, and differs from nothing said", () => {
    assert.equal(decodeText("d11:upload_onlyi0ee").uploadOnly, false);
    assert.equal(decodeText("de").uploadOnly, undefined);
  });

  test("an id of 0 turns a message off, so it is kept", () => {
    assert.deepEqual(decodeText("d1:md6:ut_pexi0eee").messages, new Map([["ut_pex", 0]]));
  });

  test("v is cut and rid of what could steer a terminal", () => {
    assert.equal(decodeText("d1:v10:a\x1b[31mb\r\nce").version, "a[31mbc");
    assert.equal(decodeText(`d1:v500:${"x".repeat(500)}e`).version, "x".repeat(80));
    assert.equal(decodeText("d1:v3:\xff\xfeAe").version, "\ufffd\ufffdA");
  });
});

describe("an extension handshake is refused", () => {
  const bad = { name: "WireError", code: "WIRE_BAD_EXTENSION_HANDSHAKE", fault: "remote" };
  const refusals: readonly { name: string; text: string }[] = [
    { name: "when there is none", text: "" },
    { name: "when it is a list", text: "le" },
    { name: "when it is a number", text: "i1e" },
    { name: "when it is cut", text: fullText.slice(0, -1) },
    { name: "when it is nested too deeply", text: `d1:a${"l".repeat(20)}${"e".repeat(20)}e` },
    { name: "when it has too many values", text: `d1:al${"0:".repeat(3000)}ee` },
    { name: "when it is too long", text: `d1:a65536:${"x".repeat(65536)}e` },
  ];
  for (const { name, text } of refusals) test(name, () => assert.throws(() => decodeText(text), bad));

  test("or decoded, whatever a byte of it becomes", () => {
    const text = fromLatin1(fullText);
    fc.assert(
      fc.property(fc.nat(text.byteLength - 1), fc.nat(255), fc.nat(text.byteLength), (at, byte, length) => {
        const payload = Uint8Array.from(text);
        payload[at] = byte;
        try {
          assert.ok(decodeExtensionHandshake(payload.subarray(0, length)).messages instanceof Map);
        } catch (error) {
          assert.ok(error instanceof WireError && error.fault === "remote");
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test("fields that do not fit are not encoded", () => {
  const none = new Map<string, number>();
  const bad: ExtensionHandshakeFields[] = [
    { messages: new Map([["a", 256]]) },
    { messages: new Map([["a", -1]]) },
    { messages: none, port: 0 },
    { messages: none, port: 65536 },
    { messages: none, requestQueue: 0.5 },
    { messages: none, metadataSize: -1 },
    { messages: none, yourIp: new Uint8Array(5) },
    { messages: none, ipv4: new Uint8Array(16) },
    { messages: none, ipv6: new Uint8Array(4) },
  ];
  for (const fields of bad) {
    assert.throws(() => encodeExtensionHandshake(fields), { name: "WireError", code: "WIRE_OUT_OF_RANGE", fault: "local" });
  }
});

test("an extended message is prefix, 20, id and payload", () => {
  assert.equal(toHex(encodeExtended(EXTENSION_HANDSHAKE_ID, fromLatin1("de"))), "0000000414006465");
  assert.equal(toHex(encodeExtended(7, encodeDontHave(258))), "00000006140700000102");
  assert.throws(() => encodeExtended(256, new Uint8Array(0)), { code: "WIRE_OUT_OF_RANGE", fault: "local" });
});

describe(`${DONT_HAVE_NAME} (BEP 54)`, () => {
  test("is a piece index of 4 bytes", () => {
    for (const [piece, hex] of [
      [0, "00000000"],
      [1313, "00000521"],
      [0xffff_ffff, "ffffffff"],
    ] as const) {
      assert.equal(toHex(encodeDontHave(piece)), hex);
      assert.equal(decodeDontHave(encodeDontHave(piece)), piece);
    }
  });
  test("of any other length is refused", () => {
    for (const length of [0, 3, 5]) {
      assert.throws(() => decodeDontHave(new Uint8Array(length)), { name: "WireError", code: "WIRE_BAD_LENGTH", fault: "remote" });
    }
  });
  test("of no index is not encoded", () => {
    for (const piece of [-1, 2 ** 32, 1.5])
      assert.throws(() => encodeDontHave(piece), { code: "WIRE_OUT_OF_RANGE", fault: "local" });
  });
});
