import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RateMeter } from "./rate-meter.ts";

function feed(meter: RateMeter, fromMs: number, toMs: number, bytesPerSecond: number): void {
  for (let now = fromMs; now < toMs; now += 50) {
    meter.tick(now);
    meter.add(bytesPerSecond / 20);
  }
  meter.tick(toMs);
}

describe("RateMeter", () => {
  test("shows a steady rate from the first half second on, and the total", () => {
    const meter = new RateMeter();
    feed(meter, 1000, 1500, 100_000);
    assert.equal(meter.rateBytesPerSecond, 100_000);
    feed(meter, 1500, 6000, 100_000);
    assert.ok(Math.abs(meter.rateBytesPerSecond - 100_000) < 100);
    assert.equal(meter.total, 500_000);
  });

  test("follows a change within a few seconds, without a jump", () => {
    const meter = new RateMeter();
    feed(meter, 0, 5000, 1_000_000);
    feed(meter, 5000, 5500, 0);
    assert.ok(meter.rateBytesPerSecond > 500_000);
    feed(meter, 5500, 11_000, 0);
    assert.ok(meter.rateBytesPerSecond < 30_000, `${meter.rateBytesPerSecond}`);
    feed(meter, 11_000, 40_000, 0);
    assert.equal(meter.rateBytesPerSecond, 0);
  });

  test("is zero before anything was measured, and does not care for ticks that come often", () => {
    const meter = new RateMeter();
    assert.deepEqual([meter.rateBytesPerSecond, meter.total], [0, 0]);
    meter.add(1000);
    for (let now = 0; now < 500; now++) meter.tick(now);
    assert.equal(meter.rateBytesPerSecond, 0);
    meter.tick(500);
    assert.equal(meter.rateBytesPerSecond, 2000);
  });
});
