import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FolderNames, foldName, type NameRules, safeName } from "./safe-names.ts";

const ALL_RULES: readonly NameRules[] = ["portable", "linux"];

describe("safeName", () => {
  const vectors: readonly { name: string; from: string; portable: string; linux: string }[] = [
    { name: "an ordinary name", from: "Photo 1 (copy).tar.gz", portable: "Photo 1 (copy).tar.gz", linux: "Photo 1 (copy).tar.gz" },
    {
      name: "a name beyond ASCII, in its own Unicode form",
      from: "re\u0301sume\u0301 \u{1f600}.txt",
      portable: "re\u0301sume\u0301 \u{1f600}.txt",
      linux: "re\u0301sume\u0301 \u{1f600}.txt",
    },
    { name: "nothing", from: "", portable: "_", linux: "_" },
    { name: "the folder itself", from: ".", portable: "_", linux: "_" },
    { name: "the folder above", from: "..", portable: "__", linux: "__" },
    { name: "three dots", from: "...", portable: "___", linux: "..." },
    { name: "an absolute path", from: "/etc/passwd", portable: "_etc_passwd", linux: "_etc_passwd" },
    { name: "a path upwards", from: "../../x", portable: ".._.._x", linux: ".._.._x" },
    { name: "a path of Windows", from: "C:\\Windows\\x", portable: "C__Windows_x", linux: "C:\\Windows\\x" },
    { name: "a stream of NTFS", from: "a.txt:evil", portable: "a.txt_evil", linux: "a.txt:evil" },
    { name: "wildcards, quotes, pipes", from: 'a*b?c"d<e>f|g', portable: "a_b_c_d_e_f_g", linux: 'a*b?c"d<e>f|g' },
    { name: "NUL and control characters", from: "a\0b\nc\x1bd\x7fe\u0085f", portable: "a_b_c_d_e_f", linux: "a_b_c_d_e_f" },
    {
      name: "marks that turn the direction of text",
      from: "a\u202egpj.exe\u2066\u200f",
      portable: "a_gpj.exe__",
      linux: "a_gpj.exe__",
    },
    { name: "half a surrogate pair", from: "a\ud800b", portable: "a\ufffdb", linux: "a\ufffdb" },
    { name: "trailing dots", from: "a..", portable: "a__", linux: "a.." },
    { name: "trailing spaces", from: "a .  ", portable: "a____", linux: "a .  " },
    { name: "a hidden name", from: ".bashrc", portable: ".bashrc", linux: ".bashrc" },
    { name: "a device", from: "nul", portable: "_nul", linux: "nul" },
    { name: "a device in capitals with an extension", from: "COM1.tar.gz", portable: "_COM1.tar.gz", linux: "COM1.tar.gz" },
    { name: "a device with a superscript", from: "lpt\u00b2.x", portable: "_lpt\u00b2.x", linux: "lpt\u00b2.x" },
    { name: "a device with spaces before its extension", from: "aux  .h", portable: "_aux  .h", linux: "aux  .h" },
    { name: "a device with a dollar sign", from: "CONOUT$", portable: "_CONOUT$", linux: "CONOUT$" },
    { name: "names that only begin like a device", from: "console.log", portable: "console.log", linux: "console.log" },
  ];
  for (const { name, from, portable, linux } of vectors) {
    test(name, () => {
      assert.equal(safeName(from, "portable"), portable);
      assert.equal(safeName(from, "linux"), linux);
    });
  }

  test("every device name of Windows, in any case, alone and with an extension", () => {
    const devices = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
    for (let i = 0; i <= 9; i++) devices.push(`COM${i}`, `LPT${i}`);
    for (const device of devices) {
      for (const name of [device, device.toLowerCase(), `${device}.txt`, `${device.toLowerCase()}.a.b`]) {
        assert.equal(safeName(name), `_${name}`);
      }
    }
  });

  test("a name too long is cut before its extension, between characters", () => {
    const long = safeName(`${"x".repeat(300)}.mkv`);
    assert.equal(long, `${"x".repeat(251)}.mkv`);
    const wide = safeName(`${"\u20ac".repeat(100)}.mkv`);
    assert.equal(wide, `${"\u20ac".repeat(83)}.mkv`);
    assert.equal(safeName("x".repeat(256)), "x".repeat(255));
    assert.equal(safeName("x".repeat(255)), "x".repeat(255));
    assert.equal(safeName(`a.${"e".repeat(300)}`), `a.${"e".repeat(253)}`);
    assert.equal(safeName(`${"x".repeat(254)}.${"e".repeat(300)}`), `${"x".repeat(254)}_`);
  });

  test("whatever the name, the result is one safe component, and safe already", () => {
    const letters = fc.constantFrom(...'aZ.. /\\:\0\n\x7f*?"<>|\u202e\ud800\u0301é😀 ', "con", "nul.", "x".repeat(120));
    const name = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.array(letters, { maxLength: 12 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(name, fc.constantFrom(...ALL_RULES), (from, rules) => {
        const safe = safeName(from, rules);
        assert.ok(safe !== "" && safe !== "." && safe !== "..", JSON.stringify(safe));
        assert.ok(Buffer.byteLength(safe) <= 255);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
        assert.doesNotMatch(safe, /[/\u0000-\u001f\u007f]/);
        if (rules === "portable") assert.doesNotMatch(safe, /[\\:*?"<>|]|[. ]$/);
        assert.equal(safeName(safe, rules), safe);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("foldName", () => {
  test("case and Unicode form are gone, where file systems ignore them", () => {
    for (const [a, b] of [
      ["README", "readme"],
      ["\u00e9", "e\u0301"],
      ["É", "e\u0301"],
      ["\u212b", "\u00e5"],
      ["STRASSE", "straße"],
      ["ΣΑΣ", "σας"],
    ] as const) {
      assert.equal(foldName(a, "portable"), foldName(b, "portable"));
      assert.notEqual(foldName(a, "linux"), foldName(b, "linux"));
    }
    assert.notEqual(foldName("a", "portable"), foldName("á", "portable"));
  });
});

describe("FolderNames", () => {
  const takeAll = (rules: NameRules, names: readonly string[]): (string | undefined)[] => {
    const folder = new FolderNames(rules);
    return names.map((name) => folder.tryTakeFile(name, name));
  };

  test("numbers go before the extension", () => {
    assert.deepEqual(takeAll("portable", ["a.txt", "A.txt", "a.TXT", "a.tx?", "a.tx_"]), [
      "a.txt",
      "A (2).txt",
      "a (3).TXT",
      "a.tx_",
      "a (2).tx_",
    ]);
    assert.deepEqual(takeAll("portable", [".x", ".X", "no ext", "No ext"]), [".x", ".X (2)", "no ext", "No ext (2)"]);
  });

  test("a number that another file has as its own is passed over, and that file keeps or loses it by order", () => {
    assert.deepEqual(takeAll("portable", ["a", "A (2)", "A", "b", "B", "b (2)"]), [
      "a",
      "A (2)",
      "A (3)",
      "b",
      "B (2)",
      "b (2) (2)",
    ]);
  });

  test("the very same name again is told, also when the first was renamed", () => {
    assert.deepEqual(takeAll("portable", ["a", "a", "A", "A", "a"]), ["a", undefined, "A (2)", undefined, undefined]);
  });

  test("case makes no clash by the rules of Linux", () => {
    assert.deepEqual(takeAll("linux", ["a", "A", "\u00e9", "e\u0301"]), ["a", "A", "\u00e9", "e\u0301"]);
  });

  test("long names that are cut to the same text stay within the limit and apart, in little time", () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `${"x".repeat(300)}${i}.mkv`);
    const taken = takeAll("portable", names);
    assert.equal(new Set(taken).size, names.length);
    assert.equal(taken[1], `${"x".repeat(247)} (2).mkv`);
    assert.ok(taken.every((name) => name !== undefined && Buffer.byteLength(name) <= 255));
  });
});
