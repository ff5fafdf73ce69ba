import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { tryParseEndpoint } from "#/base/ip.ts";
import { JumpingClock, openClient, openSeeder, Sample, temporaryFolder, until } from "./bed.ts";
import { HttpTracker } from "./http-tracker.ts";
import { RawListener } from "./raw-peer.ts";

const timeout = 20_000;

function endpointOf(address: string) {
  return tryParseEndpoint(address) ?? assert.fail(address);
}

describe("trackers", { timeout }, () => {
  test("a tracker that names us and others: we find the others and do not dial ourselves again", async (t) => {
    const tracker = await HttpTracker.open(t);
    const sample = new Sample({ trackers: [[tracker.url]] });
    const seeder = await openSeeder(t, sample, { hosts: ["127.0.0.1", "::1"] });
    const clock = new JumpingClock();
    const output = await temporaryFolder(t);
    const client = await openClient(t, { output, clock, hosts: ["127.0.0.1", "::1"] });
    tracker.peers = [...client.endpoints];
    const torrent = await client.add(sample.bytes);
    await until(() => torrent.stats().counters.handshakesFailed === 2); // one of each family
    const { dialsStarted } = torrent.stats().counters;
    assert.equal(dialsStarted, 2);
    tracker.peers = [...client.endpoints, ...seeder.client.endpoints];
    const heard = tracker.heard.length;
    clock.offsetMs += 1_900_000;
    torrent.announce();
    await tracker.heardTimes(heard + 1);
    await torrent.whenComplete();
    await sample.assertIn(output);
    assert.ok(torrent.stats().counters.dialsStarted <= dialsStarted + 2);
    assert.deepEqual(torrent.peers(), []);
  });

  test("hear started, completed and stopped, each with the right counts", async (t) => {
    const tracker = await HttpTracker.open(t);
    const sample = new Sample({ trackers: [[tracker.url]] });
    const seeder = await openSeeder(t, sample, {}, { useTrackers: false });
    assert.deepEqual(tracker.heard, []);
    tracker.peers = [endpointOf(seeder.address)];
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(sample.bytes);
    await torrent.whenComplete();
    const completed = await tracker.heardEvent("completed");
    await client.close();
    const stopped = await tracker.heardEvent("stopped");
    const { port } = client;
    const length = sample.content.byteLength;
    assert.deepEqual(tracker.heard, [
      { event: "started", port, uploaded: 0, downloaded: 0, left: length },
      { event: "completed", port, uploaded: 0, downloaded: length, left: 0 },
      { event: "stopped", port, uploaded: 0, downloaded: length, left: 0 },
    ]);
    assert.deepEqual([completed, stopped], tracker.heard.slice(1));
  });

  test("a torrent that was whole when it started never says that it completed", async (t) => {
    const tracker = await HttpTracker.open(t);
    const seeder = await openSeeder(t, new Sample({ trackers: [[tracker.url]] }));
    await until(() => seeder.torrent.trackers().every(({ state }) => state !== "announcing"));
    assert.equal(tracker.heard.length, 1);
    await seeder.torrent.pause();
    await seeder.torrent.resume();
    await tracker.heardTimes(3);
    await until(() => seeder.torrent.trackers().every(({ state }) => state !== "announcing"));
    await seeder.client.close();
    assert.deepEqual(
      tracker.heard.map(({ event, left }) => [event, left]),
      ["started", "stopped", "started", "stopped"].map((event) => [event, 0]),
    );
  });

  test("goodbyes to trackers that never answer take two seconds at most, for all torrents together", async (t) => {
    const trackers = [await HttpTracker.open(t), await HttpTracker.open(t), await HttpTracker.open(t)];
    const client = await openClient(t, { output: await temporaryFolder(t) });
    for (const [i, tracker] of trackers.entries()) {
      await client.add(new Sample({ seed: i, trackers: [[tracker.url]] }).bytes);
      await tracker.heardEvent("started");
    }
    await until(() => client.torrents.every((torrent) => torrent.trackers().every(({ state }) => state !== "announcing")));
    for (const tracker of trackers) tracker.answers = false;
    const before = performance.now();
    await client.close();
    const took = performance.now() - before;
    for (const tracker of trackers) assert.equal(tracker.heard.at(-1)?.event, "stopped");
    assert.ok(took > 1900 && took < 4000, `closing took ${took} ms`);
  });

  test("a tracker that never answered its first announce is not waited for", async (t) => {
    const tracker = await HttpTracker.open(t);
    tracker.answers = false;
    const client = await openClient(t, { output: await temporaryFolder(t) });
    await client.add(new Sample({ trackers: [[tracker.url]] }).bytes);
    await tracker.heardEvent("started");
    const before = performance.now();
    await client.close();
    assert.ok(performance.now() - before < 2500);
  });

  test("a tracker that fails is an event with a code", async (t) => {
    const server = createServer((socket) => socket.end("nonsense\r\n\r\n")).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/announce`;
    const client = await openClient(t, { output: await temporaryFolder(t) });
    const torrent = await client.add(new Sample().bytes, { trackers: [url] });
    const [event] = await once(torrent, "tracker");
    assert.equal(event.type, "failed");
    assert.match(event.error.code, /^TRACKER_/);
    assert.equal(torrent.state, "downloading");
  });
});

describe("after a client is closed", { timeout }, () => {
  test("nothing of it keeps the process", async (t) => {
    const tracker = await HttpTracker.open(t);
    const sample = new Sample({ trackers: [[tracker.url]] });
    const seeder = await RawListener.seeder(t, sample);
    tracker.peers = [endpointOf(seeder.address)];
    const program = `
      import { Client } from "#/client/index.ts";
      const client = await Client.open({ hosts: ["127.0.0.1", "::1"], ports: [0], output: process.argv[1], stateFolder: process.argv[2] });
      const torrent = await client.add(Buffer.from(process.argv[3], "base64"));
      await torrent.whenComplete();
      await client.close();
      // Told only when nothing is left that keeps the process.
      process.once("beforeExit", () => console.log("ended by itself"));`;
    const data = Buffer.from(sample.bytes).toString("base64");
    const output = await temporaryFolder(t);
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program, output, await temporaryFolder(t), data], {
      cwd: new URL("../..", import.meta.url),
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    const said = Buffer.concat(await child.stdout.toArray()).toString();
    if (child.exitCode === null) await once(child, "exit");
    assert.deepEqual([child.exitCode, child.signalCode], [0, null]);
    assert.equal(said, "ended by itself\n");
    await sample.assertIn(output);
  });
});
