/** Programs that tests of the storage run in a process of their own: `node storage-child.ts <role> <folder>`. */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Bitfield } from "#/base/bitfield.ts";
import { seededRandom, shuffle } from "#/base/random.ts";
import { ChunkPool } from "./chunk-pool.ts";
import { DiskPool } from "./disk-pool.ts";
import { ResumeSaver } from "./resume-saver.ts";
import { piecesToCheck, ResumeStore } from "./resume-store.ts";
import { contentOf, crashFiles, layoutOf } from "./storage-fixture.ts";
import { TorrentStorage } from "./torrent-storage.ts";

const CHUNK = 32_768;

/** Writes one chunk a piece, one piece at a time, until a fault; frees room; writes the rest. Prints what came of it. */
async function writeOnTinyFileSystem(folder: string): Promise<void> {
  const files = [["a", 800_000]] as const;
  const content = contentOf(files);
  const layout = layoutOf(files, CHUNK, content);
  const disk = await DiskPool.open({ pool: new ChunkPool({ bytes: 2 * CHUNK, chunkLength: CHUNK }), workers: 1 });
  const good = new Set<number>();
  let settled: PromiseWithResolvers<string | undefined> = Promise.withResolvers();
  const storage = await TorrentStorage.open({
    disk,
    layout,
    folder,
    onChunkWritten: () => {},
    onPieceChecked: ({ piece }) => {
      good.add(piece);
      settled.resolve(undefined);
    },
    onFault: (error) => settled.resolve(error.code),
  });
  const write = (piece: number): Promise<string | undefined> => {
    settled = Promise.withResolvers();
    const chunk = disk.pool.tryTake();
    if (chunk === undefined) throw new Error("the pool is empty");
    const bytes = content.subarray(piece * CHUNK, (piece + 1) * CHUNK);
    chunk.bytes.set(bytes);
    storage.writeChunk(piece, 0, bytes.length, chunk);
    return settled.promise;
  };
  const ballast = join(folder, "ballast");
  await writeFile(ballast, new Uint8Array(500_000)).catch(() => {});
  let fault: string | undefined;
  for (let piece = 0; piece < layout.pieceCount && fault === undefined; piece++) fault = await write(piece);
  const goodBefore = good.size;
  let readable = 0;
  await storage.check({ onPiece: (_piece, ok) => (readable += ok ? 1 : 0) });
  const pool = disk.pool.freeCount === disk.pool.totalCount;
  await rm(ballast, { force: true }).catch(() => {});
  for (let piece = 0; piece < layout.pieceCount; piece++) if (!good.has(piece)) await write(piece);
  console.log(JSON.stringify({ fault, goodBefore, readable, pool, goodAfter: good.size, pieceCount: layout.pieceCount }));
  await storage.close();
  await disk.close();
}

/** Goes on from the record in `folder`/state and writes pieces in random order, saving all the time, until it is killed or done. */
async function writeUntilKilled(folder: string): Promise<void> {
  const content = contentOf(crashFiles);
  const layout = layoutOf(crashFiles, CHUNK, content);
  const disk = await DiskPool.open({ pool: new ChunkPool({ bytes: 8 * CHUNK, chunkLength: CHUNK }), workers: 2 });
  const store = new ResumeStore(join(folder, "state"));
  const have = new Bitfield(layout.pieceCount);
  const target = join(folder, "out");
  const queue = shuffle(
    Array.from({ length: layout.pieceCount }, (_, piece) => piece),
    seededRandom(process.pid),
  );
  const fill = (): void => {
    saver.tick(performance.now());
    while (disk.pool.freeCount > 0 && queue.length > 0) {
      const piece = queue.shift() as number;
      const chunk = disk.pool.tryTake();
      if (have.has(piece) && chunk !== undefined) disk.pool.give(chunk);
      else if (chunk !== undefined) {
        const bytes = content.subarray(piece * CHUNK, (piece + 1) * CHUNK);
        chunk.bytes.set(bytes);
        storage.writeChunk(piece, 0, bytes.length, chunk);
      }
    }
    if (have.isFull) setTimeout(() => void saver.flush(), 1);
  };
  const storage = await TorrentStorage.open({
    disk,
    layout,
    folder: target,
    onChunkWritten: () => {},
    onPieceChecked: ({ piece, ok }) => {
      if (!ok) throw new Error(`piece ${piece} is wrong`);
      have.add(piece);
      saver.changed();
      // A pause for each piece, so that a run lasts long enough to be killed in.
      setTimeout(fill, 3);
    },
    onFault: (error) => {
      throw error;
    },
  });
  const saver = new ResumeSaver({
    storage,
    store,
    intervalMs: 5,
    snapshot: () => ({ infoHashHex: layout.infoHashHex, have, folder: target, uploaded: 0, downloaded: 0, addedAt: 1 }),
    onError: (error) => {
      throw error;
    },
  });
  await storage.prepare();
  const { record } = await store.load(layout.infoHashHex);
  if (record !== undefined) {
    const { trusted, check } = piecesToCheck(record, await storage.fileStamps(), layout);
    for (const piece of trusted) have.add(piece);
    await storage.check({ pieces: check, onPiece: (piece, ok) => ok && have.add(piece) });
  }
  console.log(`have ${have.count}`);
  fill();
}

const [role, folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: storage-child.ts <role> <folder>");
await (role === "crash" ? writeUntilKilled(folder) : writeOnTinyFileSystem(folder));
