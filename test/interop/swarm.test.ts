import assert from "node:assert/strict";
import { join } from "node:path";
import { formatEndpoint } from "#/base/ip.ts";
import { interopTest } from "./bed.ts";
import { enterNamespace } from "./namespace.ts";
import { assertSameTree, writePayload } from "./payload.ts";
import { aria2 } from "./peers/aria2.ts";
import { freshetDownload, freshetSeed, startFreshet } from "./peers/freshet.ts";
import { libtorrent, openLibtorrent } from "./peers/libtorrent.ts";
import type { PeerProgram } from "./peers/peer.ts";
import { qbittorrent } from "./peers/qbittorrent.ts";
import { rtorrent } from "./peers/rtorrent.ts";
import { untilSameTree } from "./same-tree.ts";
import { writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const PIECE_LENGTH = 128 << 10;

interopTest(
  "one seeder and three leechers: Freshet, aria2 and qBittorrent trade pieces",
  { namespace, needs: [libtorrent.requirement, aria2.requirement, qbittorrent.requirement] },
  async (bed) => {
    const payload = writePayload(await bed.subfolder("data"), "payload", 16 << 20);
    const tracker = await bed.tracker();
    const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers: [tracker.url] });
    const uploadLimit = 4 << 20; // so slow that the leechers have to help each other
    const seeder = await openLibtorrent(bed, bed.endpoint(), [{ torrent, folder: payload.folder, uploadLimit }]);
    await seeder.complete(torrent);
    const places = await Promise.all(["freshet", "aria2", "qbittorrent"].map((name) => bed.subfolder(`out-${name}`)));
    const [own, second, third] = places as [string, string, string];
    const endpoints = [bed.endpoint(), bed.endpoint(), bed.endpoint()] as const;
    tracker.peers.push(seeder.endpoint, ...endpoints);

    const others = await Promise.all([
      aria2.leech(bed, { torrent, folder: second, endpoint: endpoints[1] }),
      qbittorrent.leech(bed, { torrent, folder: third, endpoint: endpoints[2] }),
    ]);
    await Promise.all(others.map(({ program, endpoint }) => program.untilListening(endpoint.port)));
    const freshet = await startFreshet(bed, endpoints[0], ["download", torrent.path, "-o", own, "--keep-seeding"]);
    await freshet.until("completed");
    await Promise.all(others.map((leecher) => leecher.finished()));
    await assertSameTree(own, payload.folder);
    await Promise.all(
      [second, third].map((folder, i) =>
        untilSameTree((others[i] ?? others[0]).program, join(folder, "payload"), join(payload.folder, "payload")),
      ),
    );

    const connected = freshet.events().filter(({ event }) => event === "peerConnected");
    assert.ok(new Set(connected.map(({ client }) => client)).size >= 3, "Freshet is connected to all three others");
    const progress = freshet.events().findLast(({ event }) => event === "progress");
    assert.ok(Number(progress?.["uploaded"]) > 0, `Freshet gave something back: ${JSON.stringify(progress)}`);
    await freshet.interrupt();
  },
);

const programs = [libtorrent, aria2, rtorrent, qbittorrent];
const needs = programs.map((program) => program.requirement);

interopTest("Freshet seeds to libtorrent, aria2, rtorrent and qBittorrent at once", { namespace, needs }, async (bed) => {
  const payload = writePayload(await bed.subfolder("data"), "payload", 24 << 20);
  const tracker = await bed.tracker();
  const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers: [tracker.url] });
  const freshet = await freshetSeed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint() });
  tracker.peers.push(freshet.endpoint);
  const download = async (program: PeerProgram): Promise<void> => {
    const folder = await bed.subfolder(`out-${program.name}`);
    const leecher = await program.leech(bed, { torrent, folder, endpoint: bed.endpoint() });
    await leecher.finished();
    await untilSameTree(leecher.program, join(folder, "payload"), join(payload.folder, "payload"));
  };
  await Promise.all(programs.map(download));
  await freshet.interrupt();
});

interopTest("Freshet downloads two torrents at once on one port", { namespace, needs: [libtorrent.requirement] }, async (bed) => {
  const folder = await bed.subfolder("data");
  const payloads = [writePayload(folder, "first", 8 << 20), writePayload(folder, "second", 5 << 20)];
  const torrents = await Promise.all(payloads.map((payload) => writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH })));
  const jobs = torrents.map((torrent) => ({ torrent, folder }));
  const seeder = await openLibtorrent(bed, bed.endpoint(), jobs);
  await Promise.all(torrents.map((torrent) => seeder.complete(torrent)));
  const out = await bed.subfolder("out");
  const freshet = await freshetDownload(bed, { torrents, folder: out, endpoint: bed.endpoint(), peers: [seeder.endpoint] });
  await freshet.finished();
  await assertSameTree(out, folder);
});

interopTest("Freshet seeds two torrents at once on one port", { namespace, needs: [libtorrent.requirement] }, async (bed) => {
  const folder = await bed.subfolder("data");
  const payloads = [writePayload(folder, "first", 8 << 20), writePayload(folder, "second", 5 << 20)];
  const torrents = await Promise.all(payloads.map((payload) => writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH })));
  const freshet = await freshetDownload(bed, { torrents, folder, endpoint: bed.endpoint(), peers: [] }, ["--keep-seeding"]);
  for (const { infoHash } of torrents) await freshet.until("progress", { infoHash, state: "seeding" });
  const out = await bed.subfolder("out");
  const jobs = torrents.map((torrent) => ({ torrent, folder: out, peers: [freshet.endpoint] }));
  const leecher = await openLibtorrent(bed, bed.endpoint(), jobs);
  await Promise.all(torrents.map((torrent) => leecher.complete(torrent)));
  await untilSameTree(leecher.program, out, folder);
  const ports = freshet.events().filter(({ event }) => event === "listening");
  assert.deepEqual(
    ports.map(({ endpoints }) => endpoints),
    [[freshet.endpoint]],
    formatEndpoint(freshet.endpoint),
  );
  await freshet.interrupt();
});
