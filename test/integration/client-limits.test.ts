import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { openClient, openSeeder, Sample, temporaryFolder } from "./bed.ts";

const RATE = 2_000_000;
/** A tenth of a second after a pause, and one read of each of two connections that overdraws. */
const SLACK = 0.1 * RATE + 2 * 262_144;

/** Fails when more has passed at any moment than the limit allows since the start; ends when `done` does. */
async function assertNeverFaster(passedBytes: () => number, done: Promise<unknown>): Promise<void> {
  const start = performance.now();
  const before = passedBytes();
  let isDone = false;
  const ended = done.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    const passed = passedBytes() - before;
    const allowed = ((performance.now() - start) / 1000) * RATE + SLACK;
    assert.ok(passed <= allowed, `${passed} bytes passed where ${allowed} are allowed`);
    await nextTurn();
  }
  await ended;
}

describe("limits of speed are never passed", { timeout: 30_000 }, () => {
  test("down, of one torrent", async (t) => {
    const sample = new Sample({ length: 1_600_000 });
    const seeder = await openSeeder(t, sample);
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], downRate: RATE });
    await assertNeverFaster(() => torrent.stats().counters.receivedBytes, torrent.whenComplete());
  });

  test("up, of one torrent", async (t) => {
    const sample = new Sample({ length: 1_600_000 });
    const seeder = await openSeeder(t, sample, {}, { upRate: RATE });
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    await assertNeverFaster(() => seeder.torrent.stats().counters.sentBytes, torrent.whenComplete());
  });

  test("down, of a client with two torrents", async (t) => {
    const samples = [new Sample({ length: 1_000_000, seed: 1 }), new Sample({ length: 1_000_000, seed: 2, name: "two" })];
    const client = await openClient(t, { output: await temporaryFolder(t), downRate: RATE });
    const torrents = [];
    for (const sample of samples) {
      const seeder = await openSeeder(t, sample);
      torrents.push(await client.add(sample.bytes, { peers: [seeder.address], paused: true }));
    }
    const all = Promise.all(torrents.map((torrent) => torrent.resume().then(() => torrent.whenComplete())));
    await assertNeverFaster(() => client.stats().counters.receivedBytes, all);
  });

  test("up, of a client with two leechers", async (t) => {
    const sample = new Sample({ length: 1_000_000 });
    const seeder = await openSeeder(t, sample, { upRate: RATE });
    const torrents = [];
    for (let i = 0; i < 2; i++) {
      const client = await openClient(t, { output: await temporaryFolder(t) });
      torrents.push(await client.add(sample.bytes, { peers: [seeder.address], paused: true }));
    }
    const all = Promise.all(torrents.map((torrent) => torrent.resume().then(() => torrent.whenComplete())));
    await assertNeverFaster(() => seeder.client.stats().counters.sentBytes, all);
  });

  test("and may be changed in the middle", async (t) => {
    const sample = new Sample({ length: 4_000_000 });
    const seeder = await openSeeder(t, sample, { upRate: 20_000 }, { upRate: 20_000 });
    const client = await openClient(t, { output: await temporaryFolder(t), downRate: 20_000 });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], downRate: 20_000 });
    await once(torrent, "peerConnected");
    const none = { downRate: Number.POSITIVE_INFINITY, upRate: Number.POSITIVE_INFINITY };
    for (const each of [client, torrent, seeder.client, seeder.torrent]) each.setLimits(none);
    const start = performance.now();
    await torrent.whenComplete();
    assert.ok(performance.now() - start < 20_000, "4 MB at 20 kB a second take 200 s");
  });
});
