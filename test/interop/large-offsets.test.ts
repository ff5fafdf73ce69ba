import assert from "node:assert/strict";
import { readdirSync, truncateSync } from "node:fs";
import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { type Bed, interopTest } from "./bed.ts";
import { enterNamespace } from "./namespace.ts";
import { assertSameTree, type Island, type Payload, writePayload } from "./payload.ts";
import { freshetDownload, freshetSeed } from "./peers/freshet.ts";
import { libtorrent, openLibtorrent } from "./peers/libtorrent.ts";
import { WAIT_MS } from "./program.ts";
import { type Torrent, writeTorrent } from "./torrent.ts";

const namespace = await enterNamespace(import.meta.filename);
const CHECK_TIMEOUT_MS = 3 * WAIT_MS; // of 5 GiB, on a busy machine
const options = { namespace, needs: [libtorrent.requirement], timeoutMs: 2 * CHECK_TIMEOUT_MS };

const MIB = 1 << 20;
const GIB = 2 ** 30;
const PIECE_LENGTH = 4 * MIB;
const BIG_LENGTH = 5 * GIB + MIB; // no whole number of pieces: its last one reaches into the next file
/** All that is not zero: around offset 2^32, and at the end. */
const islands: readonly Island[] = [
  { offset: 2 ** 32 - 3 * MIB, length: 6 * MIB },
  { offset: BIG_LENGTH - 2 * MIB, length: 2 * MIB },
];
const BEHIND_LENGTH = 5 * MIB;

async function prepare(bed: Bed): Promise<{ readonly payload: Payload; readonly torrent: Torrent }> {
  const payload = writePayload(await bed.subfolder("data"), "payload", [
    { path: "big.bin", length: BIG_LENGTH, islands },
    { path: "behind.bin", length: BEHIND_LENGTH },
  ]);
  return { payload, torrent: await writeTorrent(bed.folder, payload, { pieceLength: PIECE_LENGTH }) };
}

/** The pieces that are not all zeros. */
function piecesOfInterest(torrent: Torrent): number[] {
  const ranges = [...islands, { offset: BIG_LENGTH, length: BEHIND_LENGTH }];
  const pieces = new Set<number>();
  for (const { offset, length } of ranges) {
    const last = Math.floor((offset + length - 1) / torrent.pieceLength);
    for (let piece = Math.floor(offset / torrent.pieceLength); piece <= last; piece++) pieces.add(piece);
  }
  return [...pieces];
}

interopTest("Freshet downloads only a file that begins behind offset 2^32 of the torrent", options, async (bed) => {
  const { payload, torrent } = await prepare(bed);
  const seeder = await openLibtorrent(bed, bed.endpoint(), [{ torrent, folder: payload.folder, trusted: true }]);
  const folder = await bed.subfolder("out");
  const job = { torrents: [torrent], folder, endpoint: bed.endpoint(), peers: [seeder.endpoint] };
  const freshet = await freshetDownload(bed, job, ["--files", "2"]);
  await freshet.finished();
  await assertSameTree(join(folder, "payload/behind.bin"), join(payload.folder, "payload/behind.bin"));
  assert.deepEqual(readdirSync(join(folder, "payload")), ["behind.bin"]);
});

interopTest("Freshet mends and then seeds a 5 GiB file around its offset 2^32", options, async (bed) => {
  const { payload, torrent } = await prepare(bed);
  const folder = await bed.subfolder("out");
  await mkdir(join(folder, "payload"));
  await (await open(join(folder, "payload/big.bin"), "w")).close();
  truncateSync(join(folder, "payload/big.bin"), BIG_LENGTH);
  const state = await bed.subfolder("state");
  const seeder = await openLibtorrent(bed, bed.endpoint(), [{ torrent, folder: payload.folder, trusted: true }]);
  const job = { torrents: [torrent], folder, endpoint: bed.endpoint(), peers: [seeder.endpoint] };
  const download = await freshetDownload(bed, job, [], state);
  const { have, total } = await download.until("checked", {}, CHECK_TIMEOUT_MS);
  const pieces = piecesOfInterest(torrent);
  assert.equal(Number(total) - Number(have), pieces.length, "all pieces of zeros are there");
  await download.finished();
  await assertSameTree(folder, payload.folder);
  await seeder.program.stop();

  const seed = await freshetSeed(bed, { torrent, folder, endpoint: bed.endpoint() }, [], state);
  const received = await bed.subfolder("received");
  const leecher = await openLibtorrent(bed, bed.endpoint(), [{ torrent, folder: received, pieces, peers: [seed.endpoint] }]);
  await leecher.complete(torrent);
  for (const { offset, length } of islands) {
    const [got, want] = await Promise.all(
      [received, payload.folder].map((base) => readRange(join(base, "payload/big.bin"), offset, length)),
    );
    assert.ok(Buffer.compare(got as Buffer, want as Buffer) === 0, `${length} bytes from ${offset}`);
  }
  await assertSameTree(join(received, "payload/behind.bin"), join(payload.folder, "payload/behind.bin"));
  await seed.interrupt();
});

async function readRange(path: string, offset: number, length: number): Promise<Buffer> {
  await using file = await open(path);
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  return bytes.subarray(0, bytesRead);
}
