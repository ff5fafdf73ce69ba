import { randomFill } from "node:crypto";
import { mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const fillRandom = promisify<Uint8Array, Uint8Array>(randomFill);
const CHUNK_LENGTH = 4 * 1024 * 1024;

/** Files of the demo by path, each with its share of the whole: large and small, nested, empty, and not all in ASCII. */
const shares: Readonly<Record<string, number>> = {
  "freshet.bin": 0.625,
  "rivers/Elbe.bin": 0.25,
  "rivers/Òglio.bin": 0.1,
  "rivers/sources/黃河.bin": 0.025,
  "rivers/sources/dry": 0,
};

/** Makes a folder of files with random contents, `size` bytes in all. */
export async function writeRandomFiles(folder: string, size: number, signal: AbortSignal): Promise<void> {
  const entries = Object.entries(shares).map(([path, share]) => ({ path, length: Math.floor(size * share) }));
  const rest = size - entries.reduce((sum, { length }) => sum + length, 0);
  const buffer = new Uint8Array(Math.min(CHUNK_LENGTH, size));
  for (const [i, { path, length }] of entries.entries()) {
    const location = join(folder, ...path.split("/"));
    await mkdir(dirname(location), { recursive: true });
    await using file = await open(location, "wx");
    for (let left = length + (i === 0 ? rest : 0); left > 0; ) {
      signal.throwIfAborted();
      const chunk = await fillRandom(buffer.subarray(0, Math.min(buffer.byteLength, left)));
      await file.write(chunk);
      left -= chunk.byteLength;
    }
  }
}

/**
 * Compares two files byte by byte.
 * @returns where they differ first, in bytes; undefined when they are the same
 */
export async function firstDifference(a: string, b: string, signal: AbortSignal): Promise<number | undefined> {
  await using left = await open(a);
  await using right = await open(b);
  const [one, other] = [Buffer.allocUnsafe(CHUNK_LENGTH), Buffer.allocUnsafe(CHUNK_LENGTH)];
  for (let at = 0; ; ) {
    signal.throwIfAborted();
    const [{ bytesRead: got }, { bytesRead: want }] = await Promise.all([
      left.read(one, 0, CHUNK_LENGTH, at),
      right.read(other, 0, CHUNK_LENGTH, at),
    ]);
    const same = Math.min(got, want);
    if (!one.subarray(0, same).equals(other.subarray(0, same))) {
      return at + one.subarray(0, same).findIndex((byte, i) => byte !== other[i]);
    }
    if (got !== want) return at + same;
    if (same === 0) return undefined;
    at += same;
  }
}
