import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BLOCK_LENGTH } from "./block.ts";
import { DEFAULT_REQUEST_LIMIT, RequestPipeline } from "./pipeline.ts";

/**
 * A peer that sends at most `rate` and answers after `roundTripMs`: requests that fit are sent, blocks come, in steps of 1 ms.
 * @returns the depth at the end
 */
function run(pipeline: RequestPipeline, options: { rate: number; roundTripMs: number; seconds: number; from?: number }): number {
  const { rate, roundTripMs, seconds, from = 0 } = options;
  const arrivals: { readonly at: number; readonly sentAt: number }[] = [];
  let pending = 0;
  let sendsUntil = from;
  for (let now = from; now < from + seconds * 1000; now++) {
    while (arrivals[0] !== undefined && arrivals[0].at <= now) {
      const { sentAt } = arrivals.shift() as { at: number; sentAt: number };
      pending--;
      pipeline.blockReceived(BLOCK_LENGTH, now - sentAt);
    }
    while (pending < pipeline.depth) {
      pending++;
      sendsUntil = Math.max(sendsUntil, now + roundTripMs / 2) + (BLOCK_LENGTH * 1000) / rate;
      arrivals.push({ at: sendsUntil + roundTripMs / 2, sentAt: now });
    }
    if (now % 500 === 0) pipeline.tick(now);
  }
  return pipeline.depth;
}

describe("RequestPipeline", () => {
  test("starts small and doubles each round trip until the rate no longer grows", () => {
    const pipeline = new RequestPipeline();
    pipeline.limit = 2048;
    const start = pipeline.depth;
    assert.ok(start >= 4 && start <= 32);
    for (let i = 0; i < start; i++) pipeline.blockReceived(BLOCK_LENGTH, 100);
    assert.equal(pipeline.depth, 2 * start);
  });

  for (const rate of [200_000, 2_000_000, 20_000_000]) {
    for (const roundTripMs of [2, 100]) {
      test(`at ${rate} bytes a second and ${roundTripMs} ms holds 1 to 3 s of requests, and reaches the rate`, () => {
        const pipeline = new RequestPipeline();
        pipeline.limit = 2048;
        const depth = run(pipeline, { rate, roundTripMs, seconds: 10 });
        const seconds = (depth * BLOCK_LENGTH) / rate;
        assert.ok(seconds >= 1 && seconds < 3.5, `${depth} requests are ${seconds} s`);
        assert.ok(Math.abs(pipeline.rateBytesPerSecond / rate - 1) < 0.1, `${pipeline.rateBytesPerSecond}`);
      });
    }
  }

  test("follows a rate that falls and grows again", () => {
    const pipeline = new RequestPipeline();
    pipeline.limit = 2048;
    const fast = run(pipeline, { rate: 5_000_000, roundTripMs: 50, seconds: 8 });
    const slow = run(pipeline, { rate: 100_000, roundTripMs: 50, seconds: 60, from: 8000 });
    assert.ok(slow < fast / 10, `${fast} → ${slow}`);
    const again = run(pipeline, { rate: 5_000_000, roundTripMs: 50, seconds: 10, from: 68_000 });
    assert.ok(again > 0.7 * fast, `${fast} → ${slow} → ${again}`);
  });

  test("never passes what the peer accepts (reqq), nor what it is taken to accept before it says so", () => {
    const pipeline = new RequestPipeline();
    for (let i = 0; i < 5000; i++) pipeline.blockReceived(BLOCK_LENGTH, 10);
    assert.equal(pipeline.depth, DEFAULT_REQUEST_LIMIT);
    pipeline.limit = 7;
    assert.equal(pipeline.depth, 7);
    pipeline.limit = 1_000_000;
    assert.ok(pipeline.depth <= 2048);
  });

  test("asks for one block at a time after a silence, until blocks come again", () => {
    const pipeline = new RequestPipeline();
    run(pipeline, { rate: 1_000_000, roundTripMs: 50, seconds: 3 });
    pipeline.snub();
    assert.equal(pipeline.depth, 1);
    for (let now = 3000; now < 60_000; now += 500) pipeline.tick(now);
    assert.equal(pipeline.depth, 1);
    const depth = run(pipeline, { rate: 1_000_000, roundTripMs: 50, seconds: 8, from: 60_000 });
    assert.ok((depth * BLOCK_LENGTH) / 1_000_000 >= 1, `${depth}`);
  });
});
