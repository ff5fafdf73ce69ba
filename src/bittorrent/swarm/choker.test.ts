import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#/base/random.ts";
import { connect, createPeer } from "../../../test/recorded-peer.ts";
import { CHOKE_INTERVAL_MS, Choker } from "./choker.ts";
import type { Peer } from "./peer.ts";

const TICK_MS = 500;

/** A torrent's peers and the time. Each second a peer gives and takes as much as its rates say, the latter while unchoked. */
class Round {
  readonly peers: Peer[] = [];
  readonly choker: Choker;
  readonly gives = new Map<Peer, number>();
  readonly takes = new Map<Peer, number>();
  /** Ticks that each was unchoked for. */
  readonly served = new Map<Peer, number>();
  uploadLimit = 100_000;
  isSeeding = false;
  now = 0;
  chokes = 0;
  unchokes = 0;

  constructor(seed = 1) {
    this.choker = new Choker({
      random: seededRandom(seed),
      peers: () => this.peers,
      choke: () => {
        this.chokes++;
      },
      unchoke: () => {
        this.unchokes++;
      },
      uploadLimit: () => this.uploadLimit,
      uploadRate: () => 0,
    });
  }

  add(count: number, rates: (index: number) => { gives?: number; takes?: number } = () => ({})): Peer[] {
    const added = Array.from({ length: count }, (_, index) => {
      const peer = createPeer({ now: this.now });
      connect(peer);
      peer.amChoking = true;
      const { gives = 0, takes = 10_000 } = rates(index);
      this.gives.set(peer, gives);
      this.takes.set(peer, takes);
      return peer;
    });
    this.peers.push(...added);
    return added;
  }

  run(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now += TICK_MS) {
      for (const peer of this.peers) {
        peer.downloaded.add(((this.gives.get(peer) ?? 0) * TICK_MS) / 1000);
        if (!peer.amChoking) {
          peer.uploaded.add(((this.takes.get(peer) ?? 0) * TICK_MS) / 1000);
          this.served.set(peer, (this.served.get(peer) ?? 0) + 1);
        }
        peer.downloaded.tick(this.now);
        peer.uploaded.tick(this.now);
      }
      this.choker.tick(this.now, this.isSeeding);
    }
  }

  get unchoked(): Peer[] {
    return this.peers.filter((peer) => !peer.amChoking);
  }
}

describe("as a leecher", () => {
  test("those who give most are unchoked, and one more by chance", () => {
    const round = new Round();
    const peers = round.add(20, (index) => ({ gives: index * 1000 }));
    round.run(60_000);
    const { slots } = round.choker;
    assert.equal(round.unchoked.length, slots);
    const best = peers.slice(-(slots - Math.max(1, Math.floor(slots / 5))));
    for (const peer of best) assert.equal(peer.amChoking, false);
    assert.ok(round.unchoked.some((peer) => peer.isOptimistic && !best.includes(peer)));
  });

  test("the optimistic slot moves on every 30 s, and everybody has it in the end", () => {
    const round = new Round();
    const givers = round.add(6, () => ({ gives: 50_000 }));
    const others = round.add(6);
    const holders = new Set<Peer>();
    for (let i = 0; i < 60; i++) {
      round.run(30_000);
      for (const peer of round.unchoked) if (!givers.includes(peer)) holders.add(peer);
    }
    assert.equal(holders.size, others.length);
  });

  test("newcomers have the optimistic slot about three times as often", () => {
    let newcomers = 0;
    for (let seed = 0; seed < 400; seed++) {
      const round = new Round(seed);
      round.add(round.choker.slots - 1, () => ({ gives: 50_000 }));
      round.add(3);
      round.now = 100_000;
      const fresh = round.add(3);
      round.run(TICK_MS);
      const drawn = round.unchoked.filter((peer) => peer.isOptimistic);
      assert.equal(drawn.length, 1);
      if (fresh.includes(drawn[0] as Peer)) newcomers++;
    }
    assert.ok(newcomers > 260 && newcomers < 340, `${newcomers} of 400, 300 expected`);
  });

  test("a peer that fell silent has no place but the optimistic one; one without interest has none", () => {
    const round = new Round();
    const [silent, content] = round.add(2, () => ({ gives: 100_000 })) as [Peer, Peer];
    round.add(10, () => ({ gives: 1000 }));
    round.run(20_000);
    assert.equal(silent.amChoking, false);
    silent.isSnubbed = true;
    content.isInterested = false;
    round.run(CHOKE_INTERVAL_MS);
    assert.ok(silent.amChoking || silent.isOptimistic);
    assert.equal(content.amChoking, true);
  });
});

describe("as a seeder", () => {
  test("those who take fastest are unchoked", () => {
    const round = new Round();
    round.isSeeding = true;
    const peers = round.add(12, (index) => ({ takes: 1000 + index * 10_000 }));
    round.run(600_000);
    const served = peers.map((peer) => round.served.get(peer) ?? 0);
    const [slow, fast] = [served.slice(0, 3), served.slice(-3)].map((part) => part.reduce((a, b) => a + b));
    assert.ok((fast as number) > 2 * (slow as number), `${served}`);
  });

  test("peers of the same speed take turns: each is served a fair part of an hour", () => {
    const round = new Round();
    round.isSeeding = true;
    const peers = round.add(16);
    round.run(3_600_000);
    const served = peers.map((peer) => round.served.get(peer) ?? 0);
    const mean = served.reduce((a, b) => a + b) / served.length;
    for (const ticks of served) assert.ok(ticks > 0.4 * mean && ticks < 2 * mean, `${served}`);
  });

  test("nobody is choked while there are slots for all", () => {
    const round = new Round();
    round.isSeeding = true;
    const peers = round.add(3);
    round.run(600_000);
    assert.deepEqual([round.unchoked.length, round.chokes, round.unchokes], [peers.length, 0, peers.length]);
  });
});

describe("slots", () => {
  test("grow with the square root of what may be sent, within bounds", () => {
    const round = new Round();
    const slots = [1000, 100_000, 1_000_000, 10_000_000, 1e12].map((limit) => {
      round.uploadLimit = limit;
      return round.choker.slots;
    });
    assert.deepEqual([slots[0], slots.at(-1)], [4, 64]);
    assert.deepEqual(
      slots,
      slots.toSorted((a, b) => a - b),
    );
    assert.ok((slots[3] as number) > 2 * (slots[2] as number));
  });

  test("a peer that becomes interested gets a free slot at once, and none when all are taken", () => {
    const round = new Round();
    const peers = round.add(10);
    const { slots } = round.choker;
    for (const peer of peers) round.choker.interested(peer, 0);
    assert.equal(round.unchoked.length, slots);
    round.choker.interested(peers[0] as Peer, 0);
    assert.equal(round.unchokes, slots);
  });

  test("the choice is made anew only every ten seconds", () => {
    const round = new Round();
    round.add(10, (index) => ({ gives: index }));
    round.run(TICK_MS);
    const { unchokes } = round;
    round.add(10, (index) => ({ gives: 1000 * index }));
    round.run(CHOKE_INTERVAL_MS - 2 * TICK_MS);
    assert.deepEqual([round.unchokes, round.chokes], [unchokes, 0]);
    round.run(2 * TICK_MS);
    assert.ok(round.chokes > 0);
  });
});
