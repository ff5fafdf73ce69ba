import { join } from "node:path";
import { interopTest } from "./bed.ts";
import { enterNamespace } from "./namespace.ts";
import { assertSameTree, writePayload } from "./payload.ts";
import { freshetDownload, freshetSeed } from "./peers/freshet.ts";
import { libtorrent, openLibtorrent } from "./peers/libtorrent.ts";
import { qbittorrent } from "./peers/qbittorrent.ts";
import { untilSameTree } from "./same-tree.ts";
import { writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const IPV6_LOOPBACK = "::1";
const PAYLOAD_LENGTH = 6 << 20;
const PIECE_LENGTH = 64 << 10;

// rtorrent 0.9 binds IPv4 only, Transmission 3 takes no peer at ::1, aria2 finds no IPv6 where loopback is all there is.
for (const program of [libtorrent, qbittorrent]) {
  const options = { namespace, needs: [program.requirement] };

  interopTest(`Freshet downloads from ${program.name} over IPv6`, options, async (bed) => {
    const payload = writePayload(await bed.subfolder("data"), "payload", PAYLOAD_LENGTH);
    const tracker = await bed.tracker(IPV6_LOOPBACK);
    const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers: [tracker.url] });
    const seeder = await program.seed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint(IPV6_LOOPBACK) });
    const folder = await bed.subfolder("out");
    const endpoint = bed.endpoint(IPV6_LOOPBACK);
    const freshet = await freshetDownload(bed, { torrents: [torrent], folder, endpoint, peers: [seeder.endpoint] });
    await freshet.finished();
    await assertSameTree(folder, payload.folder);
  });

  interopTest(`${program.name} downloads from Freshet over IPv6`, options, async (bed) => {
    const payload = writePayload(await bed.subfolder("data"), "payload", PAYLOAD_LENGTH);
    const tracker = await bed.tracker(IPV6_LOOPBACK);
    const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers: [tracker.url] });
    const freshet = await freshetSeed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint(IPV6_LOOPBACK) });
    tracker.peers.push(freshet.endpoint);
    const folder = await bed.subfolder("out");
    const leecher = await program.leech(bed, { torrent, folder, endpoint: bed.endpoint(IPV6_LOOPBACK) });
    await leecher.finished();
    await untilSameTree(leecher.program, join(folder, "payload"), join(payload.folder, "payload"));
    await freshet.interrupt();
  });
}

interopTest(
  "Freshet serves IPv4 and IPv6 peers on one port at a time",
  { namespace, needs: [libtorrent.requirement] },
  async (bed) => {
    const payload = writePayload(await bed.subfolder("data"), "payload", PAYLOAD_LENGTH);
    const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH });
    const endpoint = bed.endpoint();
    const more = ["--listen", `[${IPV6_LOOPBACK}]:${endpoint.port}`];
    await freshetSeed(bed, { torrent, folder: payload.folder, endpoint }, more);
    for (const host of [endpoint.host, IPV6_LOOPBACK]) {
      const folder = await bed.subfolder("out");
      const peers = [{ host, port: endpoint.port }];
      const leecher = await openLibtorrent(bed, bed.endpoint(host), [{ torrent, folder, peers }]);
      await leecher.complete(torrent);
      await untilSameTree(leecher.program, join(folder, "payload"), join(payload.folder, "payload"));
    }
  },
);
