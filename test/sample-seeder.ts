import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatEndpoint } from "#/base/ip.ts";
import { buildMetainfo } from "#/bittorrent/metainfo/index.ts";
import { Client } from "#/client/index.ts";

const PIECE_LENGTH = 32_768;
const LENGTH = 100_000;

/** A folder with a small torrent in it and a client in this process that seeds it on loopback, until disposed. */
export interface SampleSeeder extends AsyncDisposable {
  readonly folder: string;
  readonly torrentFile: string;
  /** Name of the only file of the torrent. */
  readonly name: string;
  readonly data: Uint8Array;
  readonly pieceCount: number;
  /** `host:port` of the seeder. */
  readonly address: string;
}

export async function openSampleSeeder(): Promise<SampleSeeder> {
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "freshet-sample-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const name = "data.bin";
  const data = randomBytes(LENGTH);
  const pieceCount = Math.ceil(LENGTH / PIECE_LENGTH);
  const hashes = Array.from({ length: pieceCount }, (_, piece) =>
    createHash("sha1")
      .update(data.subarray(piece * PIECE_LENGTH, (piece + 1) * PIECE_LENGTH))
      .digest(),
  );
  const bytes = buildMetainfo({ name, length: LENGTH, pieceLength: PIECE_LENGTH, pieces: Buffer.concat(hashes) });
  const torrentFile = join(folder, "data.torrent");
  await writeFile(torrentFile, bytes);
  const output = join(folder, "seeder");
  await mkdir(output);
  await writeFile(join(output, name), data);
  const client = stack.use(await Client.open({ hosts: ["127.0.0.1"], ports: [0], output }));
  await (await client.add(bytes, { useTrackers: false })).whenComplete();
  const [endpoint] = client.endpoints;
  if (endpoint === undefined) throw new Error("the seeder listens nowhere");
  const owned = stack.move();
  const address = formatEndpoint(endpoint);
  return { folder, torrentFile, name, data, pieceCount, address, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}
