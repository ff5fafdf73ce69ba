import assert from "node:assert/strict";
import { test } from "node:test";
import { BLOCK_LENGTH } from "#/bittorrent/swarm/index.ts";
import { Scene } from "./scene.ts";
import { type RequestMessage, type ScriptedConnection, type ScriptedPeer, sayWhatItHas } from "./scripted-peer.ts";
import type { Station } from "./station.ts";
import { TestTorrent } from "./test-torrent.ts";

const SEEDS = 50;
const torrent = new TestTorrent({ pieceLength: 6 * BLOCK_LENGTH, totalLength: 14 * 6 * BLOCK_LENGTH - 2 * BLOCK_LENGTH - 777 });

/** Has a part of the torrent, and does at random what peers may do: delay, reject, repeat, choke, leave, come back, gain pieces. */
function moodyPeer(scene: Scene, fast: boolean, leecher: Station): ScriptedPeer {
  const { timeline } = scene;
  const choked = new WeakSet<ScriptedConnection>();
  const have = torrent.pieceCount;
  const peer: ScriptedPeer = scene.scripted({
    fast,
    latencyMs: 5,
    jitterMs: 40,
    upRate: 60_000,
    have: Array.from({ length: have }, (_, piece) => piece).filter((piece) => (piece * 7 + scene.seed) % 3 !== 0),
    onConnected: (connection) => {
      sayWhatItHas(connection);
      if (fast) for (let i = 0; i < 3; i++) connection.send({ type: "allowedFast", piece: peer.random.below(have) });
      connection.send({ type: "unchoke" });
      act(connection);
    },
    onRequest: (connection, request) => {
      if (choked.has(connection)) {
        if (fast) reject(connection, request);
        return;
      }
      timeline.after(peer.random.below(400), () => reply(connection, request));
    },
  });

  function reject(connection: ScriptedConnection, { piece, begin, length }: RequestMessage): void {
    connection.send({ type: "reject", piece, begin, length });
  }

  function reply(connection: ScriptedConnection, request: RequestMessage): void {
    const chance = peer.random.below(100);
    const { piece, begin, length } = request;
    if (fast && (chance < 8 || choked.has(connection))) reject(connection, request);
    else if (choked.has(connection) || (!fast && chance < 2)) return;
    else {
      connection.sendBlock(piece, begin, length);
      if (chance < 14) connection.sendBlock(piece, begin, length);
    }
  }

  function act(connection: ScriptedConnection): void {
    timeline.after(200 + peer.random.below(2500), () => {
      if (connection.isClosed) return;
      const chance = peer.random.below(100);
      if (chance < 25) {
        connection.send({ type: "choke" });
        choked.add(connection);
        timeline.after(100 + peer.random.below(3000), () => {
          choked.delete(connection);
          connection.send({ type: "unchoke" });
        });
      } else if (chance < 45) {
        connection.link.close();
        timeline.after(500 + peer.random.below(3000), () => peer.dial(leecher.address));
        return;
      } else if (chance < 75) {
        const piece = peer.random.below(have);
        peer.have.add(piece);
        connection.send({ type: "have", piece });
      } else if (chance < 85 && fast) {
        connection.send({ type: "allowedFast", piece: peer.random.below(have) });
      }
      act(connection);
    });
  }

  return peer;
}

/** Has everything, and one block in four that it sends is wrong. */
function liarPeer(scene: Scene): ScriptedPeer {
  const peer: ScriptedPeer = scene.scripted({
    upRate: 60_000,
    onRequest: (connection, { piece, begin, length }) => {
      if (peer.random.below(4) > 0) connection.sendBlock(piece, begin, length);
      else connection.send({ type: "piece", piece, begin, block: peer.random.bytes(length) });
    },
  });
  return peer;
}

/** @param liar undefined when everybody is honest */
function assertConsistent(leecher: Station, liar: ScriptedPeer | undefined): void {
  const { counters } = leecher.swarm;
  leecher.assertSettled();
  assert.deepEqual(leecher.store.data, torrent.data);
  if (liar === undefined) assert.deepEqual([counters.hashFailures, counters.failedBytes], [0, 0]);
  for (const address of leecher.banned) assert.equal(address.split(":")[0], liar?.host.ip, "no honest peer is banned");
  assert.equal(counters.peersBanned, leecher.banned.length);
  assert.ok(counters.receivedBytes > counters.downloadedBytes);
  assert.equal(counters.unsolicitedBytes > 0, true, "some blocks were sent twice");
  const { order } = leecher.swarm.picker;
  for (let piece = 0; piece < torrent.pieceCount; piece++) {
    const copies = leecher.peers.filter((peer) => !peer.isCountedAsSeed && peer.have.has(piece)).length;
    assert.equal(order.availability(piece), copies, `peers that have piece ${piece}`);
  }
}

test(`peers that leave, choke, reject, repeat, delay and lie at random never keep a download from its end (${SEEDS} seeds)`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const scene = new Scene({ torrent, seed });
    const leecher = scene.station({
      chunkBlocks: 2,
      poolChunks: seed % 5 === 0 ? 3 : 24,
      diskWriteRate: seed % 3 === 0 ? 150_000 : 5_000_000,
    });
    const other = scene.station({ upRate: 40_000, chunkBlocks: 2 });
    const liar = seed % 2 === 0 ? liarPeer(scene) : undefined;
    liar?.dial(leecher.address);
    const peers = [true, true, false, false].map((fast) => moodyPeer(scene, fast, leecher));
    for (const peer of peers) peer.dial(leecher.address);
    leecher.swarm.addCandidates(
      peers.map(({ address }) => address),
      "tracker",
    );
    peers[0]?.dial(other.address);
    other.meet(leecher);
    if (seed % 4 === 0) {
      scene.timeline.after(2500, () => leecher.swarm.stop());
      scene.timeline.after(4000, () => leecher.swarm.start());
    }
    const took = scene.runUntilComplete([leecher], 900_000);
    assert.ok(took !== undefined, `seed ${seed}: ${leecher.have.count} of ${torrent.pieceCount} pieces`);
    scene.timeline.run(1000);
    try {
      assertConsistent(leecher, liar);
      other.assertData();
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
});
