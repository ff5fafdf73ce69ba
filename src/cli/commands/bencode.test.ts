import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { record } from "../../../test/cli-recorder.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-bencode-"));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content, "latin1");
  return path;
};

describe("freshet bencode", () => {
  const bencoded = "d3:bin2:\xff\x003:cow3:moo4:spamli1e0:ee";

  test("prints a file as JSON", async () => {
    const path = file("a.bencode", bencoded);
    const { exitCode, stdout, stderr } = await record(["bencode", path]);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: "" });
    assert.equal(stdout, '{\n  "bin": {"hex":"ff00"},\n  "cow": "moo",\n  "spam": [\n    1,\n    ""\n  ]\n}\n');
    assert.equal((await record(["bencode", "-f", path])).stdout, stdout);
  });

  test("reads standard input, and prints one line with --json", async () => {
    const { stdout } = await record(["bencode", "-", "--json"], { stdin: Buffer.from(bencoded, "latin1") });
    assert.equal(stdout, '{"bin":{"hex":"ff00"},"cow":"moo","spam":[1,""]}\n');
  });

  test("goes there and back", async () => {
    const json = (await record(["bencode", file("b.bencode", bencoded)])).stdoutBytes;
    const { exitCode, stdoutBytes } = await record(["bencode", "--encode", "-"], { stdin: json });
    assert.equal(exitCode, 0);
    assert.equal(Buffer.from(stdoutBytes).toString("latin1"), bencoded);
  });

  test("writes a file, and replaces one only with --force", async () => {
    const path = join(folder, "out.bencode");
    const write = (stdin: string, ...more: string[]) => record(["bencode", "--encode", "-", "-o", path, ...more], { stdin });
    assert.equal((await write("[1]")).exitCode, 0);
    const refused = await write("[2]");
    assert.equal(refused.exitCode, 1);
    assert.equal(refused.stderr, `freshet: ${path}: exists already [CLI_EXISTS]\nhint: --force replaces it\n`);
    assert.equal(readFileSync(path, "utf8"), "li1ee");
    assert.equal((await write("[3]", "--force")).exitCode, 0);
    assert.equal(readFileSync(path, "utf8"), "li3ee");
  });

  test("says when the way back would give other bytes", async () => {
    const { exitCode, stdout, stderr } = await record(["bencode", "-", "--json"], { stdin: "d1:bi1e1:ai2ee" });
    assert.deepEqual({ exitCode, stdout }, { exitCode: 0, stdout: '{"b":1,"a":2}\n' });
    assert.equal(stderr, "standard input: not canonical (unsortedKey at byte 7): --encode would give other bytes\n");
  });

  const refusals: readonly {
    readonly name: string;
    readonly args: readonly string[];
    readonly stdin?: string;
    readonly exitCode: number;
    readonly stderr: RegExp;
  }[] = [
    { name: "no file", args: [], exitCode: 2, stderr: /no file to read \[CLI_MISSING_ARGUMENT\]\nhint: - reads standard input/ },
    { name: "two files", args: ["a", "-f", "b"], exitCode: 2, stderr: /two files to read: a and b \[CLI_EXCESS_ARGUMENT\]/ },
    {
      name: "a file that is absent",
      args: [join(folder, "absent")],
      exitCode: 1,
      stderr: /absent: no such file or folder \[CLI_NOT_FOUND\]/,
    },
    { name: "a folder", args: [folder], exitCode: 1, stderr: /is a folder, not a file \[CLI_IS_A_FOLDER\]/ },
    {
      name: "a truncated value",
      args: ["-"],
      stdin: "d3:cow",
      exitCode: 1,
      stderr: /^freshet: standard input: .* \[BENCODE_TRUNCATED\]/,
    },
    {
      name: "no bencoding",
      args: ["-"],
      stdin: "hello",
      exitCode: 1,
      stderr: /^freshet: standard input: .* \[BENCODE_UNEXPECTED_BYTE\]/,
    },
    {
      name: "bytes that follow",
      args: ["-"],
      stdin: "i1e\n",
      exitCode: 1,
      stderr: /\[BENCODE_TRAILING_BYTES\]\nhint: it is a line break/,
    },
    {
      name: "bad JSON",
      args: ["--encode", "-"],
      stdin: "{]",
      exitCode: 1,
      stderr: /^freshet: standard input: not JSON: .* \[CLI_NOT_JSON\]/,
    },
    {
      name: "an output in a folder that is absent",
      args: ["-", "-o", join(folder, "no", "x")],
      stdin: "i1e",
      exitCode: 1,
      stderr: /no\/x: no such file or folder \[CLI_NOT_FOUND\]/,
    },
    {
      name: "an output that is a folder",
      args: ["-", "-o", folder, "--force"],
      stdin: "i1e",
      exitCode: 1,
      stderr: /\[CLI_IS_A_FOLDER\]/,
    },
  ];
  for (const { name, args, stdin, exitCode, stderr } of refusals) {
    test(`refuses ${name} and writes nothing`, async () => {
      const before = readdirSync(folder);
      const run = await record(["bencode", ...args], { stdin: stdin ?? "" });
      assert.equal(run.exitCode, exitCode);
      assert.match(run.stderr, stderr);
      assert.equal(run.stdout, "");
      assert.deepEqual(readdirSync(folder), before);
    });
  }
});
