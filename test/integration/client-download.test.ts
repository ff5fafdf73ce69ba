import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { addressOf, BLOCK, openClient, openSeeder, Sample, temporaryFolder } from "./bed.ts";
import { RawListener } from "./raw-peer.ts";

const timeout = 20_000;
/** Empty files, folders in folders, names beyond ASCII, a file smaller than a piece, and pieces over many files. */
const manyFiles = [
  ["Größe/日本語 1.txt", 40_000],
  ["empty.txt", 0],
  ["Größe/кино.bin", 100_001],
  ["a/b/c/d/e.dat", 1],
  ["a/b/empty too", 0],
  ["a/🌊.mkv", 70_000],
  ["last empty", 0],
] as const;

describe("downloads between clients", { timeout }, () => {
  test("a single file", async (t) => {
    const sample = new Sample({ length: 1_000_003 });
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.metainfo, { peers: [seeder.address] });
    await torrent.whenComplete();
    await sample.assertIn(output);
    const stats = torrent.stats();
    assert.equal(stats.state, "seeding");
    assert.equal(stats.doneBytes, sample.content.byteLength);
    assert.equal(stats.downloaded, sample.content.byteLength);
    assert.equal(stats.counters.verifiedPieces, sample.metainfo.pieceCount);
    assert.equal(stats.counters.redundantBytes + stats.counters.failedBytes + stats.counters.unsolicitedBytes, 0);
    assert.equal(seeder.torrent.stats().uploaded, sample.content.byteLength);
  });

  test("many files, with empty ones and names beyond ASCII", async (t) => {
    const sample = new Sample({ name: "Ordner ☃", files: manyFiles });
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    await (await client.add(sample.bytes, { peers: [seeder.address] })).whenComplete();
    await sample.assertIn(output);
  });

  test("a torrent of empty files needs no peer", async (t) => {
    const sample = new Sample({
      name: "nothing",
      files: [
        ["a/empty", 0],
        ["b", 1],
      ],
    });
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { files: new Map([[1, 0]]) });
    await torrent.whenComplete();
    await sample.assertIn(output, [0]);
  });

  test("over IPv6", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample, { hosts: ["::1"] });
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output, hosts: ["::1"] });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    const connected = once(torrent, "peerConnected");
    await torrent.whenComplete();
    await sample.assertIn(output);
    assert.deepEqual((await connected)[0].address, `[::1]:${seeder.client.port}`);
  });

  test("one client is reached over both families at one port", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample, { hosts: ["127.0.0.1", "::1"] });
    for (const host of ["127.0.0.1", "::1"]) {
      const output = await temporaryFolder(t);
      const client = await openClient(t, { output });
      await (await client.add(sample.bytes, { peers: [addressOf(seeder.client, host)] })).whenComplete();
      await sample.assertIn(output);
    }
  });

  test("a client that listens nowhere downloads", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output, hosts: [] });
    assert.equal(client.port, 0);
    await (await client.add(sample.bytes, { peers: [seeder.address] })).whenComplete();
    await sample.assertIn(output);
  });

  test("two torrents at once over one port", async (t) => {
    const samples = [new Sample({ name: "one", seed: 1 }), new Sample({ name: "two", seed: 2, files: manyFiles })];
    const [first, second] = samples as [Sample, Sample];
    const seeder = await openSeeder(t, first);
    await second.writeTo(seeder.folder);
    await (await seeder.client.add(second.bytes)).whenComplete();
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const outputs = [await temporaryFolder(t), await temporaryFolder(t)] as const;
    const torrents = await Promise.all(
      samples.map((sample, i) => client.add(sample.bytes, { peers: [seeder.address], output: outputs[i] as string })),
    );
    await Promise.all(torrents.map((torrent) => torrent.whenComplete()));
    await first.assertIn(outputs[0]);
    await second.assertIn(outputs[1]);
    assert.equal(client.stats().torrents, 2);
    assert.equal(client.stats().counters.downloadedBytes, first.content.byteLength + second.content.byteLength);
  });

  test("in order, from a seeder that answers in order", async (t) => {
    const sample = new Sample({ length: 40 * 2 * BLOCK });
    const seeder = await RawListener.seeder(t, sample);
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes, { sequential: true, peers: [seeder.address] });
    const order: number[] = [];
    torrent.on("pieceVerified", ({ piece }) => order.push(piece));
    await torrent.whenComplete();
    const pieces = Array.from({ length: 40 }, (_, piece) => piece);
    assert.deepEqual(order, pieces);
    const asked = seeder.peers[0]?.of("request").map(({ piece, begin }) => 2 * piece + begin / BLOCK);
    assert.deepEqual(
      asked,
      pieces.flatMap((piece) => [2 * piece, 2 * piece + 1]),
    );
  });
});

describe("a crowd", { timeout: 30_000 }, () => {
  test("ten leechers and a seeder all end with the whole torrent, and share the work", async (t) => {
    const sample = new Sample({ length: 4_000_000 });
    const seeder = await openSeeder(t, sample);
    const leechers = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const output = await temporaryFolder(t);
        const client = await openClient(t, { output });
        return { client, output, torrent: await client.add(sample.bytes, { paused: true }) };
      }),
    );
    const addresses = [seeder.address, ...leechers.map(({ client }) => addressOf(client))];
    await Promise.all(leechers.map(({ torrent }) => torrent.whenChecked()));
    for (const { torrent, client } of leechers) torrent.addPeers(addresses.filter((address) => address !== addressOf(client)));
    await Promise.all(leechers.map(({ torrent }) => torrent.resume()));
    await Promise.all(leechers.map(({ torrent }) => torrent.whenComplete()));
    for (const { output } of leechers) await sample.assertIn(output);
    const uploads = leechers.map(({ torrent }) => torrent.stats().uploaded);
    assert.ok(
      uploads.some((bytes) => bytes > 0),
      "no leecher sent anything",
    );
    for (const { torrent } of leechers) assert.equal(torrent.stats().counters.hashFailures, 0);
  });
});
