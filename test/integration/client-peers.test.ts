import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import { createLogger, type Torrent } from "#/client/index.ts";
import { addressOf, JumpingClock, openClient, openSeeder, Sample, temporaryFolder, until } from "./bed.ts";
import { RawListener, RawPeer } from "./raw-peer.ts";

const timeout = 20_000;

/** Reasons why handshakes failed, as they are logged. */
function failedHandshakes() {
  const reasons: string[] = [];
  const logger = createLogger("debug", ({ message, fields }) => {
    if (message.endsWith("handshake failed")) reasons.push(String(fields["reason"]));
  });
  return { reasons, logger };
}

/** Codes of the peers that a torrent let go, as they come. */
function closeCodes(torrent: Torrent): string[] {
  const codes: string[] = [];
  torrent.on("peerClosed", ({ code }) => codes.push(code));
  return codes;
}

async function openListening(t: TestContext, sample: Sample, options: Parameters<typeof openClient>[1] = {}) {
  const client = await openClient(t, { output: await temporaryFolder(t), ...options });
  const torrent = await client.add(sample.bytes);
  await torrent.whenChecked();
  return { client, torrent, address: addressOf(client) };
}

describe("connections to ourselves", { timeout }, () => {
  test("are found by both ends, and not dialled again", async (t) => {
    const sample = new Sample();
    const { reasons, logger } = failedHandshakes();
    const clock = new JumpingClock();
    const { client, torrent, address } = await openListening(t, sample, { logger, clock });
    assert.equal(torrent.addPeers([address]), 1);
    await until(() => reasons.length === 2);
    for (const reason of reasons) assert.match(reason, /PEER_SELF/);
    assert.equal(torrent.addPeers([address]), 0);
    clock.offsetMs += 3_600_000;
    const seeder = await openSeeder(t, sample);
    torrent.addPeers([seeder.address]);
    await torrent.whenComplete();
    assert.equal(torrent.stats().counters.dialsStarted, 2);
    assert.equal(client.stats().peers, 0);
  });
});

describe("two connections to one peer", { timeout }, () => {
  test("a peer that dials twice is refused the second time", async (t) => {
    const sample = new Sample();
    const { reasons, logger } = failedHandshakes();
    const { client, address } = await openListening(t, sample, { logger });
    const first = await RawPeer.dial(t, address, { sample });
    await first.until(() => first.hasHandshake);
    const second = await RawPeer.dial(t, address, { sample, peerId: first.peerId });
    await second.closed();
    assert.ok(!second.hasHandshake);
    assert.match(reasons.join(), /PEER_DUPLICATE/);
    first.send({ type: "haveNone" }, { type: "interested" });
    await first.until(() => first.of("unchoke").length > 0);
    assert.equal(client.stats().peers, 1);
  });

  test("two clients that dial each other keep one connection", async (t) => {
    const sample = new Sample({ length: 2_000_000 });
    for (let round = 0; round < 5; round++) {
      const seeder = await openSeeder(t, sample, {}, { upRate: 1_000_000 });
      const leecher = await openListening(t, sample);
      seeder.torrent.addPeers([leecher.address]);
      leecher.torrent.addPeers([seeder.address]);
      while (leecher.torrent.have.count < 5) await once(leecher.torrent, "pieceVerified");
      assert.equal(leecher.client.stats().peers, 1);
      assert.equal(seeder.client.stats().peers, 1);
      seeder.torrent.setLimits({ upRate: Number.POSITIVE_INFINITY });
      await leecher.torrent.whenComplete();
      await Promise.all([seeder.client.close(), leecher.client.close()]);
    }
  });

  test("one peer under two addresses is connected once", async (t) => {
    const sample = new Sample();
    const seeder = await openSeeder(t, sample, { hosts: ["127.0.0.1", "::1"] }, { upRate: 200_000 });
    const { client, torrent } = await openListening(t, sample);
    torrent.addPeers([addressOf(seeder.client), addressOf(seeder.client, "::1")]);
    await until(() => torrent.stats().counters.handshakesFailed === 1);
    assert.equal(client.stats().peers, 1);
    assert.equal(torrent.stats().counters.dialsStarted, 2);
    seeder.torrent.setLimits({ upRate: Number.POSITIVE_INFINITY });
    await torrent.whenComplete();
  });
});

describe("limits", { timeout }, () => {
  test("sockets that never shake hands fill the client up to its limit of peers, no further, and are dropped in time", async (t) => {
    const sample = new Sample();
    const { reasons, logger } = failedHandshakes();
    const clock = new JumpingClock();
    const { client, torrent, address } = await openListening(t, sample, { maxPeers: 10, logger, clock });
    const raw = await Promise.all(Array.from({ length: 25 }, () => RawPeer.connect(t, address, { sample })));
    await until(() => raw.filter(({ isClosed }) => isClosed).length === 15);
    assert.equal(client.stats().handshakes, 10);
    assert.equal(client.stats().counters.handshakesFailed, 15);
    clock.offsetMs += 9_000;
    const open = raw.filter(({ isClosed }) => !isClosed);
    open[0]?.sendBytes(Buffer.from("\x13BitTorrent protocol"));
    clock.offsetMs += 2_000;
    await Promise.all(open.map((peer) => peer.closed()));
    assert.equal(client.stats().handshakes, 0);
    assert.equal(reasons.filter((reason) => reason.includes("PEER_HANDSHAKE_TIMEOUT")).length, 10);
    const peer = await RawPeer.dial(t, address, { sample });
    await peer.until(() => peer.hasHandshake);
    assert.equal(torrent.stats().peers.connected, 1);
  });

  test("beyond 200 waiting handshakes further sockets are closed at once", async (t) => {
    const sample = new Sample();
    const { client, address } = await openListening(t, sample);
    const raw = await Promise.all(Array.from({ length: 230 }, () => RawPeer.connect(t, address, { sample })));
    await until(() => raw.filter(({ isClosed }) => isClosed).length === 30);
    assert.equal(client.stats().handshakes, 200);
  });

  test("a dialled peer that never answers is dropped in time and tried again later", async (t) => {
    const sample = new Sample();
    const { reasons, logger } = failedHandshakes();
    const clock = new JumpingClock();
    const { torrent } = await openListening(t, sample, { logger, clock });
    const silent = await RawListener.open(t, { sample });
    torrent.addPeers([silent.address]);
    await until(() => silent.peers.length === 1);
    clock.offsetMs += 11_000;
    await silent.peers[0]?.closed();
    assert.match(reasons.join(), /PEER_HANDSHAKE_TIMEOUT/);
    assert.equal(torrent.stats().counters.dialsStarted, 1);
    clock.offsetMs += 6_000;
    await until(() => silent.peers.length === 2);
  });

  test("the limit of peers of one torrent holds for those that dial in and those that are dialled", async (t) => {
    const sample = new Sample();
    const { reasons, logger } = failedHandshakes();
    const { client, torrent, address } = await openListening(t, sample, { maxPeersPerTorrent: 5, logger });
    const raw = await Promise.all(Array.from({ length: 12 }, () => RawPeer.dial(t, address, { sample })));
    for (const peer of raw) peer.send({ type: "haveNone" }, { type: "interested" });
    await until(() => raw.filter(({ isClosed }) => isClosed).length === 7);
    assert.equal(client.stats().peers, 5);
    assert.equal(reasons.filter((reason) => reason.includes("PEER_LIMIT")).length, 7);
    const seeder = await openSeeder(t, sample);
    torrent.addPeers([seeder.address]);
    assert.equal(torrent.stats().counters.dialsStarted, 0);
    raw.find(({ isClosed }) => !isClosed)?.socket.destroy();
    await torrent.whenComplete();
  });

  test("no more connections are opened at a time than allowed, nor beyond the limit of peers", async (t) => {
    const sample = new Sample();
    const clock = new JumpingClock();
    const { client, torrent } = await openListening(t, sample, { maxHalfOpen: 3, maxPeers: 8, clock });
    const silent = await Promise.all(Array.from({ length: 20 }, () => RawListener.open(t, { sample })));
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, client.stats().halfOpen);
    }, 1);
    t.after(() => clearInterval(watch));
    torrent.addPeers(silent.map(({ address }) => address));
    most = Math.max(most, client.stats().halfOpen);
    await until(() => client.stats().handshakes === 8);
    assert.equal(torrent.stats().counters.dialsStarted, 8);
    clock.offsetMs += 11_000;
    await until(() => torrent.stats().counters.dialsStarted === 16);
    await until(() => client.stats().handshakes === 8);
    assert.ok(most <= 3, `${most} half open`);
  });
});

describe("what a handshake may say", { timeout }, () => {
  test("a torrent that is not here", async (t) => {
    const { reasons, logger } = failedHandshakes();
    const { address } = await openListening(t, new Sample(), { logger });
    const peer = await RawPeer.dial(t, address, { sample: new Sample({ seed: 9 }) });
    await peer.closed();
    assert.ok(!peer.hasHandshake);
    assert.match(reasons.join(), /PEER_UNKNOWN_TORRENT/);
  });

  test("another torrent than it was dialled for", async (t) => {
    const sample = new Sample();
    const { reasons, logger } = failedHandshakes();
    const { torrent } = await openListening(t, sample, { logger });
    const other = new Sample({ seed: 9 });
    const listener = await RawListener.open(t, { sample: other, onPeer: (peer) => peer.sendHandshake() });
    torrent.addPeers([listener.address]);
    await until(() => reasons.length === 1);
    assert.match(reasons.join(), /PEER_WRONG_TORRENT/);
  });

  test("a peer that leaves is an event with a code, and the torrent goes on", async (t) => {
    const sample = new Sample();
    const { torrent, address } = await openListening(t, sample);
    const codes = closeCodes(torrent);
    const connected = once(torrent, "peerConnected");
    const peer = await RawPeer.dial(t, address, { sample });
    assert.equal((await connected)[0].direction, "incoming");
    await peer.until(() => peer.hasHandshake);
    assert.equal(peer.extension?.version, "Freshet 0.1.0");
    assert.equal(peer.extension?.requestQueue, 2048);
    const closed = once(torrent, "peerClosed");
    peer.socket.resetAndDestroy();
    await closed;
    assert.deepEqual(codes, ["PEER_CLOSED"]);
    assert.equal(torrent.state, "downloading");
  });
});
