import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { encodeUtf8 } from "#/base/bytes.ts";
import type { Endpoint } from "#/base/ip.ts";
import { seededRandom } from "#/base/random.ts";
import { type AnnounceQuery, decodeAnnounceQuery, encodeAnnounceAnswer, encodeFailure } from "../protocol/index.ts";
import { type AnnouncerEvent, TorrentAnnouncer, type TorrentAnnouncerOptions } from "./announcer.ts";

const peers: Endpoint[] = [{ host: "192.0.2.1", port: 6881 }];
const good = encodeAnnounceAnswer({ intervalSeconds: 1800, peers, warning: "w", trackerId: Uint8Array.of(7) }, { compact: true });

type Heard = AnnounceQuery & { readonly path: string };

/** An HTTP tracker on loopback: `heard` collects announces, `reply` answers each. */
async function openTracker(reply: (response: ServerResponse, heard: Heard) => void, host = "127.0.0.1", listenOn = 0) {
  const heard: Heard[] = [];
  const news = new EventEmitter();
  const server = createServer((request, response) => {
    const [path = "", query = ""] = (request.url ?? "").split("?");
    const announce = { ...decodeAnnounceQuery(query), path };
    heard.push(announce);
    reply(response, announce);
    news.emit("heard");
  });
  server.listen(listenOn, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}/announce`,
    heard,
    events: (): (string | undefined)[] => heard.map((each) => each.event),
    /** Resolves when `count` announces have come. */
    async hears(count: number): Promise<void> {
      while (heard.length < count) await once(news, "heard");
    },
    [Symbol.dispose]: (): void => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const hasIpv6 = await openTracker(() => {}, "::1").then(
  (tracker) => {
    tracker[Symbol.dispose]();
    return true;
  },
  () => false,
);
const needsIpv6 = hasIpv6 ? {} : { skip: "this machine has no ::1" };

function announcer(options: Partial<TorrentAnnouncerOptions> & Pick<TorrentAnnouncerOptions, "tiers">) {
  const events: AnnouncerEvent[] = [];
  const news = new EventEmitter();
  const found: { peers: readonly Endpoint[]; source: string }[] = [];
  const made = new TorrentAnnouncer({
    infoHash: new Uint8Array(20).fill(1),
    peerId: encodeUtf8("-FS0100-abcdefghijkl"),
    key: 9,
    port: 6881,
    stats: () => ({ uploaded: 1, downloaded: 2, left: 3 }),
    numWant: () => 40,
    onPeers: (list, source) => found.push({ peers: list, source }),
    onEvent: (event) => {
      events.push(event);
      news.emit(event.type);
    },
    random: seededRandom(3),
    ...options,
  });
  const happens = async (type: AnnouncerEvent["type"], count = 1): Promise<void> => {
    while (events.filter((event) => event.type === type).length < count) await once(news, type);
  };
  return { announcer: made, events, found, happens };
}

const answerGood = (response: ServerResponse): void => void response.end(good);

describe("the announcer of a torrent", () => {
  test("announces when it starts, completes and stops, with the numbers of the moment", async () => {
    using tracker = await openTracker(answerGood);
    let left = 3;
    let wanted = 40;
    const {
      announcer: torrent,
      events,
      found,
      happens,
    } = announcer({
      tiers: [[tracker.url]],
      stats: () => ({ uploaded: 1, downloaded: 2, left }),
      numWant: () => wanted,
    });
    assert.equal(torrent.trackers()[0]?.state, "idle");
    torrent.start();
    torrent.start();
    await happens("announced");
    assert.deepEqual(found, [{ peers, source: tracker.url }]);
    left = 0;
    wanted = 0;
    torrent.completed();
    await happens("announced", 2);
    assert.equal(torrent.trackers()[0]?.state, "working");
    await torrent.stop();
    await torrent.stop();
    assert.deepEqual(tracker.events(), ["started", "completed", "stopped"]);
    assert.deepEqual(
      tracker.heard.map((heard) => [heard.left, heard.numWant]),
      [
        [3, 40],
        [0, 0],
        [0, 0],
      ],
    );
    assert.deepEqual(
      tracker.heard.map((heard) => heard.trackerId),
      [undefined, Uint8Array.of(7), Uint8Array.of(7)],
    );
    assert.deepEqual(new Set(tracker.heard.map((heard) => heard.key)), new Set(["00000009"]));
    assert.deepEqual(
      events.map((event) => event.type),
      ["announced", "warned", "announced", "warned"],
    );
  });

  test("a dead tracker, a silent one and one of an unknown kind do not hold up the others", async () => {
    using tracker = await openTracker(answerGood);
    using silent = await openTracker(() => {});
    const {
      announcer: torrent,
      events,
      found,
      happens,
    } = announcer({
      tiers: [["http://127.0.0.1:1/announce"], [silent.url], ["wss://t.example/announce"], [tracker.url]],
    });
    torrent.start();
    await happens("announced");
    await happens("failed", 2);
    assert.equal(found[0]?.source, tracker.url);
    assert.deepEqual(
      torrent.trackers().map((status) => status.state),
      ["failing", "announcing", "disabled", "working"],
    );
    await torrent.stop();
    assert.deepEqual(silent.events(), ["started"], "it never answered, so it hears no goodbye");
    assert.ok(
      events.every((event) => event.type !== "failed" || event.url !== silent.url),
      "an abort is no failure",
    );
  });

  test("the next of a tier is asked when one fails, and is asked first from then on", async () => {
    using bad = await openTracker((response) => response.end(encodeFailure({ reason: "no" })));
    using better = await openTracker(answerGood);
    // This seed shuffles the bad one to the front.
    const { announcer: torrent, happens } = announcer({
      tiers: [[bad.url, better.url]],
      random: { ...seededRandom(1), below: (limit) => limit - 1 },
    });
    torrent.start();
    await happens("announced");
    assert.deepEqual(
      torrent.trackers().map((status) => [status.url, status.state, status.lastError?.code]),
      [
        [better.url, "working", undefined],
        [bad.url, "failing", "TRACKER_FAILURE"],
      ],
    );
    torrent.completed();
    await happens("announced", 2);
    await torrent.stop();
    assert.deepEqual([bad.events(), better.events()], [["started"], ["started", "completed", "stopped"]]);
  });

  test("each family of a host is announced over on its own, and hears started and stopped", needsIpv6, async () => {
    using tracker6 = await openTracker(answerGood, "::1");
    using tracker4 = await openTracker(answerGood, "127.0.0.1", tracker6.port);
    const resolve = async (): Promise<string[]> => ["::1", "127.0.0.1"];
    const url = `http://both.example:${tracker4.port}/announce`;
    const { announcer: torrent, events, happens } = announcer({ tiers: [[url]], resolve });
    torrent.start();
    await happens("announced", 2);
    assert.deepEqual(new Set(events.map((event) => event.type === "announced" && event.family)), new Set([4, 6, false]));
    assert.equal(torrent.trackers()[0]?.peers, 2);
    await torrent.stop();
    assert.deepEqual(
      [tracker4.events(), tracker6.events()],
      [
        ["started", "stopped"],
        ["started", "stopped"],
      ],
    );

    const { announcer: only4, happens: happensTo4 } = announcer({ tiers: [[url]], resolve, families: [4] });
    only4.start();
    await happensTo4("announced");
    await only4.stop();
    assert.deepEqual([tracker4.heard.length, tracker6.heard.length], [4, 2]);
  });

  test("a tracker works when one of its families does", needsIpv6, async () => {
    using tracker6 = await openTracker(answerGood, "::1");
    const resolve = async (): Promise<string[]> => ["::1", "127.0.0.1"];
    const {
      announcer: torrent,
      events,
      happens,
    } = announcer({ tiers: [[`http://both.example:${tracker6.port}/announce`]], resolve });
    torrent.start();
    await happens("announced");
    await happens("failed");
    assert.equal(events.find((event) => event.type === "failed")?.family, 4);
    assert.equal(torrent.trackers()[0]?.state, "working");
    await torrent.stop();
    assert.deepEqual(tracker6.events(), ["started", "stopped"]);
  });

  test("a goodbye that nobody answers ends in time, and closes its connection", async () => {
    const gone = Promise.withResolvers<void>();
    using tracker = await openTracker((response, heard) => {
      if (heard.event !== "stopped") response.end(good);
      else response.on("close", () => gone.resolve());
    });
    const { announcer: torrent, happens } = announcer({ tiers: [[tracker.url]] });
    torrent.start();
    await happens("announced");
    await torrent.stop({ timeoutMs: 50 });
    await gone.promise;
    assert.deepEqual(tracker.events(), ["started", "stopped"]);
  });

  test("started again while it says goodbye, it announces after that", async () => {
    const holding = Promise.withResolvers<ServerResponse>();
    using tracker = await openTracker((response, heard) => {
      if (heard.event === "stopped") holding.resolve(response);
      else response.end(good);
    });
    const { announcer: torrent, happens } = announcer({ tiers: [[tracker.url]] });
    torrent.start();
    await happens("announced");
    const stopping = torrent.stop();
    torrent.start();
    (await holding.promise).end(good);
    await stopping;
    await happens("announced", 2);
    assert.deepEqual(tracker.events(), ["started", "stopped", "started"]);
    await torrent.stop({ timeoutMs: 1 });
  });

  test("stopped before any answer, it says nothing more", async () => {
    using tracker = await openTracker(() => {});
    const { announcer: torrent, events } = announcer({ tiers: [[tracker.url]] });
    torrent.start();
    await tracker.hears(1);
    await torrent.stop();
    assert.deepEqual(tracker.events(), ["started"]);
    assert.deepEqual(events, []);
  });

  test("a private torrent talks to one tracker", async () => {
    using first = await openTracker(answerGood);
    using second = await openTracker(answerGood);
    const { announcer: torrent, happens } = announcer({ tiers: [[first.url], [second.url]], isPrivate: true });
    torrent.start();
    await happens("announced");
    await torrent.stop();
    assert.deepEqual([first.events(), second.events()], [["started", "stopped"], []]);
  });

  test("does not keep the process alive between announces", async () => {
    using tracker = await openTracker(answerGood);
    const script = `
      import { TorrentAnnouncer } from ${JSON.stringify(new URL("./index.ts", import.meta.url).href)};
      const announcer = new TorrentAnnouncer({
        tiers: [[process.argv[1]]], infoHash: new Uint8Array(20), peerId: new Uint8Array(20), key: 1, port: 1,
        stats: () => ({ uploaded: 0, downloaded: 0, left: 0 }), numWant: () => 0, onPeers: () => console.log("answered"),
      });
      announcer.start();`;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script, tracker.url]);
    assert.equal(stdout, "answered\n");
  });
});
