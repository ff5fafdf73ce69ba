import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { concatBytes } from "#/base/bytes.ts";
import { allowedFastSet, encodeMessage } from "#/bittorrent/wire/index.ts";
import type { Client, Torrent } from "#/client/index.ts";
import { addressOf, BLOCK, JumpingClock, openClient, openSeeder, Sample, temporaryFolder, until } from "./bed.ts";
import { allRequests, RawPeer } from "./raw-peer.ts";

const timeout = 20_000;
const MEBIBYTE = 1024 * 1024;
/** What the uploader reads ahead for one connection, and the one batch that may go beyond it. */
const AHEAD = 2 * MEBIBYTE + 17 * BLOCK;
/** Memory for blocks on their way out, over all connections. */
const UPLOAD_MEMORY = 32 * MEBIBYTE;

/** Bytes that a client keeps for its peers: read for them, or given to a socket that does not take them. */
function keptBytes(client: Client, torrent: Torrent): { readonly memory: number; readonly queued: number } {
  let queued = 0;
  for (const peer of torrent.swarm.peers) for (const { link } of peer.connections) queued += link.queuedBytes;
  return { memory: client.stats().uploadMemoryBytes, queued };
}

/** Watches at each turn of the event loop until `condition` holds, and returns the most that was kept. */
async function mostKept(client: Client, torrent: Torrent, condition: () => boolean): Promise<{ memory: number; queued: number }> {
  const most = { memory: 0, queued: 0 };
  for (;;) {
    const { memory, queued } = keptBytes(client, torrent);
    most.memory = Math.max(most.memory, memory);
    most.queued = Math.max(most.queued, queued);
    if (condition()) return most;
    await nextTurn();
  }
}

describe("memory is bounded", { timeout }, () => {
  test("when a peer asks for 2,048 blocks and reads nothing, and when it is let go all of it comes back", async (t) => {
    const sample = new Sample({ length: 2048 * BLOCK, pieceLength: 16 * BLOCK });
    const clock = new JumpingClock();
    const seeder = await openSeeder(t, sample, { clock });
    const deaf = await RawPeer.dial(t, seeder.address, { sample, reads: false });
    deaf.send({ type: "haveNone" }, { type: "interested" });
    await until(() => seeder.torrent.stats().peers.unchokedByUs === 1);
    deaf.sendBytes(concatBytes([...allRequests(sample)].map(encodeMessage)));
    await until(() => seeder.torrent.stats().counters.requestsReceived === 2048);
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output });
    const torrent = await client.add(sample.bytes, { peers: [seeder.address] });
    const most = await mostKept(seeder.client, seeder.torrent, () => torrent.isComplete);
    await sample.assertIn(output);
    assert.ok(most.memory <= 2 * AHEAD, `${most.memory} bytes of memory for two connections`);
    assert.ok(most.queued <= 2 * AHEAD, `${most.queued} bytes queued for two connections`);
    const left = seeder.torrent.stats();
    assert.ok(left.requestsFromPeers > 1000, `${left.requestsFromPeers} requests of 2,048 wait`);
    assert.ok(keptBytes(seeder.client, seeder.torrent).queued > 0, "the kernel took everything");
    const closed = once(seeder.torrent, "peerClosed");
    clock.offsetMs += 150_000;
    assert.match((await closed)[0].code, /^PEER_(IDLE|SLOW_READER)$/);
    await until(() => seeder.client.stats().uploadMemoryBytes === 0);
  });

  test("when a peer that is not unchoked asks without end and reads no answer", async (t) => {
    const sample = new Sample({ length: 40 * BLOCK, pieceLength: BLOCK });
    const seeder = await openSeeder(t, sample);
    const deaf = await RawPeer.dial(t, seeder.address, { sample, reads: false });
    const { infoHash, pieceCount } = sample.metainfo;
    const allowed = allowedFastSet({ infoHash, ip: Uint8Array.of(127, 0, 0, 1), pieceCount, count: 10 });
    const piece = [...Array(pieceCount).keys()].find((each) => !allowed.includes(each)) ?? assert.fail("all pieces are allowed");
    const closed = once(seeder.torrent, "peerClosed") as Promise<[{ readonly code: string }]>;
    const requests = concatBytes(
      Array.from({ length: 65_536 }, () => encodeMessage({ type: "request", piece, begin: 0, length: BLOCK })),
    );
    let code: string | undefined;
    void closed.then(([event]) => {
      code = event.code;
    });
    const write = (): void => {
      while (!deaf.socket.destroyed && code === undefined && deaf.socket.write(requests));
    };
    deaf.socket.on("drain", write);
    write();
    let most = 0;
    while (code === undefined) {
      most = Math.max(most, keptBytes(seeder.client, seeder.torrent).queued);
      assert.ok(most < 8 * MEBIBYTE, `${most} bytes of refusals wait for a peer that does not read`);
      await nextTurn();
    }
    assert.match(code, /^PEER_(SLOW_READER|REQUEST_FLOOD)$/);
  });

  test("when 200 peers connect, and all of them ask and read nothing", async (t) => {
    const sample = new Sample({ length: 64 * BLOCK, pieceLength: 4 * BLOCK });
    const seeder = await openSeeder(t, sample, { maxPeersPerTorrent: 150 });
    const requests = concatBytes([...allRequests(sample)].map(encodeMessage));
    const peers = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const peer = await RawPeer.dial(t, seeder.address, { sample, reads: false });
        peer.send({ type: "haveNone" }, { type: "interested" });
        return peer;
      }),
    );
    await until(() => {
      const { handshakesCompleted, handshakesFailed } = seeder.client.stats().counters;
      return handshakesCompleted + handshakesFailed === 200;
    });
    assert.equal(seeder.client.stats().peers, 150);
    for (const peer of peers) peer.sendBytes(requests);
    const most = await mostKept(seeder.client, seeder.torrent, () => {
      return seeder.torrent.stats().counters.requestsReceived === 150 * 64;
    });
    assert.ok(most.memory <= UPLOAD_MEMORY, `${most.memory} bytes of memory`);
    assert.ok(most.queued <= UPLOAD_MEMORY + MEBIBYTE, `${most.queued} bytes queued`);
  });

  test("when 100 peers begin blocks and never end them", async (t) => {
    const sample = new Sample({ length: 512 * BLOCK, pieceLength: 16 * BLOCK });
    const bufferBytes = 2 * MEBIBYTE;
    const client = await openClient(t, { output: await temporaryFolder(t), bufferBytes });
    const torrent = await client.add(sample.bytes);
    await torrent.whenChecked();
    let begun = 0;
    for (let i = 0; i < 100; i++) {
      const peer = await RawPeer.dial(t, addressOf(client), { sample });
      peer.onMessage = (message) => {
        if (message.type !== "request" || peer.of("request").length > 1) return;
        const { piece, begin, length } = message;
        const block = sample.pieceContent(piece).subarray(begin, begin + length);
        peer.sendBytes(encodeMessage({ type: "piece", piece, begin, block }).subarray(0, 5000));
        begun++;
      };
      peer.send({ type: "haveAll" }, { type: "unchoke" });
    }
    await until(() => client.stats().peers === 100 && begun > 1 && client.stats().counters.memoryWaits > 0);
    const { chunks } = client.stats();
    assert.ok(chunks.total * 16 * BLOCK <= bufferBytes, `${chunks.total} chunks`);
    assert.equal(chunks.free, 0);
  });
});
