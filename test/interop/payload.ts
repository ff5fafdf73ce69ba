/** Makes the files that tests send around, and compares folders byte by byte. */
import assert from "node:assert/strict";
import { createCipheriv, createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { open, readdir, stat } from "node:fs/promises";
import { dirname, join, relative } from "node:path";

const CHUNK = 1 << 20;
const SHOWN_FAULTS = 10;

/** A stretch of bytes that nobody can guess or compress, placed at `offset` of a file that is a hole elsewhere. */
export interface Island {
  readonly offset: number;
  readonly length: number;
}

export interface PlannedFile {
  /** Relative, with "/". */
  readonly path: string;
  readonly length: number;
  /** Where the file has data; default: all of it. */
  readonly islands?: readonly Island[];
}

/** A file or folder made for a test. */
export interface Payload {
  /** The file's or folder's name, which is the torrent's. */
  readonly name: string;
  /** The folder that holds it. */
  readonly folder: string;
  readonly files: readonly PlannedFile[];
  readonly singleFile: boolean;
}

/** Writes a payload below `folder`: a single file when `files` is a number of bytes, else a folder. */
export function writePayload(folder: string, name: string, files: number | readonly PlannedFile[]): Payload {
  const singleFile = typeof files === "number";
  const plan = singleFile ? [{ path: name, length: files }] : files.map((file) => ({ ...file, path: `${name}/${file.path}` }));
  const random = createCipheriv("aes-128-ctr", createHash("md5").update(name).digest(), new Uint8Array(16));
  const zeros = new Uint8Array(CHUNK);
  for (const file of plan) {
    const path = join(folder, file.path);
    mkdirSync(dirname(path), { recursive: true });
    const descriptor = openSync(path, "w");
    ftruncateSync(descriptor, file.length);
    for (const island of file.islands ?? [{ offset: 0, length: file.length }]) {
      const end = island.offset + island.length;
      for (let at = island.offset; at < end; at += CHUNK) {
        writeSync(descriptor, random.update(zeros.subarray(0, Math.min(CHUNK, end - at))), 0, undefined, at);
      }
    }
    closeSync(descriptor);
  }
  return { name, folder, files: plan, singleFile };
}

/** 2,000 files in nested folders: empty ones, tiny ones, names beyond ASCII, some 11 MiB together. */
export function manyFiles(count = 2_000): PlannedFile[] {
  const folders = ["plain", "with space", "ünïcödé", "кириллица", "日本語/深い/フォルダ", "emoji-🌊", "a/b/c/d/e/f"];
  const stems = ["file", "naïve café", "файл", "文件", "δοκιμή", "it's #1 & 100%", "نص"];
  return Array.from({ length: count }, (_, i) => ({
    path: `${folders[i % folders.length]}/${i % 50}/${stems[i % stems.length]}-${i}.bin`,
    length: i % 20 === 0 ? 0 : i % 97 === 0 ? 200_000 + i : (i * 7919) % 3_000,
  }));
}

/** Files below `path` (a file or a folder) that are missing, extra or different from those of `wanted`. */
export async function treeFaults(path: string, wanted: string): Promise<string[]> {
  const [got, want] = await Promise.all([listFiles(path), listFiles(wanted)]);
  const faults: string[] = [];
  for (const name of got) if (!want.has(name)) faults.push(`extra: ${name}`);
  for (const name of want) {
    if (!got.has(name)) faults.push(`missing: ${name}`);
    else if (!(await sameFile(join(path, name), join(wanted, name)))) faults.push(`different: ${name}`);
  }
  return faults;
}

/** Fails with the first ten faults. */
export async function assertSameTree(path: string, wanted: string): Promise<void> {
  const faults = await treeFaults(path, wanted);
  const shown = faults.slice(0, SHOWN_FAULTS).join("\n");
  assert.ok(faults.length === 0, `${path} differs from ${wanted} in ${faults.length} files:\n${shown}`);
}

async function listFiles(root: string): Promise<Set<string>> {
  const information = await stat(root).catch(() => undefined);
  if (information === undefined) return new Set();
  if (!information.isDirectory()) return new Set([""]);
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return new Set(
    entries.filter((entry) => !entry.isDirectory()).map((entry) => relative(root, join(entry.parentPath, entry.name))),
  );
}

async function sameFile(a: string, b: string): Promise<boolean> {
  const size = statSync(a).size;
  if (size !== statSync(b).size) return false;
  if (size <= CHUNK) return Buffer.compare(readFileSync(a), readFileSync(b)) === 0; // many small files: ten times as fast
  await using first = await open(a);
  await using second = await open(b);
  const left = new Uint8Array(CHUNK);
  const right = new Uint8Array(CHUNK);
  for (;;) {
    const [x, y] = await Promise.all([first.read(left, 0, CHUNK), second.read(right, 0, CHUNK)]);
    if (x.bytesRead !== y.bytesRead) return false;
    if (x.bytesRead === 0) return true;
    if (Buffer.compare(left.subarray(0, x.bytesRead), right.subarray(0, y.bytesRead)) !== 0) return false;
  }
}
