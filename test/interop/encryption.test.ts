import assert from "node:assert/strict";
import { join } from "node:path";
import { interopTest } from "./bed.ts";
import { enterNamespace } from "./namespace.ts";
import { assertSameTree, writePayload } from "./payload.ts";
import { freshetDownload, freshetSeed } from "./peers/freshet.ts";
import { libtorrent, openLibtorrent } from "./peers/libtorrent.ts";
import { untilSameTree } from "./same-tree.ts";
import { writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const options = { namespace, needs: [libtorrent.requirement] };
const PAYLOAD_LENGTH = 6 << 20;
const PIECE_LENGTH = 64 << 10;

interopTest("a peer that dials encrypted first comes back in plain text", options, async (bed) => {
  const payload = writePayload(await bed.subfolder("data"), "payload", PAYLOAD_LENGTH);
  const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH });
  const freshet = await freshetSeed(bed, { torrent, folder: payload.folder, endpoint: bed.endpoint() });
  const folder = await bed.subfolder("out");
  const jobs = [{ torrent, folder, peers: [freshet.endpoint] }];
  const leecher = await openLibtorrent(bed, bed.endpoint(), jobs, { prefersEncryption: true });
  await leecher.complete(torrent);
  const dials = leecher.program.lines.filter((line) => line.includes("peer_connect_alert"));
  assert.equal(dials.length, 2, "one encrypted, one plain");
  await untilSameTree(leecher.program, folder, payload.folder);
  await freshet.interrupt();
});

interopTest("a seeder that prefers encryption is dialled in plain text", options, async (bed) => {
  const payload = writePayload(await bed.subfolder("data"), "payload", PAYLOAD_LENGTH);
  const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH });
  const jobs = [{ torrent, folder: payload.folder }];
  const seeder = await openLibtorrent(bed, bed.endpoint(), jobs, { prefersEncryption: true });
  await seeder.complete(torrent);
  const folder = await bed.subfolder("out");
  const freshet = await freshetDownload(bed, { torrents: [torrent], folder, endpoint: bed.endpoint(), peers: [seeder.endpoint] });
  await freshet.finished();
  await assertSameTree(join(folder, "payload"), join(payload.folder, "payload"));
});
