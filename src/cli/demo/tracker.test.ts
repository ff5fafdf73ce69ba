import assert from "node:assert/strict";
import { test } from "node:test";
import { announce } from "#/tracker/client/index.ts";
import { DemoTracker } from "./tracker.ts";

test("the tracker of the demo tells peers of each other, until they stop", async () => {
  await using tracker = await DemoTracker.open();
  const infoHash = new Uint8Array(20).fill(1);
  const ask = (
    port: number,
    more: { readonly left?: number; readonly event?: "started" | "stopped"; readonly infoHash?: Uint8Array } = {},
  ) => {
    const request = { infoHash, peerId: new Uint8Array(20).fill(port), port, uploaded: 0, downloaded: 0, left: 5, key: 1, ...more };
    return announce(tracker.url, request);
  };
  assert.deepEqual((await ask(1, { left: 0, event: "started" })).peers, []);
  const second = await ask(2);
  assert.deepEqual([second.peers, second.seeders, second.leechers], [[{ host: "127.0.0.1", port: 1 }], 1, 0]);
  assert.deepEqual((await ask(2)).peers, [{ host: "127.0.0.1", port: 1 }]);
  assert.deepEqual((await ask(3, { infoHash: new Uint8Array(20).fill(2) })).peers, []);
  assert.deepEqual((await ask(1, { event: "stopped" })).peers, []);
  assert.deepEqual((await ask(2)).peers, []);
  const bad = await (await fetch(`${tracker.url}?info_hash=x`)).text();
  assert.match(bad, /14:failure reason/);
  assert.equal((await fetch(tracker.url.replace("announce", "x"))).status, 404);
});
