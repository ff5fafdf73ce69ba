import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { describe, test } from "node:test";
import { piecePriority, type Torrent } from "#/client/index.ts";
import { openClient, openSeeder, Sample, temporaryFolder } from "./bed.ts";
import { RawListener } from "./raw-peer.ts";

const timeout = 20_000;
const { skip, low, normal, high, highest } = piecePriority;
/** Pieces of 32 KiB: `b` shares its first piece with `a` and its last with `d`. */
const files = [
  ["a", 100_000],
  ["sub/b", 200_000],
  ["c", 0],
  ["sub/d", 100_000],
] as const;

const only = (sample: Sample, wanted: readonly number[]): Map<number, 0> =>
  new Map([...sample.metainfo.files.keys()].filter((file) => !wanted.includes(file)).map((file) => [file, skip]));

/** Resolves when what was wanted before and what is wanted now is here. */
async function completeAfter(torrent: Torrent, file: number, priority: 0 | 1 | 2 | 3 | 4): Promise<void> {
  await torrent.setFilePriority(file, priority);
  await torrent.whenComplete();
}

describe("a choice of files", { timeout }, () => {
  test("skipped files are not made, and what they share with others is kept aside", async (t) => {
    const sample = new Sample({ name: "choice", files });
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], files: only(sample, [1, 2]) });
    await torrent.whenComplete();
    const { wantedBytes, doneBytes, totalBytes, downloaded, pieces, state } = torrent.stats();
    assert.equal(state, "seeding");
    // Pieces 3 to 9 of 0 to 12.
    assert.deepEqual(
      { wantedBytes, doneBytes, downloaded },
      { wantedBytes: 7 * 32_768, doneBytes: 7 * 32_768, downloaded: 7 * 32_768 },
    );
    assert.equal(totalBytes, 400_000);
    assert.deepEqual(
      { have: pieces.have, total: pieces.total, wantedLeft: pieces.wantedLeft },
      { have: 7, total: 13, wantedLeft: 0 },
    );
    assert.deepEqual((await readdir(output)).sort(), [`.${sample.metainfo.infoHashHex}.parts`, "choice"]);
    assert.deepEqual((await readdir(`${output}/choice`, { recursive: true })).sort(), ["c", "sub", "sub/b"]);
    await client.close();
    assert.ok(!existsSync(sample.pathOf(output, 0)) && !existsSync(sample.pathOf(output, 3)));
  });

  test("a file that is wanted later comes later, and nothing comes twice", async (t) => {
    const sample = new Sample({ name: "choice", files });
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], files: only(sample, [1, 2]) });
    await torrent.whenComplete();
    await completeAfter(torrent, 3, normal);
    assert.ok(existsSync(sample.pathOf(output, 3)) && !existsSync(sample.pathOf(output, 0)));
    await completeAfter(torrent, 0, highest);
    assert.equal(torrent.stats().downloaded, 400_000);
    assert.equal(torrent.stats().state, "seeding");
    await client.close();
    await sample.assertIn(output);
  });

  test("a torrent of which all is skipped is complete, and downloads when something is wanted", async (t) => {
    const sample = new Sample({ name: "choice", files });
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], files: only(sample, []) });
    await torrent.whenComplete();
    assert.equal(torrent.stats().wantedBytes, 0);
    assert.ok(!existsSync(`${output}/choice`));
    await completeAfter(torrent, 1, low);
    await completeAfter(torrent, 2, low);
    await completeAfter(torrent, 0, low);
    await completeAfter(torrent, 3, low);
    await client.close();
    await sample.assertIn(output);
  });

  test("a file that is skipped in the middle of a download ends it when the rest is there", async (t) => {
    const sample = new Sample({ name: "choice", files });
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { files: new Map([[3, high]]) });
    await torrent.whenChecked();
    for (const file of [0, 1]) await torrent.setFilePriority(file, skip);
    torrent.addPeers([seeder.address]);
    await torrent.whenComplete();
    assert.ok(!torrent.have.isFull);
    assert.ok(torrent.have.has(12) && !torrent.have.has(0));
    await torrent.setFilePriority(3, skip);
    assert.equal(torrent.stats().wantedBytes, 0);
    await torrent.whenComplete();
  });

  test("what is wanted more comes first", async (t) => {
    const sample = new Sample({ name: "choice", files });
    const seeder = await RawListener.seeder(t, sample);
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const choice = new Map([
      [0, low],
      [1, normal],
      [3, highest],
    ] as const);
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], files: choice });
    await torrent.whenComplete();
    const asked = [...new Set(seeder.peers[0]?.of("request").map(({ piece }) => piece))];
    const inSteps = [asked.slice(0, 4), asked.slice(4, 10), asked.slice(10)].map((step) => step.toSorted((a, b) => a - b));
    assert.deepEqual(inSteps, [
      [9, 10, 11, 12],
      [3, 4, 5, 6, 7, 8],
      [0, 1, 2],
    ]);
  });

  test("a choice is remembered with what is on disk", async (t) => {
    const sample = new Sample({ name: "choice", files });
    const seeder = await openSeeder(t, sample);
    const [output, stateFolder] = [await temporaryFolder(t), await temporaryFolder(t)];
    const first = await openClient(t, { output, stateFolder });
    await (await first.add(sample.bytes, { peers: [seeder.address], files: only(sample, [1]) })).whenComplete();
    await first.close();
    const second = await openClient(t, { output, stateFolder });
    const torrent = await second.add(sample.bytes, { peers: [seeder.address], files: only(sample, [1, 3]) });
    await torrent.whenComplete();
    // The last piece of `b` is the first one of `d`.
    assert.equal(torrent.stats().counters.downloadedBytes, 400_000 - 10 * 32_768);
    await second.close();
    const third = await openClient(t, { output, stateFolder });
    const whole = await third.add(sample.bytes, { peers: [seeder.address] });
    await whole.whenComplete();
    assert.equal(whole.stats().counters.downloadedBytes, 3 * 32_768);
    await third.close();
    await sample.assertIn(output);
  });
});
