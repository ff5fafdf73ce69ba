import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RateLimit, TokenBucket } from "./token-bucket.ts";

const WINDOW_MS = 10_000;

/** Bytes that pass in ten seconds when pieces of work of `chunk` bytes are tried every `everyMs`, as often as the bucket allows. */
function passed(bucket: TokenBucket | RateLimit, chunk: number, everyMs: number): number {
  let bytes = 0;
  for (let now = 1_000_000; now < 1_000_000 + WINDOW_MS; now += everyMs) {
    while (bucket.isOpen(now)) {
      bucket.take(chunk, now);
      bytes += chunk;
    }
  }
  return bytes;
}

describe("a limit holds within 5 % over 10 s", () => {
  for (const rate of [50_000, 1_000_000, 100_000_000]) {
    for (const part of [0.001, 0.02, 0.3]) {
      for (const everyMs of [1, 50, 100]) {
        const chunk = Math.round(rate * part);
        test(`${rate} bytes a second in pieces of ${chunk}, tried every ${everyMs} ms`, () => {
          const share = passed(new TokenBucket(rate), chunk, everyMs) / (rate * (WINDOW_MS / 1000));
          assert.ok(Math.abs(share - 1) <= 0.05, `${share}`);
        });
      }
    }
  }

  test("also when the calls come at uneven times", () => {
    const bucket = new TokenBucket(1_000_000);
    let bytes = 0;
    for (let now = 0, step = 7; now < WINDOW_MS; step = (step * 31) % 89, now += step + 1) {
      while (bucket.isOpen(now)) {
        bucket.take(20_000, now);
        bytes += 20_000;
      }
    }
    assert.ok(Math.abs(bytes / 10_000_000 - 1) <= 0.05, `${bytes}`);
  });
});

describe("TokenBucket", () => {
  test("without a limit is always open", () => {
    const bucket = new TokenBucket(Number.POSITIVE_INFINITY);
    bucket.take(1e15, 0);
    assert.equal(bucket.isOpen(0), true);
  });

  test("after a pause lets no more through at once than 0.1 s of the rate and one piece of work", () => {
    const bucket = new TokenBucket(1000);
    assert.equal(bucket.isOpen(3_600_000), true);
    bucket.take(100, 3_600_000);
    assert.equal(bucket.isOpen(3_600_000), false);
  });

  test("a debt keeps it closed until it is paid", () => {
    const bucket = new TokenBucket(1000);
    bucket.isOpen(1000);
    bucket.take(2100, 1000);
    assert.equal(bucket.isOpen(2999), false);
    assert.equal(bucket.isOpen(3001), true);
  });

  test("a changed rate counts from then on, without the earlier debt", () => {
    const bucket = new TokenBucket(1000);
    bucket.isOpen(1000);
    bucket.take(1_000_000, 1000);
    bucket.setRate(2000);
    assert.equal(bucket.isOpen(1001), true);
    assert.equal(bucket.rateBytesPerSecond, 2000);
    bucket.setRate(0);
    assert.equal(bucket.isOpen(1_000_000), false);
    bucket.setRate(Number.POSITIVE_INFINITY);
    assert.equal(bucket.isOpen(1_000_000), true);
  });
});

test("a RateLimit keeps the tightest of its buckets, and takes from all of them", () => {
  const client = new TokenBucket(1_000_000);
  const torrents = [new TokenBucket(300_000), new TokenBucket(Number.POSITIVE_INFINITY)].map((own) => new RateLimit([client, own]));
  const [limited, free] = torrents as [RateLimit, RateLimit];
  assert.equal(limited.rateBytesPerSecond, 300_000);
  assert.equal(free.rateBytesPerSecond, 1_000_000);
  const bytes = [0, 0];
  for (let now = 0; now < WINDOW_MS; now += 10) {
    for (const [i, limit] of torrents.entries()) {
      while (limit.isOpen(now)) {
        limit.take(5000, now);
        bytes[i] = (bytes[i] as number) + 5000;
      }
    }
  }
  assert.ok(Math.abs((bytes[0] as number) / 3_000_000 - 1) <= 0.05, `${bytes}`);
  assert.ok(Math.abs(((bytes[0] as number) + (bytes[1] as number)) / 10_000_000 - 1) <= 0.05, `${bytes}`);
});
