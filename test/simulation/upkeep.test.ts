import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BLOCK_LENGTH } from "#/bittorrent/swarm/index.ts";
import { DONT_HAVE_NAME, encodeDontHave, encodeExtensionHandshake, type WireMessage } from "#/bittorrent/wire/index.ts";
import { Scene } from "./scene.ts";
import { type ScriptedConnection, sayWhatItHas } from "./scripted-peer.ts";

const OUR_DONT_HAVE_ID = 7;
const dontHave = (piece: number): WireMessage => ({ type: "extended", id: OUR_DONT_HAVE_ID, payload: encodeDontHave(piece) });
const extensionHandshake = (fields: Parameters<typeof encodeExtensionHandshake>[0]): WireMessage => ({
  type: "extended",
  id: 0,
  payload: encodeExtensionHandshake(fields),
});

describe("a connection on which nothing moves", () => {
  test("is kept by keep-alives on both sides", () => {
    const scene = new Scene();
    const [a, b] = [scene.station({ have: [1] }), scene.station({ have: [1] })];
    a.meet(b);
    scene.timeline.run(3_600_000);
    assert.deepEqual([a.closed, b.closed, a.swarm.peerCount], [[], [], 1]);
  });

  test("gives its place to another peer when the limit is reached and neither side has wanted anything for a minute", () => {
    const scene = new Scene();
    const [station, idle, useful] = [
      scene.station({ have: [1], maxPeers: 1 }),
      scene.station({ have: [1] }),
      scene.station({ have: [2] }),
    ];
    idle.meet(station);
    scene.timeline.run(30_000);
    useful.meet(station);
    scene.timeline.run(1000);
    assert.deepEqual(station.refused, ["PEER_LIMIT"]);
    assert.ok(scene.timeline.runUntil(() => station.have.has(2), 120_000) !== undefined);
    assert.deepEqual(station.closeCodes(), ["PEER_USELESS"]);
  });
});

describe("what a peer has", () => {
  test("shrinks by donthave (BEP 54): the piece is no longer asked of it, and what is counted follows", () => {
    const scene = new Scene();
    const leecher = scene.station();
    const peer = scene.scripted({
      upRate: 100_000,
      onConnected: (connection) => {
        connection.send(extensionHandshake({ messages: new Map([[DONT_HAVE_NAME, 3]]) }), { type: "haveAll" });
        for (let piece = 0; piece < 16; piece += 2) connection.send(dontHave(piece));
        connection.send({ type: "unchoke" });
      },
    });
    leecher.swarm.addCandidates([peer.address], "given");
    scene.timeline.run(20_000);
    assert.deepEqual(
      leecher.verified.toSorted((a, b) => a - b),
      [1, 3, 5, 7, 9, 11, 13, 15],
    );
    assert.deepEqual(new Set(peer.connection.of("request").map(({ piece }) => piece % 2)), new Set([1]));
    assert.equal(peer.connection.of("notInterested").length, 1, "nothing is left that it has and we want");
    const { order } = leecher.swarm.picker;
    assert.deepEqual([order.availability(0), order.availability(1)], [0, 1]);
    peer.connection.link.close();
    scene.timeline.run(1000);
    assert.deepEqual([order.availability(0), order.availability(1)], [0, 0]);
  });

  test("is told to it piece by piece as we get them, and that we want nothing more (BEP 21)", () => {
    const scene = new Scene();
    const leecher = scene.station();
    const watcher = scene.scripted({ have: [], onConnected: (connection) => connection.send({ type: "haveNone" }) });
    watcher.dial(leecher.address);
    scene.timeline.run(100);
    leecher.meet(scene.seeder());
    assert.ok(scene.runUntilComplete([leecher], 10_000) !== undefined);
    scene.timeline.run(100);
    assert.deepEqual(
      watcher.connection.of("have").map(({ piece }) => piece),
      leecher.verified,
    );
    assert.equal(watcher.connection.of("extended").length, 2);
    assert.equal(watcher.connection.isClosed, false, "it still lacks pieces");
  });
});

describe("a peer with limits", () => {
  test("is asked for no more at once than it accepts (reqq, BEP 10)", () => {
    const scene = new Scene();
    let waiting = 0;
    let most = 0;
    const peer = scene.scripted({
      onConnected: (connection) => {
        connection.send(extensionHandshake({ messages: new Map(), requestQueue: 5 }));
        sayWhatItHas(connection);
        connection.send({ type: "unchoke" });
      },
      onRequest: (connection, { piece, begin, length }) => {
        most = Math.max(most, ++waiting);
        scene.timeline.after(50, () => {
          waiting--;
          connection.sendBlock(piece, begin, length);
        });
      },
    });
    const leecher = scene.station();
    leecher.swarm.addCandidates([peer.address], "given");
    assert.ok(scene.runUntilComplete([leecher], 60_000) !== undefined);
    assert.equal(most, 5);
  });

  for (const fast of [true, false]) {
    test(`that chokes and does not answer what it was asked (${fast ? "with" : "without"} the fast extension) keeps nothing from others`, () => {
      const scene = new Scene();
      const chokes = (connection: ScriptedConnection): void => connection.send({ type: "choke" });
      const choker = scene.scripted({ fast, onRequest: chokes });
      const leecher = scene.station();
      leecher.swarm.addCandidates([choker.address], "given");
      scene.timeline.run(500);
      leecher.meet(scene.seeder({ upRate: 30_000 }));
      const took = scene.runUntilComplete([leecher], 60_000);
      assert.ok(took !== undefined && took < 40_000, `34 s of data took ${took} ms`);
      leecher.assertSettled();
    });
  }
});

test("a liar in several pieces that fail at once is banned once", () => {
  const scene = new Scene();
  const leecher = scene.station({ diskWriteRate: 200_000 });
  const [liar, honest] = [scene.seeder({ upRate: 150_000 }), scene.seeder({ upRate: 150_000 })];
  liar.store.corrupt = (_, begin, view) => {
    if (begin === 0) view[5] = (view[5] as number) ^ 255;
  };
  leecher.meet(liar, honest);
  assert.ok(scene.runUntilComplete([leecher], 120_000) !== undefined);
  scene.timeline.run(2000);
  leecher.assertSettled();
  assert.ok(leecher.swarm.counters.hashFailures > 1);
  assert.deepEqual([leecher.banned, leecher.swarm.counters.peersBanned], [[liar.address], 1]);
  assert.equal(
    leecher.peerAt(honest) === undefined,
    leecher.closeCodes().includes("PEER_USELESS"),
    "the honest one was not dropped for it",
  );
});

test("a torrent that stops lets everyone go and keeps what it verified; started again it goes on", () => {
  const scene = new Scene();
  const leecher = scene.station();
  const seeder = scene.seeder({ upRate: 200_000 });
  leecher.meet(seeder);
  scene.timeline.run(2000);
  leecher.swarm.stop();
  const { count } = leecher.have;
  assert.ok(count > 0 && count < 16);
  assert.deepEqual(leecher.closeCodes(), ["PEER_REMOVED"]);
  scene.timeline.run(30_000);
  assert.equal(leecher.pool.freeCount, leecher.pool.totalCount);
  assert.equal(leecher.swarm.peerCount, 0);
  leecher.swarm.start();
  assert.ok(scene.runUntilComplete([leecher], 30_000) !== undefined);
  leecher.assertSettled();
  assert.ok(leecher.swarm.counters.abandonedBytes < 8 * BLOCK_LENGTH * 4);
});
