import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BLOCK_LENGTH, TokenBucket } from "#/bittorrent/swarm/index.ts";
import { Scene } from "./scene.ts";
import type { Station } from "./station.ts";
import { TestTorrent } from "./test-torrent.ts";

const WINDOW_MS = 10_000;
const torrent = new TestTorrent({ pieceLength: 16 * BLOCK_LENGTH, totalLength: 40_000_000 });

/** The mean rate over the next ten seconds, as a part of `limit`. */
function share(scene: Scene, limit: number, bytes: () => number): number {
  const before = bytes();
  scene.timeline.run(WINDOW_MS);
  return (bytes() - before) / (limit * (WINDOW_MS / 1000));
}

function assertHolds(part: number): void {
  assert.ok(Math.abs(part - 1) <= 0.05, `${(part * 100).toFixed(1)} % of the limit`);
}

describe("a limit of the rate holds within 5 % over 10 s", () => {
  const cases = [
    { limit: 200_000, scope: "torrent" },
    { limit: 1_000_000, scope: "client" },
    { limit: 3_000_000, scope: "torrent" },
  ] as const;
  for (const { limit, scope } of cases) {
    test(`down, of the ${scope}, ${limit} bytes a second, from three fast peers`, () => {
      const scene = new Scene({ torrent });
      const leecher = scene.station({ chunkBlocks: 16 });
      const bucket = scope === "torrent" ? leecher.swarm.downLimit : leecher.clientDown;
      bucket.setRate(limit);
      leecher.meet(scene.seeder(), scene.seeder(), scene.seeder());
      scene.timeline.run(500);
      assertHolds(share(scene, limit, () => leecher.swarm.counters.receivedBytes));
    });

    test(`up, of the ${scope}, ${limit} bytes a second, to three fast peers`, () => {
      const scene = new Scene({ torrent });
      const seeder = scene.seeder();
      const bucket = scope === "torrent" ? seeder.swarm.upLimit : seeder.clientUp;
      bucket.setRate(limit);
      const leechers = [1, 2, 3].map(() => scene.station({ chunkBlocks: 16, tellsPort: false }));
      for (const leecher of leechers) leecher.meet(seeder);
      scene.timeline.run(500);
      const before = leechers.map((leecher) => leecher.swarm.counters.downloadedBytes);
      assertHolds(share(scene, limit, () => seeder.swarm.counters.uploadedBytes));
      const shares = leechers.map((leecher, i) => leecher.swarm.counters.downloadedBytes - (before[i] as number));
      assert.ok(Math.min(...shares) > 0.5 * Math.max(...shares), `each gets its part: ${shares}`);
    });
  }

  test("of the client over all its torrents, and each gets its part", () => {
    const scene = new Scene({ torrent });
    const [clientDown, clientUp] = [new TokenBucket(1_000_000), new TokenBucket(1_000_000)];
    const leechers = [1, 2].map(() => scene.station({ chunkBlocks: 16, clientDown }));
    const seeders = [1, 2].map(() => scene.seeder({ clientUp }));
    for (const [i, leecher] of leechers.entries()) {
      leecher.meet(scene.seeder());
      scene.station({ tellsPort: false }).meet(seeders[i] as Station);
    }
    scene.timeline.run(500);
    const down = (): number => leechers.reduce((sum, { swarm }) => sum + swarm.counters.receivedBytes, 0);
    const up = (): number => seeders.reduce((sum, { swarm }) => sum + swarm.counters.uploadedBytes, 0);
    const upBefore = up();
    assertHolds(share(scene, 1_000_000, down));
    assertHolds((up() - upBefore) / 10_000_000);
    for (const { swarm } of leechers) assert.ok(swarm.counters.downloadedBytes > 2_500_000, `${swarm.counters.downloadedBytes}`);
    for (const { swarm } of seeders) assert.ok(swarm.counters.uploadedBytes > 2_500_000, `${swarm.counters.uploadedBytes}`);
  });

  test("also when it is changed on the way", () => {
    const scene = new Scene({ torrent });
    const leecher = scene.station({ chunkBlocks: 16 });
    leecher.swarm.downLimit.setRate(2_000_000);
    leecher.meet(scene.seeder());
    scene.timeline.run(2000);
    for (const limit of [300_000, 1_500_000]) {
      leecher.swarm.downLimit.setRate(limit);
      scene.timeline.run(1000);
      assertHolds(share(scene, limit, () => leecher.swarm.counters.receivedBytes));
    }
    leecher.swarm.downLimit.setRate(Number.POSITIVE_INFINITY);
    assert.ok(scene.runUntilComplete([leecher], 5000) !== undefined);
    leecher.assertSettled();
  });

  test("a slow limit does not make peers look silent", () => {
    const scene = new Scene({ torrent });
    const leecher = scene.station({ chunkBlocks: 16 });
    leecher.swarm.downLimit.setRate(20_000);
    leecher.meet(...Array.from({ length: 8 }, () => scene.seeder()));
    scene.timeline.run(200_000);
    assert.deepEqual(leecher.closed, []);
    assert.ok(leecher.swarm.counters.downloadedBytes > 0.9 * 200 * 20_000, `${leecher.swarm.counters.downloadedBytes} bytes`);
    assert.ok(leecher.swarm.counters.requestTimeouts < 20, `${leecher.swarm.counters.requestTimeouts} requests were taken back`);
  });
});

describe("memory", () => {
  const watch = (scene: Scene, leecher: Station, limitMs: number): { took: number | undefined; waiting: number } => {
    let waiting = 0;
    const took = scene.timeline.runUntil(() => {
      waiting = Math.max(waiting, leecher.store.waitingChunks);
      return leecher.isComplete && leecher.store.waitingChunks === 0;
    }, limitMs);
    return { took, waiting };
  };

  test("stays within the pool when the disk is slow, and the download completes at the speed of the disk", () => {
    const scene = new Scene({ torrent: new TestTorrent({ pieceLength: 16 * BLOCK_LENGTH, totalLength: 10_000_000 }) });
    const leecher = scene.station({ chunkBlocks: 4, poolChunks: 12, diskWriteRate: 1_000_000 });
    leecher.meet(scene.seeder({ upRate: 4_000_000 }), scene.seeder({ upRate: 4_000_000 }));
    const { took, waiting } = watch(scene, leecher, 60_000);
    assert.ok(took !== undefined && took < 12_000, `10 s of writing took ${took} ms`);
    assert.ok(waiting <= 12);
    assert.ok(leecher.swarm.counters.memoryWaits > 0);
    leecher.assertSettled();
    assert.ok(leecher.swarm.counters.endGameRequests < 20, "a lack of memory is no end game");
  });

  for (const poolChunks of [1, 2, 5]) {
    test(`of ${poolChunks} chunks is enough for five peers`, () => {
      const scene = new Scene({ torrent: new TestTorrent({ pieceLength: 8 * BLOCK_LENGTH, totalLength: 2_000_000 }) });
      const leecher = scene.station({ chunkBlocks: 2, poolChunks });
      leecher.meet(...[1, 2, 3, 4, 5].map((i) => scene.seeder({ upRate: i * 100_000 })));
      const { took } = watch(scene, leecher, 120_000);
      assert.ok(took !== undefined, `${leecher.have.count} of ${leecher.torrent.pieceCount} pieces`);
      leecher.assertSettled();
    });
  }

  test("that holds blocks of pieces which nobody can complete is used for others", () => {
    const scene = new Scene({ torrent: new TestTorrent({ pieceLength: 4 * BLOCK_LENGTH, totalLength: 64 * BLOCK_LENGTH }) });
    const leecher = scene.station({ chunkBlocks: 4, poolChunks: 4 });
    const teasers = [0, 2, 4, 6].map((piece) =>
      scene.scripted({
        have: [piece, piece + 1],
        onRequest: (connection, request) => {
          if (request.begin === 0) connection.sendBlock(request.piece, 0, request.length);
        },
      }),
    );
    for (const teaser of teasers) leecher.swarm.addCandidates([teaser.address], "given");
    scene.timeline.run(2000);
    assert.equal(leecher.pool.freeCount, 0);
    for (const teaser of teasers) for (const connection of teaser.connections) connection.link.close();
    const other = scene.scripted({ have: [8, 9, 10, 11, 12, 13, 14, 15] });
    leecher.swarm.addCandidates([other.address], "given");
    scene.timeline.run(5000);
    assert.deepEqual(
      leecher.verified.toSorted((a, b) => a - b),
      [8, 9, 10, 11, 12, 13, 14, 15],
    );
    leecher.meet(scene.seeder());
    assert.ok(scene.runUntilComplete([leecher], 100_000) !== undefined);
    leecher.assertSettled();
  });

  test("for uploads is bounded and comes back, also when leechers leave in the middle", () => {
    const scene = new Scene({ torrent });
    const seeder = scene.seeder({ upRate: 1_000_000 });
    const leechers = Array.from({ length: 6 }, () => scene.station({ tellsPort: false }));
    for (const leecher of leechers) leecher.meet(seeder);
    let most = 0;
    scene.timeline.runUntil(() => {
      most = Math.max(most, seeder.uploadMemory.usedBytes);
      return false;
    }, 5000);
    assert.ok(most > 0 && most < 6 * 1_000_000, `${most} bytes`);
    for (const leecher of leechers) leecher.swarm.stop();
    scene.timeline.run(1000);
    assert.equal(seeder.uploadMemory.usedBytes, 0);
    for (const leecher of leechers) assert.equal(leecher.pool.freeCount, leecher.pool.totalCount);
  });
});
