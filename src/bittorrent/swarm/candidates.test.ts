import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#/base/random.ts";
import { Candidates, type ConnectionEnd } from "./candidates.ts";
import { peerPriority } from "./peer-priority.ts";

const MAX_CANDIDATES = 4000;
const create = (...addresses: readonly string[]): Candidates => {
  const candidates = new Candidates(seededRandom(1));
  for (const address of addresses) candidates.add(address, "tracker");
  return candidates;
};

/** Dials and fails (or whatever `how` says) at each moment it is allowed. @returns those moments */
function retries(candidates: Candidates, address: string, how: ConnectionEnd, count: number): number[] {
  const times: number[] = [];
  let now = 0;
  while (times.length < count) {
    const at = candidates.nextDialAt();
    if (at === undefined) break;
    now = Math.max(now, at);
    assert.equal(candidates.take(now - 1), times.length === 0 ? address : undefined, "not before its time");
    if (times.length === 0) candidates.closed(address, now, "unused");
    assert.equal(candidates.take(now), address);
    assert.equal(candidates.take(now), undefined, "busy");
    times.push(now);
    candidates.closed(address, now, how);
  }
  return times;
}

describe("Candidates", () => {
  test("an address that fails is tried again after longer and longer times, and then no more", () => {
    const times = retries(create("10.0.0.1:1"), "10.0.0.1:1", "failed", 20);
    assert.equal(times.length, 8);
    for (let i = 1; i < times.length; i++) {
      const wait = (times[i] as number) - (times[i - 1] as number);
      const want = 5000 * 2 ** (i - 1);
      assert.ok(wait >= 0.9 * want && wait <= 1.1 * want, `${i}. wait: ${wait} ms`);
    }
  });

  test("being named again gives a forgotten address one more try", () => {
    const candidates = create("10.0.0.1:1");
    retries(candidates, "10.0.0.1:1", "failed", 20);
    assert.equal(candidates.nextDialAt(), undefined);
    assert.equal(candidates.add("10.0.0.1:1", "tracker"), false);
    assert.equal(candidates.take(1e12), "10.0.0.1:1");
  });

  test("a peer that was there is tried again soon, each time", () => {
    const times = retries(create("10.0.0.1:1"), "10.0.0.1:1", "used", 10);
    for (let i = 1; i < times.length; i++) assert.ok((times[i] as number) - (times[i - 1] as number) <= 5500);
    assert.equal(times.length, 10);
  });

  test("one that has nothing for us waits half an hour, unless something is wanted again", () => {
    const candidates = create("10.0.0.1:1");
    candidates.take(0);
    candidates.closed("10.0.0.1:1", 0, "useless");
    assert.equal(candidates.take(1_700_000), undefined);
    candidates.usefulAgain();
    assert.equal(candidates.take(1000), "10.0.0.1:1");
  });

  test("fewest failures first, then the highest priority of BEP 40", () => {
    const candidates = new Candidates(seededRandom(1));
    candidates.addOwn("123.213.32.10:6881");
    const hosts = ["98.76.54.32", "4.3.2.1", "123.213.32.234", "77.1.2.3"];
    for (const host of hosts) candidates.add(`${host}:1`, "tracker");
    const rank = (host: string): number => peerPriority({ host, port: 1 }, { host: "123.213.32.10", port: 6881 });
    const best = hosts.toSorted((a, b) => rank(b) - rank(a));
    assert.equal(candidates.take(0), `${best[0]}:1`);
    candidates.closed(`${best[0]}:1`, 0, "failed");
    assert.deepEqual(
      [1, 2, 3, 4].map(() => candidates.take(1e6)),
      [...best.slice(1), best[0]].map((host) => `${host}:1`),
    );
  });

  test("our own address is never dialled", () => {
    const candidates = create("10.0.0.1:1");
    candidates.addOwn("10.0.0.1:1");
    assert.equal(candidates.add("10.0.0.1:1", "pex"), false);
    candidates.add("10.0.0.2:1", "tracker");
    candidates.forget("10.0.0.2:1");
    assert.equal(candidates.add("10.0.0.2:1", "tracker"), false);
    assert.equal(candidates.take(0), undefined);
  });

  test("a banned host is neither added nor dialled, at any port", () => {
    const candidates = create("10.0.0.1:1", "10.0.0.1:2", "10.0.0.2:1");
    candidates.ban("10.0.0.1");
    assert.deepEqual([candidates.isBanned("10.0.0.1:3"), candidates.isBanned("10.0.0.2:1")], [true, false]);
    assert.equal(candidates.add("10.0.0.1:3", "tracker"), false);
    assert.deepEqual([candidates.take(0), candidates.take(0)], ["10.0.0.2:1", undefined]);
  });

  test("a banned address leaves the other ports of its host alone", () => {
    const candidates = create("127.0.0.1:1", "127.0.0.1:2");
    candidates.ban("127.0.0.1:1");
    assert.deepEqual([candidates.take(0), candidates.take(0)], ["127.0.0.1:2", undefined]);
  });

  test("a peer that dialled us is not dialled where it listens until it has left", () => {
    const candidates = create("10.0.0.1:1");
    candidates.reachedFrom("10.0.0.1:1");
    candidates.reachedFrom("10.0.0.2:1");
    assert.equal(candidates.take(0), undefined);
    candidates.closed("10.0.0.2:1", 0, "unused");
    assert.equal(candidates.take(0), "10.0.0.2:1");
  });

  test("addresses are bounded: overfilled, those that failed make room and no others", () => {
    const candidates = new Candidates(seededRandom(1));
    for (let i = 0; i < MAX_CANDIDATES; i++) assert.equal(candidates.add(`10.${i >> 8}.${i & 255}.1:1`, "tracker"), true);
    assert.equal(candidates.add("11.0.0.1:1", "tracker"), false, "nobody failed");
    const failed = candidates.take(0) as string;
    candidates.closed(failed, 0, "failed");
    assert.equal(candidates.add("11.0.0.1:1", "tracker"), true);
    assert.equal(candidates.count, MAX_CANDIDATES);
    assert.equal([...candidates.addresses()].includes(failed), false);
  });

  test("bans are bounded too", () => {
    const candidates = new Candidates(seededRandom(1));
    for (let i = 0; i < MAX_CANDIDATES + 10; i++) candidates.ban(`10.${i >> 8}.${i & 255}.1`);
    assert.equal(candidates.isBanned("10.0.0.1:1"), true);
    assert.equal(candidates.isBanned(`10.${MAX_CANDIDATES >> 8}.${MAX_CANDIDATES & 255}.1:1`), false);
  });

  test("what is worth remembering for the next start: addresses that did not fail twice", () => {
    const candidates = create("10.0.0.1:1", "10.0.0.2:1");
    for (const now of [0, 1e6]) {
      candidates.take(now);
      candidates.take(now);
      candidates.closed("10.0.0.1:1", now, "failed");
      candidates.closed("10.0.0.2:1", now, "used");
    }
    assert.deepEqual([...candidates.addresses()], ["10.0.0.2:1"]);
  });
});
