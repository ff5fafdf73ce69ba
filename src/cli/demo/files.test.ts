import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { firstDifference, writeRandomFiles } from "./files.ts";

const folder = mkdtempSync(join(tmpdir(), "freshet-demo-files-"));
after(() => rmSync(folder, { recursive: true }));
const { signal } = new AbortController();

test("the files of the demo have the size asked for", async () => {
  const made = join(folder, "made");
  await writeRandomFiles(made, 1_000_003, signal);
  const files = readdirSync(made, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const sizes = files.map((file) => statSync(join(file.parentPath, file.name)).size);
  assert.equal(sizes.length, 5);
  assert.equal(Math.min(...sizes), 0);
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    1_000_003,
  );
});

test("files are compared byte by byte", async () => {
  const write = (name: string, content: Uint8Array | string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const large = new Uint8Array(4 * 1024 * 1024 + 10).fill(7);
  const changed = large.with(4 * 1024 * 1024 + 3, 8);
  assert.equal(await firstDifference(write("a", large), write("b", large), signal), undefined);
  assert.equal(await firstDifference(join(folder, "a"), write("c", changed), signal), 4 * 1024 * 1024 + 3);
  assert.equal(await firstDifference(write("d", "abc"), write("e", "abcd"), signal), 3);
  assert.equal(await firstDifference(write("f", ""), write("g", ""), signal), undefined);
});
