import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { CliIo } from "./io.ts";
import { openProgress, type Progress } from "./progress.ts";
import type { ProgressRow } from "./progress-text.ts";

const rows: readonly ProgressRow[] = ["one", "two", "three"].map((name) => ({
  name,
  done: 1,
  total: 4,
  downRate: 0,
  upRate: 0,
  peers: { tcp: 1 },
}));

/** What progress writes to a terminal of some lines, or to a file. */
async function shown(
  terminalRows: number | undefined,
  use: (progress: Progress) => void,
  options: { readonly json?: boolean } = {},
): Promise<string> {
  let text = "";
  const isTTY = terminalRows !== undefined;
  const stderr = {
    isTTY,
    columns: 100,
    rows: terminalRows ?? 0,
    write: (chunk: string | Uint8Array) => {
      text += String(chunk);
      return true;
    },
    cursorTo: () => true,
  };
  const io: CliIo = {
    stdin: (async function* () {})(),
    stdout: stderr,
    stderr,
    signal: new AbortController().signal,
    env: {},
    isTerminal: isTTY,
    atExit: () => ({ [Symbol.dispose]: () => {} }),
  };
  using progress = await openProgress({ rows: () => rows, whole: "all", ...options }, io);
  use(progress);
  progress.close();
  return text;
}

describe("progress", () => {
  test("is drawn as bars and a line for the whole on a terminal, and gives the cursor back", async () => {
    const text = await shown(24, (progress) => progress.log.write("a line that stays\n"));
    const plain = stripVTControlCharacters(text);
    for (const name of ["one", "two", "three"])
      assert.match(plain, new RegExp(`${name} +█+░+ +25\\.0 %  4 B  ↓ 0 B/s  ↑ 0 B/s  1 tcp`));
    assert.match(plain, /all: 25\.0 %, 3 B of 12 B, down 0 B\/s, up 0 B\/s, 3 tcp/);
    assert.match(plain, /a line that stays\n/);
    assert.ok(
      text.indexOf("\u001b[?25l") !== -1 && text.lastIndexOf("\u001b[?25h") > text.lastIndexOf("\u001b[?25l"),
      "the cursor is shown at the end",
    );
  });

  test("shows no more bars than fit", async () => {
    const plain = stripVTControlCharacters(await shown(4, () => {}));
    assert.match(plain, /two/);
    assert.doesNotMatch(plain, /three/);
    assert.match(plain, /all \(1 not shown\): 25\.0 %/);
  });

  test("is lines where there is no terminal, the last at the end", async () => {
    const text = await shown(undefined, (progress) => progress.log.write("note\n"));
    assert.equal(
      text,
      `note
one: 25.0 %, 1 B of 4 B, down 0 B/s, up 0 B/s, 1 tcp
two: 25.0 %, 1 B of 4 B, down 0 B/s, up 0 B/s, 1 tcp
three: 25.0 %, 1 B of 4 B, down 0 B/s, up 0 B/s, 1 tcp
all: 25.0 %, 3 B of 12 B, down 0 B/s, up 0 B/s, 3 tcp
`,
    );
  });

  test("is left to events with --json", async () => assert.equal(await shown(24, () => {}, { json: true }), ""));
});
