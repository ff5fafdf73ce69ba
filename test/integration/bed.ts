/** What the tests of whole clients share: small torrents with their data, clients on loopback, folders that are removed again. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "#/base/clock.ts";
import { formatEndpoint } from "#/base/ip.ts";
import { seededRandom } from "#/base/random.ts";
import { buildMetainfo } from "#/bittorrent/metainfo/index.ts";
import { Client, type ClientOptions, type Metainfo, parseMetainfo, type Torrent, type TorrentOptions } from "#/client/index.ts";

export const BLOCK = 16_384;

export interface SampleOptions {
  readonly name?: string;
  /** Paths below the torrent's folder, with `/`, and lengths. */
  readonly files?: readonly (readonly [path: string, length: number])[];
  /** Of a single file. @default 300_000 */
  readonly length?: number;
  /** @default 32 KiB */
  readonly pieceLength?: number;
  readonly trackers?: readonly (readonly string[])[];
  readonly isPrivate?: boolean;
  readonly seed?: number;
}

/** A torrent and the bytes that it describes. */
export class Sample {
  readonly bytes: Uint8Array;
  readonly metainfo: Metainfo;
  readonly content: Uint8Array;

  constructor(options: SampleOptions = {}) {
    const { name = "sample.bin", files, pieceLength = 2 * BLOCK, trackers = [], isPrivate = false, seed = 1 } = options;
    const length = files?.reduce((sum, [, each]) => sum + each, 0) ?? options.length ?? 300_000;
    this.content = seededRandom(seed).bytes(length);
    const hashes: Uint8Array[] = [];
    for (let at = 0; at < length; at += pieceLength) {
      hashes.push(
        createHash("sha1")
          .update(this.content.subarray(at, Math.min(length, at + pieceLength)))
          .digest(),
      );
    }
    const parts =
      files === undefined ? { length } : { files: files.map(([path, each]) => ({ path: path.split("/"), length: each })) };
    this.bytes = buildMetainfo({ name, ...parts, pieceLength, pieces: Buffer.concat(hashes), private: isPrivate, trackers });
    this.metainfo = parseMetainfo(this.bytes);
  }

  /** Where a file of it is in a download folder. */
  pathOf(folder: string, file: number): string {
    return join(folder, ...(this.metainfo.files[file]?.safePath ?? assert.fail(`no file ${file}`)));
  }

  fileContent(file: number): Uint8Array {
    const { offset, length } = this.metainfo.files[file] ?? assert.fail(`no file ${file}`);
    return this.content.subarray(offset, offset + length);
  }

  pieceContent(piece: number): Uint8Array {
    const { pieceLength } = this.metainfo;
    return this.content.subarray(piece * pieceLength, piece * pieceLength + this.metainfo.pieceSize(piece));
  }

  async writeTo(folder: string): Promise<void> {
    for (const { index } of this.metainfo.files) {
      await mkdir(dirname(this.pathOf(folder, index)), { recursive: true });
      await writeFile(this.pathOf(folder, index), this.fileContent(index));
    }
  }

  /** Fails unless the folder has these files of the torrent, byte by byte, and no other file. */
  async assertIn(folder: string, files: readonly number[] = [...this.metainfo.files.keys()]): Promise<void> {
    for (const file of files) {
      const got = await readFile(this.pathOf(folder, file));
      assert.ok(got.equals(this.fileContent(file)), `file ${file} differs`);
    }
    const found = await readdir(folder, { recursive: true, withFileTypes: true });
    assert.deepEqual(
      found.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : [])).sort(),
      files.map((file) => this.pathOf(folder, file)).sort(),
    );
  }

  /** Fails unless each of the pieces is on disk as it should be. */
  async assertPieces(folder: string, pieces: Iterable<number>): Promise<void> {
    const { files, totalLength, pieceLength } = this.metainfo;
    const onDisk = Buffer.alloc(totalLength);
    for (const { index, offset } of files) {
      const path = this.pathOf(folder, index);
      if (existsSync(path)) onDisk.set(await readFile(path), offset);
    }
    for (const piece of pieces) {
      const got = onDisk.subarray(piece * pieceLength, piece * pieceLength + this.metainfo.pieceSize(piece));
      assert.ok(got.equals(this.pieceContent(piece)), `piece ${piece} is claimed, but not what is on disk`);
    }
  }
}

const stacks = new WeakMap<TestContext, AsyncDisposableStack>();

/** Does it when the test has ended; what was asked for last comes first, so that a client is closed before its folder goes. */
export function cleanUp(t: TestContext, action: () => Promise<void>): void {
  let stack = stacks.get(t);
  if (stack === undefined) {
    const made = new AsyncDisposableStack();
    stacks.set(t, made);
    t.after(() => made.disposeAsync());
    stack = made;
  }
  stack.defer(action);
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "freshet-client-"));
  cleanUp(t, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A client on one port of 127.0.0.1 with one disk thread, closed when the test ends. */
export async function openClient(t: TestContext, options: ClientOptions = {}): Promise<Client> {
  const client = await Client.open({ hosts: ["127.0.0.1"], ports: [0], diskThreads: 1, bufferBytes: 4 * 1024 * 1024, ...options });
  cleanUp(t, () => client.close());
  return client;
}

export function addressOf(client: Client, host = "127.0.0.1"): string {
  return formatEndpoint({ host, port: client.port });
}

export interface Seeder {
  readonly client: Client;
  readonly torrent: Torrent;
  readonly folder: string;
  readonly address: string;
}

/** A client that has all of a torrent in a folder of its own. */
export async function openSeeder(
  t: TestContext,
  sample: Sample,
  options: ClientOptions = {},
  torrentOptions: TorrentOptions = {},
): Promise<Seeder> {
  const folder = await temporaryFolder(t);
  await sample.writeTo(folder);
  const client = await openClient(t, { output: folder, ...options });
  const torrent = await client.add(sample.bytes, torrentOptions);
  await torrent.whenComplete();
  return { client, torrent, folder, address: addressOf(client, options.hosts?.[0]) };
}

/** Real time plus what a test adds to it. */
export class JumpingClock implements Clock {
  offsetMs = 0;

  now(): number {
    return performance.now() + this.offsetMs;
  }
}

const GIVE_UP_MS = 15_000;

/** Waits for something that has no event of its own. @throws when that takes so long that it will not come */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > GIVE_UP_MS) throw new Error(`never came true: ${condition}`);
    await delay(5);
  }
}
