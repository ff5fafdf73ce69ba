import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#/base/random.ts";
import { type AnnounceResponse, TrackerError } from "../protocol/index.ts";
import { AnnounceSchedule } from "./schedule.ts";

const MINUTE = 60_000;

function schedule(tiers: readonly (readonly string[])[], options: { exclusive?: boolean; seed?: number } = {}) {
  const machine = new AnnounceSchedule({ tiers, exclusive: options.exclusive ?? false, random: seededRandom(options.seed ?? 1) });
  machine.start();
  return machine;
}

const response = (fields: Partial<AnnounceResponse> = {}): AnnounceResponse => ({ intervalSeconds: 1800, peers: [], ...fields });

function due(machine: AnnounceSchedule, now: number): string[] {
  const urls: string[] = [];
  for (let url = machine.poll(now); url !== undefined; url = machine.poll(now)) urls.push(url);
  return urls;
}

function answer(machine: AnnounceSchedule, url: string, now: number, fields?: Partial<AnnounceResponse>) {
  const order = machine.begin(url, 4);
  machine.answered(url, 4, response(fields), now);
  machine.finished(url, undefined, now);
  return order;
}

function fail(machine: AnnounceSchedule, url: string, now: number, error: unknown = new Error("dead")): void {
  machine.begin(url, 4);
  machine.legFailed(url, 4);
  machine.finished(url, error, now);
}

const state = (machine: AnnounceSchedule, url: string) => machine.status().find((status) => status.url === url)?.state;

describe("when and to whom to announce", () => {
  test("to one tracker of each tier at once, when it starts", () => {
    const machine = schedule([["a1", "a2"], ["b"], ["c"]]);
    const first = due(machine, 0);
    assert.deepEqual([first.length, first[1], first[2]], [3, "b", "c"]);
    assert.match(first[0] ?? "", /^a[12]$/);
  });

  test("not before it starts, not after it stops, and anew when it starts again", () => {
    const machine = new AnnounceSchedule({ tiers: [["a"]], exclusive: false, random: seededRandom(1) });
    assert.deepEqual([machine.poll(0), machine.nextTimeout()], [undefined, undefined]);
    machine.start();
    due(machine, 0);
    answer(machine, "a", 0);
    machine.stop();
    assert.deepEqual([machine.poll(10 * MINUTE * 60), machine.nextTimeout()], [undefined, undefined]);
    machine.start();
    assert.deepEqual(due(machine, 1), ["a"]);
    assert.equal(machine.begin("a", 4)?.event, "started");
  });

  test("each tier is shuffled, and only within itself", () => {
    const tier = ["a", "b", "c", "d"];
    const orders = new Set<string>();
    for (let seed = 0; seed < 20; seed++) {
      const urls = schedule([tier, ["z"]], { seed })
        .status()
        .map((status) => status.url);
      assert.equal(urls[4], "z");
      orders.add(urls.slice(0, 4).join(""));
    }
    assert.ok(orders.size > 5, `${orders.size} orders in 20 shuffles`);
  });

  test("one that failed makes way for the next of its tier at once, and the one that answered moves to the front", () => {
    const machine = schedule([["a", "b", "c"]]);
    const [first = ""] = due(machine, 0);
    fail(machine, first, 100);
    const [second = ""] = due(machine, 100);
    assert.notEqual(second, first);
    answer(machine, second, 200);
    assert.deepEqual(due(machine, 200), []);
    assert.equal(machine.status()[0]?.url, second);
    assert.equal(machine.nextTimeout(), 200 + 30 * MINUTE);
    assert.deepEqual(due(machine, 200 + 30 * MINUTE), [second]);
  });

  test("a silent tier does not hold up the others, nor a silent tracker the next of its tier for more than 5 s", () => {
    const machine = schedule([["a", "b"], ["z"]]);
    const [silent = ""] = due(machine, 0);
    answer(machine, "z", 10);
    assert.deepEqual(due(machine, 4999), []);
    assert.equal(machine.nextTimeout(), 5000);
    const [other = ""] = due(machine, 5000);
    assert.deepEqual(new Set([silent, other]), new Set(["a", "b"]));
    answer(machine, other, 5010);
    machine.begin(silent, 4);
    machine.answered(silent, 4, response(), 6000); // late, but it heard us
    assert.equal(machine.status()[0]?.url, other, "the first to answer stays in front");
    assert.deepEqual(new Set(machine.stop().map((farewell) => farewell.url)), new Set(["a", "b", "z"]));
  });

  test("one that keeps failing waits 15 s · 2^n, 25 % more or less, up to half an hour", () => {
    const machine = schedule([["a"]]);
    let now = 0;
    const waits: number[] = [];
    for (let i = 0; i < 12; i++) {
      assert.deepEqual(due(machine, now), ["a"]);
      fail(machine, "a", now);
      const next = machine.nextTimeout() ?? assert.fail("it tries again");
      waits.push((next - now) / 1000);
      now = next;
    }
    waits.forEach((wait, i) => {
      const want = Math.min(15 * 2 ** i, 1800);
      assert.ok(wait >= want * 0.75 && wait <= want * 1.25, `wait ${i} is ${wait} s, want about ${want}`);
    });
    assert.equal(new Set(waits.slice(-4)).size, 4, "jitter");
  });

  test("an answer ends the back-off", () => {
    const machine = schedule([["a"]]);
    for (const now of [0, MINUTE, 2 * MINUTE]) {
      due(machine, now);
      fail(machine, "a", now);
    }
    due(machine, 10 * MINUTE);
    answer(machine, "a", 10 * MINUTE);
    due(machine, 40 * MINUTE);
    fail(machine, "a", 40 * MINUTE);
    assert.ok((machine.nextTimeout() ?? 0) <= 40 * MINUTE + 15_000 * 1.25);
  });

  const intervals: { name: string; fields: Partial<AnnounceResponse>; seconds: number }[] = [
    { name: "what the tracker says", fields: { intervalSeconds: 900 }, seconds: 900 },
    { name: "at least 30 s", fields: { intervalSeconds: 0 }, seconds: 30 },
    { name: "at most an hour when no minimum is given", fields: { intervalSeconds: 86_400 }, seconds: 3600 },
    { name: "never under the minimum", fields: { intervalSeconds: 10, minIntervalSeconds: 120 }, seconds: 120 },
    { name: "more than an hour when the minimum is", fields: { intervalSeconds: 10, minIntervalSeconds: 7200 }, seconds: 7200 },
    { name: "at most a day whatever the minimum is", fields: { minIntervalSeconds: 2 ** 31 - 1 }, seconds: 86_400 },
  ];
  for (const { name, fields, seconds } of intervals) {
    test(`the interval is ${name}`, () => {
      const machine = schedule([["a"]]);
      due(machine, 0);
      answer(machine, "a", 1000, fields);
      assert.equal(machine.nextTimeout(), 1000 + seconds * 1000);
    });
  }

  test("by hand: not before the minimum interval, nor within 5 s of a failure, nor before the time a tracker asked for", () => {
    const refusal = new TrackerError("TRACKER_FAILURE", "no", { fault: "remote", retryInSeconds: 600 });
    const machine = schedule([["a"], ["b"], ["c"]]);
    due(machine, 0);
    answer(machine, "a", 0, { minIntervalSeconds: 60 });
    fail(machine, "b", 0);
    fail(machine, "c", 0, refusal);
    machine.announceNow(1000);
    assert.deepEqual(due(machine, 4999), []);
    assert.deepEqual(due(machine, 5000), ["b"]);
    assert.deepEqual(due(machine, 59_999), []);
    assert.deepEqual(due(machine, 60_000), ["a"]);
    assert.deepEqual(due(machine, 599_999), []);
    assert.deepEqual(due(machine, 600_000), ["c"]);
  });

  test("a time that a tracker asked for outlives stop and start; never means never", () => {
    const machine = schedule([["a"], ["b"]]);
    due(machine, 0);
    fail(machine, "a", 0, new TrackerError("TRACKER_FAILURE", "no", { fault: "remote", retryInSeconds: 600 }));
    fail(machine, "b", 0, new TrackerError("TRACKER_FAILURE", "no", { fault: "remote", retryInSeconds: Number.POSITIVE_INFINITY }));
    machine.stop();
    machine.start();
    assert.deepEqual(due(machine, 599_999), []);
    assert.deepEqual(due(machine, 600_000), ["a"]);
    fail(machine, "a", 600_000);
    assert.ok((machine.nextTimeout() ?? 0) < 700_000);
    assert.deepEqual(due(machine, Number.MAX_SAFE_INTEGER), ["a"]);
  });

  test("a URL that cannot be used is left alone, and the next of its tier is used", () => {
    const machine = schedule([["a", "b"]]);
    const [bad = ""] = due(machine, 0);
    fail(machine, bad, 0, new TrackerError("TRACKER_UNSUPPORTED_SCHEME", "wss", { fault: "local" }));
    assert.equal(state(machine, bad), "disabled");
    const [good = ""] = due(machine, 0);
    answer(machine, good, 0);
    machine.announceNow(MINUTE);
    assert.deepEqual(due(machine, MINUTE), [good]);
  });

  test("a URL that stands in two tiers is announced to once, and those beyond 100 are left out", () => {
    const machine = schedule([["a"], ["a", "b"], [], Array.from({ length: 200 }, (_, i) => `t${i}`)]);
    assert.deepEqual(due(machine, 0).slice(0, 2), ["a", "b"]);
    assert.equal(machine.status().length, 100);
  });
});

describe("a private torrent", () => {
  test("uses one tracker at a time, tier by tier, and goes back to the first tier when it can", () => {
    const machine = schedule([["a"], ["b"], ["c"]], { exclusive: true });
    assert.deepEqual(due(machine, 0), ["a"]);
    assert.deepEqual(due(machine, MINUTE), [], "however long it is silent");
    fail(machine, "a", MINUTE);
    assert.deepEqual(due(machine, MINUTE), ["b"]);
    answer(machine, "b", MINUTE);
    assert.deepEqual(due(machine, 30 * MINUTE), []);
    assert.deepEqual(due(machine, 31 * MINUTE), ["a"]);
    answer(machine, "a", 31 * MINUTE);
    assert.deepEqual(due(machine, 61 * MINUTE), ["a"]);
  });
});

describe("what an announce says", () => {
  test("started until it was heard, then nothing, completed once, stopped to those that heard started", () => {
    const machine = schedule([["a"], ["b"]]);
    due(machine, 0);
    fail(machine, "a", 0);
    assert.equal(answer(machine, "b", 0)?.event, "started");
    due(machine, MINUTE);
    assert.equal(machine.begin("a", 4)?.event, "started");
    machine.legFailed("a", 4);
    machine.finished("a", new Error("dead"), MINUTE);

    machine.completed(MINUTE + 1);
    assert.deepEqual(due(machine, MINUTE + 1), ["b"], "at once");
    assert.equal(answer(machine, "b", MINUTE + 1)?.event, "completed");
    due(machine, 40 * MINUTE);
    assert.equal(answer(machine, "b", 40 * MINUTE)?.event, undefined);
    assert.deepEqual(machine.stop(), [{ url: "b", family: 4, trackerId: undefined }]);
    assert.deepEqual(machine.stop(), []);
  });

  test("completed is repeated until it was heard", () => {
    const machine = schedule([["a"]]);
    due(machine, 0);
    answer(machine, "a", 0);
    machine.completed(MINUTE);
    due(machine, MINUTE);
    assert.equal(machine.begin("a", 4)?.event, "completed");
    machine.legFailed("a", 4);
    machine.finished("a", new Error("dead"), MINUTE);
    due(machine, 2 * MINUTE);
    assert.equal(machine.begin("a", 4)?.event, "completed");
  });

  test("a download that ends while started is under way says completed right after", () => {
    const machine = schedule([["a"]]);
    due(machine, 0);
    assert.equal(machine.begin("a", 4)?.event, "started");
    machine.completed(10);
    machine.answered("a", 4, response(), 20);
    machine.finished("a", undefined, 20);
    assert.deepEqual(due(machine, 20), ["a"]);
    assert.equal(machine.begin("a", 4)?.event, "completed");
  });

  test("a tracker met after the end of the download never hears completed", () => {
    const machine = schedule([["a"]]);
    due(machine, 0);
    fail(machine, "a", 0);
    machine.completed(1);
    due(machine, MINUTE);
    assert.equal(answer(machine, "a", MINUTE)?.event, "started");
    assert.deepEqual(due(machine, MINUTE), []);
  });

  test("the tracker's id goes back to it, by family, also in the goodbye", () => {
    const machine = schedule([["a"]]);
    const trackerId = Uint8Array.of(1, 2);
    due(machine, 0);
    answer(machine, "a", 0, { trackerId });
    due(machine, 30 * MINUTE);
    assert.deepEqual(answer(machine, "a", 30 * MINUTE)?.trackerId, trackerId, "kept when an answer has none");
    assert.equal(machine.begin("a", 6)?.trackerId, undefined);
    assert.deepEqual(machine.stop(), [{ url: "a", family: 4, trackerId }]);
  });
});

describe("the two families of one tracker", () => {
  test("count as one tracker, which works when one of them is answered, and each hears started", () => {
    const machine = schedule([["a"]]);
    due(machine, 0);
    assert.equal(machine.begin("a", 4)?.event, "started");
    assert.equal(machine.begin("a", 6)?.event, "started");
    machine.answered("a", 4, response({ seeders: 1, leechers: 9, peers: [{ host: "1.2.3.4", port: 5 }] }), 10);
    machine.legFailed("a", 6);
    machine.finished("a", new Error("no route"), 20);
    assert.equal(state(machine, "a"), "working");
    assert.deepEqual(due(machine, 29 * MINUTE), []);
    due(machine, 31 * MINUTE);
    assert.equal(machine.begin("a", 4)?.event, undefined);
    assert.equal(machine.begin("a", 6)?.event, "started");
    machine.answered("a", 6, response({ seeders: 3, leechers: 2, peers: [{ host: "::1", port: 5 }] }), 31 * MINUTE);
    machine.answered("a", 4, response({ seeders: 2, leechers: 4, peers: [{ host: "1.2.3.4", port: 5 }] }), 31 * MINUTE + 5);
    machine.finished("a", undefined, 31 * MINUTE + 5);
    const [status] = machine.status();
    assert.deepEqual([status?.seeders, status?.leechers, status?.peers], [3, 4, 2]);
    assert.equal(status?.nextAnnounceAt, 61 * MINUTE);
    assert.deepEqual(
      machine.stop().map((farewell) => farewell.family),
      [4, 6],
    );
  });

  test("a family that is still waiting is not announced over twice", () => {
    const machine = schedule([["a"]]);
    due(machine, 0);
    machine.begin("a", 4);
    machine.begin("a", 6);
    machine.answered("a", 4, response({ intervalSeconds: 30 }), 0);
    due(machine, 30_000);
    assert.equal(machine.begin("a", 6), undefined);
    assert.equal(machine.begin("a", 4)?.event, undefined);
  });
});

test("the status of a tracker follows it", () => {
  const machine = schedule([["a"]]);
  assert.deepEqual(machine.status(), [
    {
      url: "a",
      tier: 0,
      state: "idle",
      lastError: undefined,
      nextAnnounceAt: undefined,
      seeders: undefined,
      leechers: undefined,
      peers: undefined,
    },
  ]);
  due(machine, 0);
  assert.equal(state(machine, "a"), "announcing");
  fail(machine, "a", 0, new TrackerError("TRACKER_TIMEOUT", "slow", { fault: "remote" }));
  const [status] = machine.status();
  assert.equal(status?.state, "failing");
  assert.deepEqual(status.lastError, { code: "TRACKER_TIMEOUT", message: "slow [TRACKER_TIMEOUT]" });
  assert.equal(status.nextAnnounceAt, machine.nextTimeout());
});
