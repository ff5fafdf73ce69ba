import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#/base/random.ts";
import { BLOCK_LENGTH, piecePriority } from "#/bittorrent/swarm/index.ts";
import { Scene } from "./scene.ts";
import { sayWhatItHas } from "./scripted-peer.ts";
import { TestTorrent } from "./test-torrent.ts";

describe("a download", () => {
  test("from one seeder comes at the speed of the link, each byte once", () => {
    const scene = new Scene({ torrent: new TestTorrent({ totalLength: 8_000_001 }) });
    const seeder = scene.seeder({ upRate: 1_000_000 });
    const leecher = scene.station();
    leecher.meet(seeder);
    const took = scene.runUntilComplete([leecher], 60_000);
    assert.ok(took !== undefined && took < 9000, `8 s of data took ${took} ms`);
    leecher.assertSettled();
    assert.equal(leecher.swarm.counters.downloadedBytes, 8_000_001);
    assert.equal(leecher.swarm.counters.redundantBytes, 0);
    assert.equal(leecher.swarm.counters.unsolicitedBytes, 0);
    scene.timeline.run(1000);
    assert.equal(seeder.swarm.counters.uploadedBytes, 8_000_001);
  });

  test("over a long way is not slower than over a short one", () => {
    const took = [1, 150].map((latencyMs) => {
      const scene = new Scene({ torrent: new TestTorrent({ totalLength: 8_000_000 }) });
      const seeder = scene.seeder({ upRate: 800_000, latencyMs });
      const leecher = scene.station({ latencyMs: 0 });
      leecher.meet(seeder);
      return scene.runUntilComplete([leecher], 60_000) ?? Number.POSITIVE_INFINITY;
    });
    const [near, far] = took as [number, number];
    assert.ok(near < 11_000, `near: ${near} ms`);
    assert.ok(far < near + 2500, `far: ${far} ms, near: ${near} ms`);
  });

  test("in a swarm of twelve: all of them complete, with the same bytes, mostly from one another", () => {
    const torrent = new TestTorrent({ pieceLength: 2 * BLOCK_LENGTH, totalLength: 3_000_000 });
    const scene = new Scene({ torrent });
    const seeder = scene.seeder({ upRate: 200_000 });
    const leechers = Array.from({ length: 11 }, () => scene.station({ upRate: 200_000, downRate: 1_000_000, jitterMs: 10 }));
    for (const [i, leecher] of leechers.entries()) leecher.meet(seeder, ...leechers.slice(0, i));
    const took = scene.runUntilComplete(leechers, 200_000);
    assert.ok(took !== undefined && took < 60_000, `${took} ms`);
    scene.timeline.run(1000);
    for (const leecher of leechers) {
      leecher.assertSettled();
      assert.equal(leecher.have.count, torrent.pieceCount);
      assert.deepEqual(leecher.store.data, torrent.data);
    }
    const fromSeeder = seeder.swarm.counters.uploadedBytes / torrent.data.byteLength;
    assert.ok(fromSeeder < 4, `the seeder sent ${fromSeeder} copies of the 11`);
    const wasted = leechers.reduce((sum, { swarm }) => sum + swarm.counters.redundantBytes + swarm.counters.unsolicitedBytes, 0);
    assert.ok(wasted < 0.15 * 11 * torrent.data.byteLength, `${wasted} bytes came in vain`);
    assert.deepEqual(new Set(scene.stations.flatMap((station) => station.closeCodes())), new Set(["PEER_USELESS", "PEER_CLOSED"]));
  });

  test("rarest first: pieces are asked for in the order of how many peers have them", () => {
    const torrent = new TestTorrent({ pieceLength: BLOCK_LENGTH, totalLength: 40 * BLOCK_LENGTH });
    const scene = new Scene({ torrent });
    const chance = seededRandom(5);
    const copies = new Array<number>(40).fill(0);
    const leecher = scene.station();
    for (let i = 0; i < 6; i++) {
      const have = copies
        .keys()
        .filter(() => chance.below(3) > 0)
        .toArray();
      for (const piece of have) copies[piece] = (copies[piece] as number) + 1;
      leecher.swarm.addCandidates([scene.scripted({ have, onConnected: sayWhatItHas }).address], "given");
    }
    scene.timeline.run(1000);
    const seeder = scene.scripted();
    leecher.swarm.addCandidates([seeder.address], "given");
    assert.ok(scene.runUntilComplete([leecher], 10_000) !== undefined);
    const asked = seeder.connection.of("request").map(({ piece }) => copies[piece] as number);
    assert.deepEqual(asked, copies.toSorted());
    assert.ok(new Set(asked).size > 3);
  });

  test("rarest first: no piece stays with the seeder alone while others are everywhere", () => {
    const torrent = new TestTorrent({ pieceLength: BLOCK_LENGTH, totalLength: 240 * BLOCK_LENGTH });
    const scene = new Scene({ torrent });
    const seeder = scene.seeder({ upRate: 300_000 });
    const leechers = Array.from({ length: 6 }, () => scene.station({ upRate: 10_000, chunkBlocks: 1, poolChunks: 512 }));
    for (const [i, leecher] of leechers.entries()) leecher.meet(seeder, ...leechers.slice(0, i));
    const total = (): number => leechers.reduce((sum, leecher) => sum + leecher.have.count, 0);
    assert.ok(scene.timeline.runUntil(() => total() >= 600, 60_000) !== undefined);
    const copies = Array.from({ length: 240 }, (_, piece) => leechers.filter(({ have }) => have.has(piece)).length);
    assert.ok(copies.filter((count) => count === 0).length <= 5, `2.5 copies on average: ${copies}`);
    assert.ok(copies.filter((count) => count === 6).length <= 10, `2.5 copies on average: ${copies}`);
    assert.ok(scene.runUntilComplete(leechers, 60_000) !== undefined);
  });

  test("the same seed gives the same course of events", () => {
    const run = (seed: number): unknown => {
      const scene = new Scene({ seed, torrent: new TestTorrent({ totalLength: 1_000_000 }) });
      const seeder = scene.seeder({ upRate: 300_000 });
      const leechers = [scene.station({ upRate: 200_000 }), scene.station({ upRate: 200_000 })];
      leechers[0]?.meet(seeder);
      leechers[1]?.meet(seeder, ...leechers.slice(0, 1));
      scene.runUntilComplete(leechers, 60_000);
      return leechers.map(({ completedAt, verified }) => ({ completedAt, verified }));
    };
    assert.deepEqual(run(3), run(3));
    assert.notDeepEqual(run(3), run(4));
  });
});

describe("slow peers", () => {
  const timeWith = (slowPeers: number, totalLength = 6_000_000, chunks?: number): number => {
    const scene = new Scene({ torrent: new TestTorrent({ pieceLength: 16 * BLOCK_LENGTH, totalLength }) });
    const leecher = scene.station({ chunkBlocks: 16, ...(chunks === undefined ? {} : { poolChunks: chunks }) });
    leecher.meet(scene.seeder({ upRate: 1_000_000 }));
    for (let i = 0; i < slowPeers; i++) leecher.meet(scene.seeder({ upRate: 8_000 }));
    const took = scene.runUntilComplete([leecher], 600_000);
    assert.ok(took !== undefined);
    leecher.assertData();
    return took;
  };

  test("do not hold up a fast one", () => {
    const alone = timeWith(0);
    const together = timeWith(6);
    assert.ok(together < alone * 1.15 + 500, `alone ${alone} ms, with slow ones ${together} ms`);
  });

  test("do not hold up a fast one that comes after they were promised all memory", () => {
    const alone = timeWith(0, 12_000_000, 16);
    const together = timeWith(24, 12_000_000, 16);
    assert.ok(together < alone * 1.4 + 500, `alone ${alone} ms, with slow ones ${together} ms`);
  });
});

describe("the order of pieces", () => {
  test("in sequence when that is asked for", () => {
    const torrent = new TestTorrent({ pieceLength: 4 * BLOCK_LENGTH, totalLength: 40 * 4 * BLOCK_LENGTH });
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    leecher.swarm.picker.isSequential = true;
    leecher.swarm.addCandidates([scene.scripted({ upRate: 500_000 }).address], "given");
    assert.ok(scene.runUntilComplete([leecher], 60_000) !== undefined);
    assert.deepEqual(
      leecher.verified,
      Array.from({ length: 40 }, (_, piece) => piece),
    );
  });

  test("higher priorities first, skipped pieces not at all", () => {
    const torrent = new TestTorrent({ pieceLength: BLOCK_LENGTH, totalLength: 40 * BLOCK_LENGTH });
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    const { skip, low, normal, highest } = piecePriority;
    leecher.swarm.setPriorities((piece) => ([skip, low, normal, highest] as const)[piece % 4] as 0);
    const seeder = scene.scripted({ upRate: 200_000 });
    leecher.swarm.addCandidates([seeder.address], "given");
    assert.ok(scene.runUntilComplete([leecher], 60_000) !== undefined);
    assert.deepEqual(
      leecher.verified.map((piece) => piece % 4),
      [3, 2, 1].flatMap((rest) => new Array<number>(10).fill(rest)),
    );
    leecher.assertSettled();
    assert.equal(leecher.swarm.counters.downloadedBytes, 30 * BLOCK_LENGTH);

    leecher.swarm.setPriorities(() => normal);
    assert.equal(leecher.isComplete, false);
    seeder.dial(leecher.address);
    assert.ok(scene.runUntilComplete([leecher], 10_000) !== undefined, "what was skipped comes when it is wanted after all");
    assert.equal(leecher.have.count, 40);
  });

  test("a piece under way that is skipped gives its memory back", () => {
    const scene = new Scene({ torrent: new TestTorrent({ pieceLength: 16 * BLOCK_LENGTH, totalLength: 64 * BLOCK_LENGTH }) });
    const leecher = scene.station({ chunkBlocks: 16 });
    leecher.meet(scene.seeder({ upRate: 50_000 }));
    assert.ok(scene.timeline.runUntil(() => leecher.swarm.counters.downloadedBytes > 3 * BLOCK_LENGTH, 60_000) !== undefined);
    const [started] = leecher.swarm.picker.partials.keys();
    assert.ok(started !== undefined);
    leecher.swarm.setPriorities((piece) => (piece === started ? piecePriority.skip : piecePriority.normal));
    assert.ok(scene.runUntilComplete([leecher], 60_000) !== undefined);
    leecher.assertSettled();
    assert.equal(leecher.have.has(started), false);
  });
});

describe("the fast extension", () => {
  test("allowed-fast pieces come although the peer chokes", () => {
    const scene = new Scene();
    const peer = scene.scripted({
      onConnected: (connection) => {
        sayWhatItHas(connection);
        connection.send({ type: "allowedFast", piece: 3 }, { type: "allowedFast", piece: 5 });
      },
    });
    const leecher = scene.station();
    leecher.swarm.addCandidates([peer.address], "given");
    scene.timeline.run(5000);
    assert.deepEqual(leecher.verified.toSorted(), [3, 5]);
    assert.equal(leecher.swarm.counters.unsolicitedBytes, 0);
  });

  test("a Swarm lets peers have its allowed-fast pieces before it unchokes them", () => {
    const scene = new Scene();
    const seeder = scene.seeder();
    const peer = scene.scripted({
      have: [],
      onConnected: (connection) => connection.send({ type: "haveNone" }),
      onMessage: (connection, message) => {
        if (message.type === "allowedFast") connection.send({ type: "request", piece: message.piece, begin: 0, length: 100 });
      },
    });
    peer.dial(seeder.address);
    scene.timeline.run(1000);
    const { connection } = peer;
    assert.equal(connection.of("unchoke").length, 0, "it is not interested, so it stays choked");
    assert.equal(connection.of("allowedFast").length, 10);
    assert.deepEqual(
      connection.blocks.map(({ piece }) => piece),
      connection.of("allowedFast").map(({ piece }) => piece),
    );
  });

  test("requests that a peer rejects go to others, and are not thrown at it again and again", () => {
    const scene = new Scene();
    const rejecter = scene.scripted({
      onRequest: (connection, { piece, begin, length }) => connection.send({ type: "reject", piece, begin, length }),
    });
    const leecher = scene.station();
    leecher.swarm.addCandidates([rejecter.address], "given");
    scene.timeline.run(10_000);
    const asked = rejecter.connection.of("request").length;
    assert.ok(asked > 0 && asked < 1000, `${asked} requests in 10 s`);
    leecher.meet(scene.seeder({ upRate: 200_000 }));
    assert.ok(scene.runUntilComplete([leecher], 20_000) !== undefined);
    leecher.assertSettled();
  });

  test("a choked peer that rejects an allowed-fast piece is not asked for it for ever", () => {
    const scene = new Scene();
    const rejecter = scene.scripted({
      onConnected: (connection) => {
        sayWhatItHas(connection);
        connection.send({ type: "allowedFast", piece: 3 });
      },
      onRequest: (connection, { piece, begin, length }) => connection.send({ type: "reject", piece, begin, length }),
    });
    const leecher = scene.station();
    leecher.swarm.addCandidates([rejecter.address], "given");
    scene.timeline.run(20_000);
    const asked = rejecter.connection.of("request").length;
    assert.ok(asked > 0 && asked < 50, `${asked} requests`);
  });
});
