import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Link } from "#/bittorrent/swarm/index.ts";
import { Peer } from "#/bittorrent/swarm/peer.ts";
import { PeerConnection } from "#/bittorrent/swarm/peer-connection.ts";
import { countPeers, peerStats } from "./stats.ts";

const nothing = (): void => {};

function createPeer(direction: "incoming" | "outgoing", transports: readonly string[]): Peer {
  const id = Buffer.from("-FS0100-abcdefghijkl");
  const where = { address: "192.0.2.1:6881", host: "192.0.2.1" };
  const peer = new Peer({ id, ...where, direction, pieceCount: 10, fast: true, extended: true, now: 0 });
  for (const transport of transports) {
    const link: Link = {
      ...where,
      transport,
      queuedBytes: 0,
      start: nothing,
      write: nothing,
      pauseReading: nothing,
      resumeReading: nothing,
      close: nothing,
    };
    const owner = {
      counters: { sentBytes: 0 },
      now: () => 0,
      messageReceived: nothing,
      blockStarted: nothing,
      blockArriving: nothing,
      blockEnded: nothing,
      bytesReceived: nothing,
      connectionClosed: nothing,
    };
    peer.connections.push(new PeerConnection(link, peer, owner));
  }
  return peer;
}

describe("counts of peers", () => {
  test("nobody", () => {
    assert.deepEqual(countPeers([]), {
      connected: 0,
      seeds: 0,
      incoming: 0,
      outgoing: 0,
      unchokingUs: 0,
      unchokedByUs: 0,
      interestedInUs: 0,
      snubbed: 0,
      byTransport: {},
    });
  });

  test("each peer is counted in every state it is in, and its connections by what carries them", () => {
    const seed = createPeer("outgoing", ["tcp", "quic"]);
    seed.have.fill();
    seed.isChoking = false;
    const leecher = createPeer("incoming", ["tcp"]);
    leecher.amChoking = false;
    leecher.isInterested = true;
    leecher.isSnubbed = true;
    assert.deepEqual(countPeers([seed, leecher, createPeer("incoming", [])]), {
      connected: 3,
      seeds: 1,
      incoming: 2,
      outgoing: 1,
      unchokingUs: 1,
      unchokedByUs: 1,
      interestedInUs: 1,
      snubbed: 1,
      byTransport: { tcp: 2, quic: 1 },
    });
  });
});

describe("one look at a peer", () => {
  test("has all that the peer is", () => {
    const peer = createPeer("incoming", ["tcp", "quic"]);
    for (const piece of [1, 2, 3, 4]) peer.have.add(piece);
    peer.clientName = "Somebody 1.0";
    peer.downloaded.add(100);
    peer.uploaded.add(200);
    peer.isChoking = false;
    peer.isInterested = true;
    peer.amInterested = true;
    peer.isOptimistic = true;
    peer.hashFailures = 3;
    const [first, second] = peer.connections as [PeerConnection, PeerConnection];
    first.pending.set(1, 0);
    second.pending.set(2, 0).set(3, 0);
    first.requested.set(0, 16_384);
    second.requested.set(16_384, 16_384);
    assert.deepEqual(peerStats(peer), {
      address: "192.0.2.1:6881",
      client: "Somebody 1.0",
      direction: "incoming",
      transports: ["tcp", "quic"],
      progress: 0.4,
      downRate: 0,
      upRate: 0,
      downloaded: 100,
      uploaded: 200,
      isChoking: false,
      isInterested: true,
      amChoking: true,
      amInterested: true,
      isSnubbed: false,
      isOptimistic: true,
      requestsToIt: 3,
      requestsFromIt: 2,
      hashFailures: 3,
    });
  });
});
