import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { promisify } from "node:util";
import { formatEndpoint } from "#/base/ip.ts";
import { buildMetainfo } from "#/bittorrent/metainfo/index.ts";
import { Client } from "#/client/index.ts";
import { listFiles, root } from "./source-facts.ts";

const run = promisify(execFile);

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "freshet-examples-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Every file in examples/ and what shows that it works. */
const examples: Record<string, (t: TestContext, path: string) => Promise<void>> = {
  "examples/download.ts": async (t, path) => {
    const folder = await temporaryFolder(t);
    const data = randomBytes(100_000);
    const pieceLength = 32_768;
    const hashes = Array.from({ length: Math.ceil(data.length / pieceLength) }, (_, piece) =>
      createHash("sha1")
        .update(data.subarray(piece * pieceLength, (piece + 1) * pieceLength))
        .digest(),
    );
    const bytes = buildMetainfo({ name: "data.bin", length: data.length, pieceLength, pieces: Buffer.concat(hashes) });
    const torrentFile = join(folder, "data.torrent");
    const seeding = join(folder, "seeder");
    await mkdir(seeding);
    await writeFile(torrentFile, bytes);
    await writeFile(join(seeding, "data.bin"), data);
    await using seeder = await Client.open({ hosts: ["127.0.0.1"], ports: [0], output: seeding });
    await (await seeder.add(bytes, { useTrackers: false })).whenComplete();
    const [endpoint] = seeder.endpoints;
    assert.ok(endpoint);
    const output = join(folder, "out");
    const { stdout } = await run(process.execPath, [path, torrentFile, output, formatEndpoint(endpoint)], { timeout: 20_000 });
    assert.match(stdout, /4 of 4 pieces/);
    assert.deepEqual(await readFile(join(output, "data.bin")), data);
  },

  "examples/every-part.ts": async (t, path) => {
    const { stdout } = await run(process.execPath, [path], { cwd: await temporaryFolder(t), timeout: 20_000 });
    const said = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(said["keys"], ["info"]);
    assert.equal(said["name"], "hello.txt");
    assert.equal(said["totalBytes"], 5);
    assert.notEqual(said["code"], "none");
  },
};

describe("examples", () => {
  test("each file in examples/ has a test", () => {
    assert.deepEqual(listFiles("examples/*"), Object.keys(examples).sort());
  });

  for (const [path, check] of Object.entries(examples)) test(path, (t) => check(t, root + path));

  test("the README shows examples/download.ts as it is", async () => {
    const [readme, example] = await Promise.all(["README.md", "examples/download.ts"].map((path) => readFile(root + path, "utf8")));
    assert.ok(example !== undefined && readme?.includes(`\`\`\`ts\n${example}\`\`\``));
  });
});
