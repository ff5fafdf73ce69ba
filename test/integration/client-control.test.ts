import assert from "node:assert/strict";
import { once } from "node:events";
import { stat } from "node:fs/promises";
import { describe, test } from "node:test";
import { Client, type Torrent, type TorrentOptions } from "#/client/index.ts";
import { openClient, openSeeder, Sample, temporaryFolder, until } from "./bed.ts";

const timeout = 20_000;

/** Resolves at the n-th piece, while the download goes on. */
async function pieces(torrent: Torrent, count: number): Promise<void> {
  for (let seen = 0; seen < count; seen++) await once(torrent, "pieceVerified");
}

/** A rate at which 60 pieces take a second: what is asked for in the middle is done in the middle. */
const slowly: TorrentOptions = { downRate: 2_000_000 };
const large = { length: 3_000_000 };

describe("a torrent of a client", { timeout }, () => {
  test("pauses, lets its peers go, and goes on", async (t) => {
    const sample = new Sample(large);
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], ...slowly });
    await pieces(torrent, 3);
    const closed = once(torrent, "peerClosed");
    const left = once(seeder.torrent, "peerClosed");
    await torrent.pause();
    assert.equal(torrent.state, "paused");
    assert.equal((await closed)[0].code, "PEER_REMOVED");
    assert.equal((await left)[0].code, "PEER_CLOSED");
    assert.equal(client.stats().peers, 0);
    assert.ok(!torrent.isComplete);
    await torrent.pause();
    await torrent.resume();
    assert.equal(torrent.state, "downloading");
    await torrent.whenComplete();
    await sample.assertIn(output);
  });

  test("a paused torrent lets nobody in", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample);
    await seeder.torrent.pause();
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    await until(() => seeder.client.stats().counters.handshakesFailed > 0);
    assert.equal(client.stats().peers, 0);
    await seeder.torrent.resume();
    seeder.torrent.addPeers([`127.0.0.1:${client.port}`]);
    await torrent.whenComplete();
  });

  test("added paused, it looks at its files and waits", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], paused: true });
    await torrent.whenChecked();
    assert.equal(torrent.state, "paused");
    assert.equal(torrent.stats().counters.dialsStarted, 0);
    await sample.assertIn(output, []);
    await torrent.resume();
    await torrent.whenComplete();
    await sample.assertIn(output);
  });

  test("paused and resumed many times at once, it ends in the state that was asked for last", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample);
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    const calls: Promise<void>[] = [];
    for (let i = 0; i < 5; i++) calls.push(torrent.pause(), torrent.resume());
    calls.push(torrent.pause());
    await Promise.all(calls);
    await torrent.whenChecked();
    assert.equal(torrent.state, "paused");
    for (let i = 0; i < 5; i++) calls.push(torrent.pause(), torrent.resume());
    await Promise.all(calls);
    await torrent.whenComplete();
  });

  test("removed, it ends whoever waits for it, and its files stay", async (t) => {
    const sample = new Sample(large);
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], ...slowly });
    await pieces(torrent, 3);
    const waiting = assert.rejects(torrent.whenComplete(), { name: "ClientError", code: "CLIENT_TORRENT_STOPPED" });
    const left = once(seeder.torrent, "peerClosed");
    await client.remove(torrent);
    await waiting;
    await left;
    assert.equal(torrent.state, "closed");
    assert.deepEqual(client.torrents, []);
    assert.ok((await stat(sample.pathOf(output, 0))).size > 0);
    await assert.rejects(torrent.whenComplete(), { code: "CLIENT_TORRENT_STOPPED" });
    await client.remove(torrent);
    await torrent.resume();
    assert.equal(torrent.state, "closed");
  });

  test("added again after it was removed, it keeps what was on disk", async (t) => {
    const sample = new Sample(large);
    const seeder = await openSeeder(t, sample);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const first = await client.add(sample.bytes, { peers: [seeder.address], ...slowly });
    await pieces(first, 10);
    await client.remove(first);
    const had = [...first.have];
    assert.ok(had.length >= 10);
    const again = await client.add(sample.bytes, { peers: [seeder.address], paused: true });
    await again.whenChecked();
    for (const piece of had) assert.ok(again.have.has(piece), `piece ${piece}`);
    await sample.assertPieces(output, again.have);
    await again.resume();
    await again.whenComplete();
    await sample.assertIn(output);
    assert.equal(again.stats().counters.verifiedPieces, sample.metainfo.pieceCount - had.length);
  });

  test("cannot be twice in a client", async (t) => {
    const sample = new Sample();
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const twice = { name: "ClientError", code: "CLIENT_DUPLICATE_TORRENT", fault: "local" };
    const results = await Promise.allSettled([client.add(sample.bytes), client.add(sample.metainfo), client.add(sample.bytes)]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
    for (const result of results) if (result.status === "rejected") assert.equal(result.reason.code, twice.code);
    const [torrent] = client.torrents;
    assert.ok(torrent !== undefined && client.torrents.length === 1);
    await assert.rejects(client.add(sample.bytes), twice);
    const removing = client.remove(torrent);
    await assert.rejects(client.add(sample.bytes), twice);
    await removing;
    await client.add(sample.bytes);
  });

  test("waiting for it ends when the caller says so, with the caller's reason, and the download goes on", async (t) => {
    const sample = new Sample(large);
    const seeder = await openSeeder(t, sample);
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], ...slowly });
    await torrent.whenChecked();
    const listeners = (): number => torrent.listenerCount("complete") + torrent.listenerCount("stopped");
    const before = listeners();
    const abort = new AbortController();
    const waiting = torrent.whenComplete({ signal: abort.signal });
    await pieces(torrent, 2);
    const reason = new Error("no time");
    abort.abort(reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(torrent.whenComplete({ signal: abort.signal }), reason);
    assert.equal(listeners(), before);
    assert.equal(torrent.state, "downloading");
    torrent.setLimits({ downRate: Number.POSITIVE_INFINITY });
    await torrent.whenComplete();
    await torrent.whenComplete({ signal: new AbortController().signal });
  });

  test("is refused with options that cannot be, and the client has nothing of it", async (t) => {
    const sample = new Sample();
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const bad: TorrentOptions[] = [
      { downRate: 0 },
      { upRate: -1 },
      { downRate: Number.NaN },
      { files: new Map([[1, 0]]) },
      { files: new Map([[-1, 0]]) },
      { files: new Map([[0.5, 1]]) },
    ];
    for (const options of bad) {
      await assert.rejects(client.add(sample.bytes, options), { name: "ClientError", code: "CLIENT_BAD_OPTION" });
      assert.deepEqual(client.torrents, []);
    }
    const torrent = await client.add(sample.bytes);
    await assert.rejects(torrent.setFilePriority(1, 0), { name: "ClientError", code: "CLIENT_BAD_OPTION" });
    assert.throws(() => torrent.setLimits({ upRate: 0 }), { code: "CLIENT_BAD_OPTION" });
    assert.throws(() => client.setLimits({ downRate: Number.NaN }), { code: "CLIENT_BAD_OPTION" });
  });

  test("is refused when it is not a torrent", async (t) => {
    const client = await openClient(t, { output: await temporaryFolder(t) });
    for (const bytes of [new Uint8Array(), Buffer.from("<html>"), Buffer.from("de"), new Sample().bytes.subarray(0, 60)]) {
      await assert.rejects(client.add(bytes), { code: /^(BENCODE|METAINFO)_/ });
    }
    assert.deepEqual(client.torrents, []);
  });
});

describe("a closed client", { timeout }, () => {
  test("takes no torrent, and closing it again does nothing", async (t) => {
    const sample = new Sample(large);
    const seeder = await openSeeder(t, sample);
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address], ...slowly });
    await pieces(torrent, 1);
    const adding = client.add(new Sample({ seed: 2 }).bytes);
    const waiting = assert.rejects(torrent.whenComplete(), { code: "CLIENT_TORRENT_STOPPED" });
    const closing = client.close();
    assert.equal(client.close(), closing);
    await assert.rejects(adding, { name: "ClientError", code: "CLIENT_CLOSED" });
    await assert.rejects(client.add(sample.bytes), { code: "CLIENT_CLOSED" });
    await closing;
    await waiting;
    assert.equal(torrent.state, "closed");
    assert.deepEqual(client.torrents, []);
    assert.equal(client.stats().peers, 0);
  });

  test("frees its port, so that another can open with it", async (t) => {
    const first = await openClient(t);
    const { port } = first;
    await assert.rejects(openClient(t, { ports: [port] }), { code: "TRANSPORT_CANNOT_LISTEN" });
    await first.close();
    const second = await openClient(t, { ports: [port] });
    assert.equal(second.port, port);
  });

  test("aborted before it opens, it rejects with the reason", async () => {
    const reason = new Error("not now");
    await assert.rejects(Client.open({ hosts: [], signal: AbortSignal.abort(reason) }), reason);
  });
});
