import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { equalBytes } from "#/base/bytes.ts";
import { seededRandom } from "#/base/random.ts";
import { parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { interopTest } from "./bed.ts";
import { enterNamespace } from "./namespace.ts";
import { assertSameTree, writePayload } from "./payload.ts";
import { type FreshetEvent, freshetDownload } from "./peers/freshet.ts";
import { libtorrent, openLibtorrent } from "./peers/libtorrent.ts";
import { type Torrent, writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const KILLS = 10;
/** From the start of the process: before it listens, while it checks, or in the middle of the download. */
const LATEST_KILL_MS = 1_500;
const PAYLOAD_LENGTH = 24 << 20;
const PIECE_LENGTH = 64 << 10;
const UPLOAD_LIMIT = 3 << 20; // so slow that no run is long enough for all

interopTest(
  "a leecher killed ten times at random goes on from what is on disk and ends with the right file",
  { namespace, needs: [libtorrent.requirement] },
  async (bed, context) => {
    const seed = Date.now() >>> 0;
    context.diagnostic(`seed of the moments: ${seed}`);
    const random = seededRandom(seed);
    const payload = writePayload(await bed.subfolder("data"), "payload.bin", PAYLOAD_LENGTH);
    const torrent = await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH });
    const jobs = [{ torrent, folder: payload.folder, uploadLimit: UPLOAD_LIMIT }];
    const seeder = await openLibtorrent(bed, bed.endpoint(), jobs);
    await seeder.complete(torrent);
    const folder = await bed.subfolder("out");
    const state = await bed.subfolder("state");
    const start = () =>
      freshetDownload(bed, { torrents: [torrent], folder, endpoint: bed.endpoint(), peers: [seeder.endpoint] }, [], state);

    for (let i = 0; i < KILLS; i++) {
      const right = await countRightPieces(torrent, join(folder, "payload.bin"));
      const freshet = await start();
      await delay(random.below(LATEST_KILL_MS));
      assert.equal(await freshet.program.stop("SIGKILL"), "SIGKILL", freshet.program.tail());
      const checked = freshet.events().find(({ event }) => event === "checked");
      if (checked !== undefined) assertHonest(checked, right);
    }
    const right = await countRightPieces(torrent, join(folder, "payload.bin"));
    const freshet = await start();
    assertHonest(await freshet.until("checked"), right);
    await freshet.finished();
    await assertSameTree(folder, payload.folder);
  },
);

/** It may forget the last 2 s, and never claims what is not there. */
function assertHonest(checked: FreshetEvent, right: number): void {
  const have = Number(checked["have"]);
  assert.ok(have <= right, `claims ${have} pieces, ${right} are on disk`);
  assert.ok(right - have <= (2 * UPLOAD_LIMIT) / PIECE_LENGTH, `knows of ${have} pieces, ${right} are on disk`);
}

async function countRightPieces(torrent: Torrent, path: string): Promise<number> {
  const metainfo = parseMetainfo(await readFile(torrent.path));
  await using file = await open(path).catch(() => undefined);
  if (file === undefined) return 0;
  let count = 0;
  for (let piece = 0; piece < metainfo.pieceCount; piece++) {
    const bytes = Buffer.alloc(metainfo.pieceSize(piece));
    await file.read(bytes, 0, bytes.byteLength, piece * metainfo.pieceLength);
    if (equalBytes(createHash("sha1").update(bytes).digest(), metainfo.pieceHash(piece))) count++;
  }
  return count;
}
