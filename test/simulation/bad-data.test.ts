import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BLOCK_LENGTH } from "#/bittorrent/swarm/index.ts";
import { Scene } from "./scene.ts";
import { sayWhatItHas } from "./scripted-peer.ts";
import type { Station } from "./station.ts";
import { TestTorrent } from "./test-torrent.ts";

function lie(station: Station, isLie: (piece: number, begin: number) => boolean = () => true): void {
  station.store.corrupt = (piece, begin, view) => {
    if (isLie(piece, begin)) view[0] = (view[0] as number) ^ 1;
  };
}

describe("a liar among honest peers", () => {
  const torrent = new TestTorrent({ pieceLength: 8 * BLOCK_LENGTH, totalLength: 80 * BLOCK_LENGTH });

  for (const seed of [1, 2, 3, 4, 5]) {
    test(`is banned, the honest ones stay, and the download completes (seed ${seed})`, () => {
      const scene = new Scene({ torrent, seed });
      const leecher = scene.station();
      const honest = [scene.seeder({ upRate: 60_000 }), scene.seeder({ upRate: 60_000 })];
      const liar = scene.seeder({ upRate: 60_000 });
      lie(liar);
      leecher.meet(liar, ...honest);
      assert.ok(scene.runUntilComplete([leecher], 300_000) !== undefined);
      scene.timeline.run(2000);
      leecher.assertSettled();
      assert.deepEqual(leecher.banned, [liar.address]);
      assert.equal(leecher.swarm.counters.peersBanned, 1);
      assert.deepEqual(
        leecher.closed.filter(({ code }) => code !== "PEER_USELESS").map(({ address, code }) => ({ address, code })),
        [{ address: liar.address, code: "PEER_BANNED" }],
      );
      assert.ok(leecher.swarm.counters.hashFailures > 0);
      assert.ok(leecher.swarm.candidates.isBanned(liar.address));
      const dialled = leecher.swarm.counters.dialsStarted;
      leecher.meet(liar);
      scene.timeline.run(5000);
      assert.equal(leecher.swarm.counters.dialsStarted, dialled, "its address is not dialled again");
    });
  }

  test("that lies now and then is found too", () => {
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    const honest = [scene.seeder({ upRate: 60_000 }), scene.seeder({ upRate: 60_000 })];
    const liar = scene.seeder({ upRate: 60_000 });
    lie(liar, (piece, begin) => (piece * 8 + begin / BLOCK_LENGTH) % 5 === 0);
    leecher.meet(liar, ...honest);
    assert.ok(scene.runUntilComplete([leecher], 300_000) !== undefined);
    scene.timeline.run(2000);
    leecher.assertSettled();
    assert.deepEqual(leecher.banned, [liar.address]);
  });

  test("that comes back under the same address is refused", () => {
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    const liar = scene.scripted({
      onRequest: (connection, { piece, begin, length }) =>
        connection.send({ type: "piece", piece, begin, block: new Uint8Array(length) }),
    });
    liar.dial(leecher.address);
    assert.ok(scene.timeline.runUntil(() => leecher.banned.length > 0, 10_000) !== undefined);
    scene.timeline.run(1000);
    liar.dial(leecher.address);
    scene.timeline.run(1000);
    assert.deepEqual(leecher.refused, ["PEER_BANNED"]);
    assert.equal(leecher.swarm.peerCount, 0);
  });

  test("that sends all the data there is: nothing is ever taken for good", () => {
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    const liar = scene.seeder({ upRate: 500_000 });
    lie(liar);
    leecher.meet(liar);
    scene.timeline.run(30_000);
    assert.equal(leecher.have.count, 0);
    assert.deepEqual(leecher.banned, [liar.address]);
    assert.equal(leecher.pool.freeCount, leecher.pool.totalCount);
  });
});

describe("a peer that says it has what it has not", () => {
  test("and answers nothing: its requests go to others, the download completes", () => {
    const scene = new Scene();
    const leecher = scene.station();
    const haveLiar = scene.scripted({ onRequest: () => {} });
    leecher.swarm.addCandidates([haveLiar.address], "given");
    scene.timeline.run(500);
    leecher.meet(scene.seeder({ upRate: 300_000 }));
    const took = scene.runUntilComplete([leecher], 60_000);
    assert.ok(took !== undefined && took < 6000, `${took} ms`);
    assert.equal(haveLiar.connection.isClosed, false);
    leecher.assertSettled();
  });

  test("and rejects everything", () => {
    const scene = new Scene();
    const leecher = scene.station();
    const haveLiar = scene.scripted({
      onRequest: (connection, { piece, begin, length }) => connection.send({ type: "reject", piece, begin, length }),
    });
    leecher.swarm.addCandidates([haveLiar.address], "given");
    leecher.meet(scene.seeder({ upRate: 300_000 }));
    const took = scene.runUntilComplete([leecher], 60_000);
    assert.ok(took !== undefined && took < 6000, `${took} ms`);
    leecher.assertSettled();
  });
});

describe("a piece that failed its hash", () => {
  /** Two peers share piece 0, one of them lies; then `second` has the piece to itself. */
  const afterFailure = (meddle: (scene: Scene, leecher: Station) => void): Station => {
    const torrent = new TestTorrent({ pieceLength: 8 * BLOCK_LENGTH, totalLength: 8 * BLOCK_LENGTH });
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    let blocks = 0;
    const liar = scene.scripted({
      upRate: 100_000,
      onRequest: (connection, { piece, begin, length }) => {
        if (blocks++ < 2) connection.send({ type: "piece", piece, begin, block: new Uint8Array(length) });
        else connection.send({ type: "choke" }, { type: "reject", piece, begin, length });
      },
    });
    leecher.swarm.addCandidates([liar.address], "given");
    scene.timeline.run(300);
    meddle(scene, leecher);
    assert.ok(scene.timeline.runUntil(() => leecher.swarm.counters.hashFailures > 0, 60_000) !== undefined);
    assert.ok(scene.runUntilComplete([leecher], 90_000) !== undefined, "the piece does not wait for one peer for ever");
    scene.timeline.run(1000);
    leecher.assertSettled();
    assert.deepEqual(leecher.banned, [liar.address]);
    return leecher;
  };

  test("comes whole from one peer, and the blocks that differ name the liar", () => {
    afterFailure((scene, leecher) => leecher.meet(scene.seeder({ upRate: 200_000 })));
  });

  test("goes to another peer when the one that has it to itself chokes", () => {
    afterFailure((scene, leecher) => {
      let answered = 0;
      const choker = scene.scripted({
        upRate: 100_000,
        onRequest: (connection, { piece, begin, length }) => {
          if (answered++ < 8) connection.sendBlock(piece, begin, length);
          else connection.send({ type: "choke" }, { type: "reject", piece, begin, length });
        },
      });
      leecher.swarm.addCandidates([choker.address], "given");
      scene.timeline.after(2000, () => leecher.meet(scene.seeder({ upRate: 200_000 })));
    });
  });

  test("goes to another peer when the one that has it to itself leaves in the middle", () => {
    afterFailure((scene, leecher) => {
      let answered = 0;
      const leaver = scene.scripted({
        upRate: 100_000,
        onRequest: (connection, { piece, begin, length }) => {
          if (answered++ < 8) connection.sendBlock(piece, begin, length);
          else connection.link.close();
        },
      });
      leecher.swarm.addCandidates([leaver.address], "given");
      scene.timeline.after(2000, () => leecher.meet(scene.seeder({ upRate: 200_000 })));
    });
  });

  test("is not held up by a slow peer that has it to itself", () => {
    const leecher = afterFailure((scene, station) => {
      let answered = 0;
      const slow = scene.scripted({
        onRequest: (connection, { piece, begin, length }) => {
          const wait = answered++ < 8 ? 0 : 20_000 * (answered - 8);
          scene.timeline.after(wait, () => connection.sendBlock(piece, begin, length));
        },
      });
      station.swarm.addCandidates([slow.address], "given");
      scene.timeline.after(2000, () => station.meet(scene.seeder({ upRate: 200_000 })));
    });
    assert.ok((leecher.completedAt as number) < 70_000);
  });
});

describe("in the end game", () => {
  test("what others were asked for comes from the fast one, and the others hear a cancel", () => {
    const scene = new Scene({ torrent: new TestTorrent({ pieceLength: 4 * BLOCK_LENGTH, totalLength: 16 * BLOCK_LENGTH }) });
    const leecher = scene.station();
    const silent = scene.scripted({ onRequest: () => {} });
    leecher.swarm.addCandidates([silent.address], "given");
    scene.timeline.run(500);
    assert.equal(silent.connection.of("request").length, 16);
    const fast = scene.scripted({ upRate: 400_000 });
    leecher.swarm.addCandidates([fast.address], "given");
    assert.ok(scene.runUntilComplete([leecher], 5000) !== undefined);
    scene.timeline.run(100);
    assert.equal(silent.connection.of("cancel").length, 16);
    const { counters } = leecher.swarm;
    assert.deepEqual([counters.endGameRequests, counters.cancelsSent, counters.redundantBytes], [16, 16, 0]);
    leecher.assertSettled();
  });

  test("a peer that closes in the middle of a block that another sends too never corrupts it", () => {
    for (const part of [1, 5000, 16_383]) {
      for (const firstFinishes of [true, false]) {
        const scene = new Scene({ torrent: new TestTorrent({ pieceLength: 2 * BLOCK_LENGTH, totalLength: 2 * BLOCK_LENGTH }) });
        const leecher = scene.station();
        // The first answers with `part` bytes that are wrong, and goes on (or leaves) when the second has answered.
        const first = scene.scripted({
          onRequest: (connection, { piece, begin, length }) => {
            if (begin > 0) return;
            const message = new Uint8Array(13 + length).fill(0xab);
            const view = new DataView(message.buffer);
            view.setUint32(0, 9 + length);
            message[4] = 7;
            view.setUint32(5, piece);
            view.setUint32(9, begin);
            connection.sendBytes(message.slice(0, 13 + part));
            scene.timeline.after(2000, () => {
              if (firstFinishes) connection.sendBytes(message.slice(13 + part));
              else connection.link.close();
            });
          },
        });
        leecher.swarm.addCandidates([first.address], "given");
        scene.timeline.run(500);
        const second = scene.scripted({
          onRequest: (connection, { piece, begin, length }) => {
            scene.timeline.after(begin > 0 ? 5000 : 500, () => connection.sendBlock(piece, begin, length));
          },
        });
        leecher.swarm.addCandidates([second.address], "given");
        assert.ok(scene.runUntilComplete([leecher], 20_000) !== undefined);
        assert.equal(leecher.swarm.counters.hashFailures, 0, `after ${part} bytes`);
        scene.timeline.run(2000);
        leecher.assertSettled();
      }
    }
  });
});

describe("a peer that falls silent", () => {
  test("is snubbed: what it was asked for goes to others, which are not the end game's", () => {
    const torrent = new TestTorrent({ pieceLength: 4 * BLOCK_LENGTH, totalLength: 400 * BLOCK_LENGTH });
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    const silent = scene.scripted({ onRequest: () => {} });
    leecher.swarm.addCandidates([silent.address], "given");
    scene.timeline.run(500);
    const held = new Set(silent.connection.of("request").map(({ piece }) => piece));
    leecher.meet(scene.seeder({ upRate: 100_000 }));
    assert.ok(scene.timeline.runUntil(() => leecher.verified.some((piece) => held.has(piece)), 60_000) !== undefined);
    const peer = leecher.peers.find(({ host }) => host === silent.host.ip);
    assert.equal(peer?.isSnubbed, true);
    assert.equal(leecher.swarm.counters.requestTimeouts, 16);
    assert.ok(scene.runUntilComplete([leecher], 120_000) !== undefined);
    leecher.assertSettled();
  });

  test("and wakes up again: it is no longer snubbed, and its late blocks do not count against it", () => {
    const torrent = new TestTorrent({ pieceLength: 4 * BLOCK_LENGTH, totalLength: 400 * BLOCK_LENGTH });
    const scene = new Scene({ torrent });
    const leecher = scene.station();
    const sleeper = scene.scripted({
      onConnected: (connection) => {
        sayWhatItHas(connection);
        connection.send({ type: "unchoke" });
      },
      onRequest: (connection, { piece, begin, length }) => {
        scene.timeline.after(Math.max(0, 40_000 - scene.timeline.now()), () => connection.sendBlock(piece, begin, length));
      },
    });
    leecher.swarm.addCandidates([sleeper.address], "given");
    scene.timeline.run(35_000);
    const [peer] = leecher.peers;
    assert.equal(peer?.isSnubbed, true);
    assert.ok(scene.runUntilComplete([leecher], 120_000) !== undefined);
    assert.equal(peer?.isSnubbed, false);
    assert.equal(leecher.swarm.counters.unsolicitedBytes, 0);
    assert.deepEqual(leecher.closeCodes(), ["PEER_USELESS"]);
    leecher.assertSettled();
  });
});
