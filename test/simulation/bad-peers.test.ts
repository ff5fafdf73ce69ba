import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#/base/random.ts";
import { BLOCK_LENGTH } from "#/bittorrent/swarm/index.ts";
import { createPeerId, encodeMessage, type WireMessage } from "#/bittorrent/wire/index.ts";
import { Scene } from "./scene.ts";
import { type ScriptedConnection, sayWhatItHas } from "./scripted-peer.ts";

/** How long a well-behaved station takes to see that something is wrong, ms. */
const SOON_MS = 2000;

interface Offence {
  readonly name: string;
  readonly code: string;
  readonly fast?: boolean;
  /** ms */
  readonly within?: number;
  readonly commit: (connection: ScriptedConnection) => void;
}

const request = (piece: number, begin: number, length: number): WireMessage => ({ type: "request", piece, begin, length });
const rawMessage = (id: number, body: number): Uint8Array => {
  const out = new Uint8Array(4 + 1 + body);
  new DataView(out.buffer).setUint32(0, 1 + body);
  out[4] = id;
  return out;
};

const offences: readonly Offence[] = [
  { name: "a have beyond the last piece", code: "PEER_BAD_INDEX", commit: (c) => c.send({ type: "have", piece: 16 }) },
  {
    name: "an allowed-fast beyond the last piece",
    code: "PEER_BAD_INDEX",
    commit: (c) => c.send({ type: "allowedFast", piece: 16 }),
  },
  { name: "a request beyond the last piece", code: "PEER_BAD_REQUEST", commit: (c) => c.send(request(16, 0, 100)) },
  {
    name: "a request beyond the end of a piece",
    code: "PEER_BAD_REQUEST",
    commit: (c) => c.send(request(15, 2 * BLOCK_LENGTH, 2 * BLOCK_LENGTH)),
  },
  { name: "a request for nothing", code: "PEER_BAD_REQUEST", commit: (c) => c.send(request(0, 0, 0)) },
  { name: "a request for more than 128 KiB", code: "PEER_BAD_REQUEST", commit: (c) => c.send(request(0, 0, 131_073)) },
  {
    name: "a bitfield that is too short",
    code: "PEER_BAD_BITFIELD",
    commit: (c) => c.send({ type: "bitfield", bits: new Uint8Array(1) }),
  },
  {
    name: "a bitfield that is too long",
    code: "PEER_BAD_BITFIELD",
    commit: (c) => c.send({ type: "bitfield", bits: new Uint8Array(3) }),
  },
  {
    name: "have-all without the fast extension",
    code: "PEER_BAD_BITFIELD",
    fast: false,
    commit: (c) => c.send({ type: "haveAll" }),
  },
  {
    name: "a message that is too long",
    code: "WIRE_MESSAGE_TOO_LONG",
    commit: (c) => c.sendBytes(Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 20)),
  },
  { name: "a block that is too long", code: "WIRE_BLOCK_TOO_LONG", commit: (c) => c.sendBytes(Uint8Array.of(0, 3, 0, 0, 7)) },
  { name: "a have of the wrong length", code: "WIRE_BAD_LENGTH", commit: (c) => c.sendBytes(rawMessage(4, 7)) },
  { name: "a block of the wrong length", code: "PEER_BAD_INDEX", commit: (c) => sendWrongLength(c) },
  {
    name: "blocks that nobody asked for",
    code: "PEER_UNSOLICITED",
    commit: (c) => {
      for (let i = 0; i < 100; i++) c.sendBlock(i % 16, 0, BLOCK_LENGTH);
    },
  },
  {
    name: "a flood of requests while choked",
    code: "PEER_REQUEST_FLOOD",
    fast: false,
    commit: (c) => {
      for (let i = 0; i < 5000; i++) c.send(request(0, 0, BLOCK_LENGTH));
    },
  },
  {
    name: "a flood of requests for pieces that are not here",
    code: "PEER_REQUEST_FLOOD",
    commit: (c) => {
      c.send({ type: "interested" });
      for (let i = 0; i < 5000; i++) c.send(request(9, 0, BLOCK_LENGTH));
    },
  },
  { name: "silence", code: "PEER_IDLE", within: 125_000, commit: () => {} },
];

/** Answers the first request with a block of another length. */
function sendWrongLength(connection: ScriptedConnection): void {
  sayWhatItHas(connection);
  connection.send({ type: "unchoke" });
  const { timeline } = connection.peer.network;
  timeline.after(500, () => {
    const asked = connection.of("request")[0];
    assert.ok(asked !== undefined);
    connection.sendBlock(asked.piece, asked.begin, asked.length - 1);
  });
}

describe("a peer is dropped for", () => {
  for (const { name, code, fast = true, within = SOON_MS, commit } of offences) {
    test(`${name}: ${code}`, () => {
      const scene = new Scene();
      const station = scene.station({ have: [0, 1, 2] });
      const peer = scene.scripted({ fast, onConnected: commit, onRequest: () => {} });
      peer.dial(station.address);
      const took = scene.timeline.runUntil(() => station.closed.length > 0, within);
      assert.deepEqual(station.closeCodes(), [code], `after ${took} ms`);
      assert.equal(station.swarm.peerCount, 0);
      assert.equal(station.pool.freeCount, station.pool.totalCount);
      scene.timeline.run(1000);
      assert.equal(peer.connection.isClosed, true);
      station.assertData();
    });
  }

  test("not reading what it asked for", () => {
    const scene = new Scene();
    const station = scene.seeder();
    const peer = scene.scripted({
      have: [],
      onConnected: (connection) => {
        connection.send({ type: "haveNone" }, { type: "interested" });
        scene.timeline.after(500, () => {
          connection.link.pauseReading();
          scene.timeline.every(1000, () => {
            for (let piece = 0; piece < 15; piece++) connection.send(request(piece, 0, 4 * BLOCK_LENGTH));
          });
        });
      },
    });
    peer.dial(station.address);
    let mostQueued = 0;
    scene.timeline.runUntil(() => {
      for (const { connections } of station.peers) mostQueued = Math.max(mostQueued, connections[0]?.link.queuedBytes ?? 0);
      return station.closed.length > 0;
    }, 600_000);
    assert.ok(mostQueued < 4_000_000, `${mostQueued} bytes were queued`);
    assert.deepEqual(station.closeCodes(), ["PEER_SLOW_READER"]);
    scene.timeline.run(1000);
    assert.equal(station.uploadMemory.usedBytes, 0);
  });
});

describe("a handshake is refused for", () => {
  const outcome = (bytes: (scene: Scene) => Uint8Array, withinMs = SOON_MS): string[] => {
    const scene = new Scene();
    const station = scene.station();
    const peer = scene.scripted();
    scene.network.dial(peer.host, station.address, (link) => {
      link?.start({ onBytes: () => {}, onClose: () => {} });
      link?.write(bytes(scene));
    });
    scene.timeline.runUntil(() => station.refused.length > 0, withinMs);
    return station.refused;
  };

  test("another protocol", () =>
    assert.deepEqual(
      outcome(() => Uint8Array.from(Buffer.from("GET / HTTP/1.1\r\n\r\n"))),
      ["WIRE_BAD_HANDSHAKE"],
    ));
  test("stalling", () =>
    assert.deepEqual(
      outcome(() => Uint8Array.of(19), 11_000),
      ["PEER_HANDSHAKE_TIMEOUT"],
    ));
  test("another torrent", () => {
    const scene = new Scene();
    const station = scene.station();
    const stranger = new Scene({ seed: 2 }).scripted();
    const peer = scene.scripted({ torrentSaid: stranger.peerId });
    peer.dial(station.address);
    scene.timeline.run(SOON_MS);
    assert.deepEqual(station.refused, ["PEER_WRONG_TORRENT"]);
  });

  test("leading back to this client, and the address is not dialled again", () => {
    const scene = new Scene();
    const station = scene.station();
    station.meet(station);
    scene.timeline.run(120_000);
    assert.deepEqual(station.refused, ["PEER_SELF", "PEER_SELF"]);
    assert.equal(station.swarm.candidates.count, 0);
    assert.equal(station.swarm.counters.dialsStarted, 1);
  });

  test("the limit of peers, which is held when many come at once", () => {
    const scene = new Scene();
    const station = scene.station({ maxPeers: 5 });
    for (let i = 0; i < 12; i++) scene.scripted().dial(station.address);
    scene.timeline.run(60);
    assert.equal(station.swarm.peerCount, 5);
    assert.deepEqual(station.refused, new Array(7).fill("PEER_LIMIT"));
  });
});

describe("two connections between the same two", () => {
  test("a second one by the same side is refused", () => {
    const scene = new Scene();
    const station = scene.station();
    const peer = scene.scripted({ onRequest: () => {} });
    peer.dial(station.address);
    scene.timeline.run(200);
    peer.dial(station.address);
    scene.timeline.run(200);
    assert.deepEqual(station.refused, ["PEER_DUPLICATE"]);
    assert.equal(station.swarm.peerCount, 1);
    assert.equal(peer.connections[0]?.isClosed, false);
  });

  for (const order of ["a < b", "a > b"]) {
    test(`that cross: both sides keep the same one, ${order}`, () => {
      const scene = new Scene();
      const ids = [createPeerId(seededRandom(1)), createPeerId(seededRandom(2))].sort(Buffer.compare);
      if (order === "a > b") ids.reverse();
      const [a, b] = ids.map((peerId) => scene.station({ peerId, have: [peerId === ids[0] ? 0 : 1] }));
      assert.ok(a !== undefined && b !== undefined);
      a.meet(b);
      b.meet(a);
      scene.timeline.run(20_000);
      assert.deepEqual([a.swarm.peerCount, b.swarm.peerCount], [1, 1]);
      const [atA, atB] = [a.peerAt(b), b.peerAt(a)];
      const dialledByA = Buffer.compare(a.peerId, b.peerId) > 0;
      assert.equal(atA?.direction, dialledByA ? "outgoing" : "incoming", "the one that the greater id dialled");
      assert.equal(atB?.direction, dialledByA ? "incoming" : "outgoing");
      assert.deepEqual([a.have.count, b.have.count], [2, 2]);
      assert.ok(a.swarm.counters.dialsStarted + b.swarm.counters.dialsStarted <= 3, "they do not go on dialling each other");
    });
  }

  test("a peer that dialled us is not dialled at the port that it tells", () => {
    const scene = new Scene();
    const [a, b] = [scene.station({ have: [0] }), scene.station({ have: [1] })];
    a.meet(b);
    scene.timeline.run(60_000);
    assert.equal(b.swarm.counters.dialsStarted, 0);
    assert.deepEqual([a.closed, b.closed, a.refused, b.refused], [[], [], [], []]);
  });
});

test("a bitfield that comes late adds to what the peer has", () => {
  const scene = new Scene();
  const station = scene.station();
  const peer = scene.scripted({
    onConnected: (connection) => {
      connection.send({ type: "have", piece: 1 }, { type: "bitfield", bits: Uint8Array.of(0x80, 0) }, { type: "haveAll" });
    },
  });
  peer.dial(station.address);
  scene.timeline.run(SOON_MS);
  assert.equal(station.peers[0]?.isSeed, true);
  assert.equal(station.peers[0]?.wantedCount, 16);
  peer.connection.link.close();
  scene.timeline.run(SOON_MS);
  assert.deepEqual(
    Array.from({ length: 16 }, (_, piece) => station.swarm.picker.order.availability(piece)),
    new Array(16).fill(0),
  );
});

test("an extension handshake that is no dictionary closes the connection with a code", () => {
  const scene = new Scene();
  const station = scene.station();
  const peer = scene.scripted({
    onConnected: (connection) =>
      connection.sendBytes(encodeMessage({ type: "extended", id: 0, payload: Uint8Array.of(0x69, 0x31, 0x65) })),
  });
  peer.dial(station.address);
  scene.timeline.run(SOON_MS);
  assert.equal(station.closed.length, 1);
  assert.match(station.closed[0]?.code ?? "", /^(WIRE|BENCODE)_/);
});
