import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, stat, truncate, unlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { TorrentStorage } from "#/bittorrent/storage/index.ts";
import type { Torrent, TorrentOptions } from "#/client/index.ts";
import { openClient, openSeeder, Sample, temporaryFolder } from "./bed.ts";

const timeout = 20_000;
const files = [
  ["a", 200_000],
  ["b", 200_000],
  ["c", 0],
] as const;

interface Place {
  readonly output: string;
  readonly stateFolder: string;
}

/** A folder with the whole torrent and the record of it, as a client leaves them. */
async function leaveWhole(t: TestContext, sample: Sample): Promise<Place> {
  const place = { output: await temporaryFolder(t), stateFolder: await temporaryFolder(t) };
  const seeder = await openSeeder(t, sample);
  const client = await openClient(t, place);
  await (await client.add(sample.bytes, { peers: [seeder.address] })).whenComplete();
  await client.close();
  await seeder.client.close();
  return place;
}

/** Pieces that are hashed at this start, and the torrent after it. */
async function start(t: TestContext, sample: Sample, place: Place, options: TorrentOptions = {}) {
  const hashed: number[] = [];
  const check = TorrentStorage.prototype.check;
  const mock = t.mock.method(TorrentStorage.prototype, "check", function (this: TorrentStorage, ...args: Parameters<typeof check>) {
    hashed.push(...(args[0]?.pieces ?? []));
    return check.apply(this, args);
  });
  const client = await openClient(t, place);
  const torrent: Torrent = await client.add(sample.bytes, options);
  await torrent.whenChecked();
  mock.mock.restore();
  return { client, torrent, hashed };
}

const all = (sample: Sample): number[] => [...Array(sample.metainfo.pieceCount).keys()];
const recordOf = (sample: Sample, place: Place): string => join(place.stateFolder, "resume", `${sample.metainfo.infoHashHex}.json`);

describe("a client that starts again", { timeout }, () => {
  test("trusts pieces of files that did not change, without hashing", async (t) => {
    const sample = new Sample({ name: "again", files });
    const place = await leaveWhole(t, sample);
    const { torrent, hashed } = await start(t, sample, place);
    assert.deepEqual(hashed, []);
    assert.equal(torrent.state, "seeding");
    assert.ok(torrent.have.isFull);
    assert.equal(torrent.stats().downloaded, 400_000);
    assert.equal(torrent.stats().counters.downloadedBytes, 0);
  });

  test("goes on from the middle without hashing, and asks only for what is missing", async (t) => {
    const sample = new Sample({ length: 3_000_000 });
    const seeder = await openSeeder(t, sample);
    const place = { output: await temporaryFolder(t), stateFolder: await temporaryFolder(t) };
    const first = await openClient(t, place);
    const early = await first.add(sample.bytes, { peers: [seeder.address], downRate: 2_000_000 });
    while (early.have.count < 10) await once(early, "pieceVerified");
    await first.close();
    const had = early.have.count;
    assert.ok(had < sample.metainfo.pieceCount);
    const { torrent, hashed } = await start(t, sample, place, { paused: true });
    assert.deepEqual(hashed, []);
    assert.deepEqual([...torrent.have], [...early.have]);
    torrent.addPeers([seeder.address]);
    await torrent.resume();
    await torrent.whenComplete();
    assert.equal(torrent.stats().counters.verifiedPieces, sample.metainfo.pieceCount - had);
    await sample.assertIn(place.output);
  });

  test("looks again at a file whose time changed, and only at that", async (t) => {
    const sample = new Sample({ name: "again", files });
    const place = await leaveWhole(t, sample);
    await utimes(sample.pathOf(place.output, 1), 1, 1);
    const { torrent, hashed } = await start(t, sample, place);
    assert.deepEqual(hashed, [6, 7, 8, 9, 10, 11, 12]);
    assert.ok(torrent.have.has(0) && torrent.have.isFull);
  });

  test("finds what was changed in a file, and downloads it again", async (t) => {
    const sample = new Sample({ name: "again", files });
    const place = await leaveWhole(t, sample);
    const data = await readFile(sample.pathOf(place.output, 1));
    data[100_000] = (data[100_000] as number) ^ 1;
    await writeFile(sample.pathOf(place.output, 1), data);
    const { torrent } = await start(t, sample, place);
    assert.equal(torrent.state, "downloading");
    assert.deepEqual(
      all(sample).filter((piece) => !torrent.have.has(piece)),
      [9],
    );
    const seeder = await openSeeder(t, sample);
    torrent.addPeers([seeder.address]);
    await torrent.whenComplete();
    await sample.assertIn(place.output);
    assert.equal(torrent.stats().counters.downloadedBytes, 32_768);
  });

  test("misses what was deleted or cut off", async (t) => {
    const sample = new Sample({ name: "again", files });
    const place = await leaveWhole(t, sample);
    await unlink(sample.pathOf(place.output, 0));
    await unlink(sample.pathOf(place.output, 2));
    await truncate(sample.pathOf(place.output, 1), 100_000);
    const { torrent } = await start(t, sample, place);
    await sample.assertPieces(place.output, torrent.have);
    assert.deepEqual([...torrent.have], [7, 8]);
    const seeder = await openSeeder(t, sample);
    torrent.addPeers([seeder.address]);
    await torrent.whenComplete();
    await sample.assertIn(place.output);
  });

  test("checks everything when asked to, and finds what no time or size tells", async (t) => {
    const sample = new Sample({ name: "again", files });
    const place = await leaveWhole(t, sample);
    const path = sample.pathOf(place.output, 0);
    const { mtimeNs } = await stat(path, { bigint: true });
    const data = await readFile(path);
    data[0] = (data[0] as number) ^ 1;
    await writeFile(path, data);
    await utimes(path, Number(mtimeNs) / 1e9, Number(mtimeNs) / 1e9);
    const { torrent, hashed } = await start(t, sample, place, { check: true, paused: true });
    assert.deepEqual(hashed, all(sample));
    assert.deepEqual(
      all(sample).filter((piece) => !torrent.have.has(piece)),
      [0],
    );
  });

  for (const [name, damage] of [
    ["absent", (path: string) => unlink(path)],
    ["cut off", (path: string) => truncate(path, 100)],
    ["of another program", (path: string) => writeFile(path, "{}\n")],
  ] as const) {
    test(`checks what is on disk when its record is ${name}`, async (t) => {
      const sample = new Sample({ name: "again", files });
      const place = await leaveWhole(t, sample);
      await damage(recordOf(sample, place));
      const { torrent, hashed, client } = await start(t, sample, place);
      assert.deepEqual(hashed, all(sample));
      assert.equal(torrent.state, "seeding");
      await client.close();
      const again = await start(t, sample, place);
      assert.deepEqual(again.hashed, []);
    });
  }

  test("does not trust a record of another folder", async (t) => {
    const sample = new Sample({ name: "again", files });
    const place = await leaveWhole(t, sample);
    const { torrent } = await start(t, sample, { ...place, output: await temporaryFolder(t) });
    assert.equal(torrent.have.count, 0);
    assert.equal(torrent.state, "downloading");
  });

  test("what a torrent counted stays counted once, also when it was stopped and resumed", async (t) => {
    const sample = new Sample({ name: "again", files });
    const seeder = await openSeeder(t, sample);
    const place = { output: await temporaryFolder(t), stateFolder: await temporaryFolder(t) };
    const client = await openClient(t, place);
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    await torrent.whenComplete();
    await torrent.pause(); // saves
    await torrent.resume();
    torrent.fail(new Error("for the test"));
    assert.equal(torrent.state, "stopped");
    await torrent.resume();
    assert.equal(torrent.stats().state, "seeding");
    assert.equal(torrent.stats().downloaded, 400_000);
    await client.close();
    const again = await start(t, sample, place);
    assert.equal(again.torrent.stats().downloaded, 400_000);
  });
});
