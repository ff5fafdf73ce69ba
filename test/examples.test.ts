import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { openSampleSeeder } from "./sample-seeder.ts";
import { listFiles, root } from "./source-facts.ts";

const run = promisify(execFile);

/** Every file in examples/ and what shows that it works. */
const examples: Record<string, (path: string) => Promise<void>> = {
  "examples/download.ts": async (path) => {
    await using seeder = await openSampleSeeder();
    const output = join(seeder.folder, "out");
    const { stdout } = await run(process.execPath, [path, seeder.torrentFile, output, seeder.address], { timeout: 20_000 });
    assert.match(stdout, new RegExp(`${seeder.pieceCount} of ${seeder.pieceCount} pieces`));
    assert.deepEqual(await readFile(join(output, seeder.name)), seeder.data);
  },

  "examples/every-part.ts": async (path) => {
    const { stdout } = await run(process.execPath, [path], { timeout: 20_000 });
    const said = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(said["keys"], ["info"]);
    assert.equal(said["name"], "hello.txt");
    assert.equal(said["totalBytes"], 5);
    assert.match(said["code"] as string, /^TRACKER_/);
  },
};

describe("examples", () => {
  test("each file in examples/ has a test", () => {
    assert.deepEqual(listFiles("examples/*"), Object.keys(examples).sort());
  });

  for (const [path, check] of Object.entries(examples)) test(path, () => check(root + path));

  test("the README shows examples/download.ts as it is", async () => {
    const [readme, example] = await Promise.all(["README.md", "examples/download.ts"].map((path) => readFile(root + path, "utf8")));
    assert.ok(example !== undefined && readme?.includes(`\`\`\`ts\n${example}\`\`\``));
  });
});
