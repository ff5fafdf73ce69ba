/** Torrents and their data for tests of commands, without going through the commands. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { seededRandom } from "#/base/random.ts";
import { type BencodeInput, encode } from "#/bittorrent/bencode/index.ts";

export interface TestTorrent {
  readonly bytes: Uint8Array;
  /** Bytes by path, from the torrent's own folder on. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/**
 * A torrent of files with random contents.
 * @param lengths bytes of each file by its path; a single path without a slash makes a torrent of one file
 */
export function makeTorrent(
  lengths: Readonly<Record<string, number>>,
  options: {
    readonly name?: string;
    readonly pieceLength?: number;
    readonly outer?: Readonly<Record<string, BencodeInput>>;
    readonly info?: Readonly<Record<string, BencodeInput>>;
  } = {},
): TestTorrent {
  const random = seededRandom(7);
  const contents = Object.entries(lengths).map(([path, length]) => ({ path, bytes: random.bytes(length) }));
  const { name, pieceLength = 16_384 } = options;
  const data = Buffer.concat(contents.map(({ bytes }) => bytes));
  const hashes: Uint8Array[] = [];
  for (let at = 0; at < data.byteLength; at += pieceLength) {
    hashes.push(
      createHash("sha1")
        .update(data.subarray(at, at + pieceLength))
        .digest(),
    );
  }
  const layout: Record<string, BencodeInput> =
    name === undefined
      ? { name: contents[0]?.path ?? "", length: data.byteLength }
      : { name, files: contents.map(({ path, bytes }) => ({ path: path.split("/"), length: bytes.byteLength })) };
  const info = { ...layout, "piece length": pieceLength, pieces: Buffer.concat(hashes), ...options.info };
  const prefix = name === undefined ? "" : `${name}/`;
  return {
    bytes: encode({ ...options.outer, info }),
    files: new Map(contents.map(({ path, bytes }) => [prefix + path, bytes])),
  };
}

/** Writes the data of a torrent into a folder. */
export function writeData(torrent: TestTorrent, folder: string): void {
  for (const [path, bytes] of torrent.files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}
