import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { record } from "../../../test/cli-recorder.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-demo-test-"));
after(() => rmSync(folder, { recursive: true }));
const env = { TMPDIR: folder };

describe("freshet demo", () => {
  test("downloads, compares and leaves nothing behind", async () => {
    const { exitCode, stdout, stderr } = await record(["demo", "--size", "1M"], { env });
    assert.equal(exitCode, 0, stderr);
    assert.match(
      stdout,
      /^downloaded 1\.00 MiB in \d+\.\d\d s: \d+ MB\/s .*\ncompared 5 files byte by byte: all are the same; nothing is left behind\n$/,
    );
    assert.match(stderr, /^made a torrent of 1\.00 MiB in 5 files, and a tracker at http:\/\/127\.0\.0\.1:\d+\/announce$/m);
    assert.match(stderr, /^leecher: seeding 100\.0 %, 1\.00 MiB of 1\.00 MiB/m);
    assert.deepEqual(readdirSync(folder), []);
  });

  test("tells events with --json", async () => {
    const { exitCode, stdout } = await record(["demo", "--size", "100k", "--json"], { env });
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(exitCode, 0);
    assert.equal(events[0]?.["event"], "created");
    const { event, size, files, same } = events.at(-1) ?? {};
    assert.deepEqual({ event, size, files, same }, { event: "done", size: 102_400, files: 5, same: true });
  });

  test("leaves nothing behind after Ctrl-C", async () => {
    const controller = new AbortController();
    const onOutput = (text: string): void => void (text.startsWith("leecher listens") && controller.abort());
    const { exitCode, stderr } = await record(["demo", "--size", "8M"], { env, signal: controller.signal, onOutput });
    assert.equal(exitCode, 130);
    assert.match(stderr, /\[CLI_INTERRUPTED\]/);
    assert.deepEqual(readdirSync(folder), []);
  });

  test("refuses a bad size", async () => {
    for (const size of ["big", "1", "1000T"]) {
      const { exitCode, stderr } = await record(["demo", "--size", size], { env });
      assert.equal(exitCode, 2);
      assert.match(stderr, /--size: .* \[CLI_BAD_SIZE\]/);
    }
  });
});
