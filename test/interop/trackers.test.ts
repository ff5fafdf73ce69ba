import { join } from "node:path";
import { interopTest } from "./bed.ts";
import { enterNamespace } from "./namespace.ts";
import { assertSameTree, writePayload } from "./payload.ts";
import { startFreshet } from "./peers/freshet.ts";
import { libtorrent } from "./peers/libtorrent.ts";
import { Opentracker, opentrackerRequirement, trackerUrls } from "./peers/opentracker.ts";
import { untilSameTree } from "./same-tree.ts";
import { writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const needs = [opentrackerRequirement, libtorrent.requirement];
const PAYLOAD_LENGTH = 6 << 20;
const PIECE_LENGTH = 64 << 10;

for (const protocol of ["http", "udp"] as const) {
  interopTest(
    `Freshet finds a seeder through opentracker by ${protocol}, and tells it of its end`,
    { namespace, needs },
    async (bed) => {
      const payload = writePayload(await bed.subfolder("data"), "payload", PAYLOAD_LENGTH);
      const endpoint = bed.endpoint();
      const trackers = [trackerUrls(endpoint)[protocol]];
      const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers });
      const tracker = await Opentracker.open(bed, endpoint, [torrent]);
      await libtorrent.seed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint() });
      await tracker.until(torrent, { complete: 1 });

      const folder = await bed.subfolder("out");
      const freshet = await startFreshet(bed, bed.endpoint(), ["download", torrent.path, "-o", folder, "--keep-seeding"]);
      await freshet.until("completed");
      await tracker.until(torrent, { complete: 2, incomplete: 0, downloaded: 1 });
      await freshet.interrupt();
      await tracker.until(torrent, { complete: 1, incomplete: 0 });
      await assertSameTree(folder, payload.folder);
    },
  );

  interopTest(`libtorrent finds Freshet through opentracker by ${protocol}`, { namespace, needs }, async (bed) => {
    const payload = writePayload(await bed.subfolder("data"), "payload", PAYLOAD_LENGTH);
    const endpoint = bed.endpoint();
    const trackers = [trackerUrls(endpoint)[protocol]];
    const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH, trackers });
    const tracker = await Opentracker.open(bed, endpoint, [torrent]);
    const freshet = await startFreshet(bed, bed.endpoint(), ["seed", torrent.path, payload.folder]);
    await tracker.until(torrent, { complete: 1 });

    const folder = await bed.subfolder("out");
    const leecher = await libtorrent.leech(bed, { torrent, folder, endpoint: bed.endpoint() });
    await leecher.finished();
    await untilSameTree(leecher.program, join(folder, "payload"), join(payload.folder, "payload"));
    await leecher.program.stop();
    await freshet.interrupt();
    await tracker.until(torrent, { complete: 1, downloaded: 1 }); // libtorrent was killed, Freshet said goodbye
  });
}
