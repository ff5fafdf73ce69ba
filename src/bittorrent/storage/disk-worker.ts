/** Entry of a disk thread: one task after another, in the order they were sent. Keep its imports few, it starts with every client. */
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import type {
  DiskFailure,
  DiskTask,
  PrepareResult,
  Reply,
  RequestTask,
  SkipResult,
  ThreadSettings,
  VolumeSpec,
  WriteReply,
  WriteTask,
} from "./disk-messages.ts";
import { DiskVolume, failureOf, OpenFiles } from "./disk-volume.ts";
import { codeOf, makeFoldersInside, type Root } from "./inside.ts";
import { checkPieces, hashPieces, PieceHashes } from "./piece-hashing.ts";
import { fileFlag, PARTS_FILE } from "./span-table.ts";

if (parentPort === null) throw new Error("this file is the entry of a worker thread");
const port = parentPort;
const settings = workerData as ThreadSettings;
const files = new OpenFiles(settings.maxOpenFiles);

interface Entry {
  readonly volume: DiskVolume;
  readonly hashes: PieceHashes;
}
/** BOUNDED by the storages open in the main thread. */
const volumes = new Map<number, Entry>();

port.on("message", (task: DiskTask) => {
  switch (task.kind) {
    case "write":
      write(task);
      return;
    case "open":
      openVolume(task.spec);
      return;
    case "forget":
      volumes.get(task.volume)?.hashes.forget(task.piece);
      return;
    default:
      answer(task);
  }
});

function openVolume(spec: VolumeSpec): void {
  const volume = new DiskVolume(spec, files);
  volumes.set(spec.volume, { volume, hashes: new PieceHashes(volume) });
}

function write(task: WriteTask): void {
  const { volume, hashes } = volumes.get(task.volume) as Entry;
  const { piece, begin, length, chunk } = task;
  try {
    const bytes = new Uint8Array(settings.memory, chunk * settings.chunkLength, length);
    volume.write(volume.table.spans(piece, begin, length), bytes);
    const digest = hashes.accept(piece, begin, bytes);
    if (digest === undefined) port.postMessage(chunk);
    else if (hashes.isRight(piece, digest)) port.postMessage({ chunk, ok: true } satisfies WriteReply);
    else port.postMessage({ chunk, ok: false, blockDigests: hashes.blockDigests(piece) } satisfies WriteReply);
  } catch (error) {
    hashes.forget(piece);
    port.postMessage({ chunk, failure: failureOf(error) } satisfies WriteReply);
  }
}

function answer(task: RequestTask): void {
  try {
    const entry = volumes.get(task.volume) as Entry;
    port.postMessage({ id: task.id, result: perform(task, entry) } satisfies Reply);
  } catch (error) {
    port.postMessage({ id: task.id, failure: failureOf(error) } satisfies Reply);
  }
}

function perform(task: RequestTask, { volume, hashes }: Entry): unknown {
  switch (task.kind) {
    case "digest":
      return hashes.blockDigests(task.piece);
    case "check":
      return checkPieces(volume, task);
    case "hash":
      return hashPieces(volume, task);
    case "stamps":
      return volume.stamps();
    case "fill":
      return volume.fill(task.file, task.from, task.length);
    case "prepare":
      return prepare(volume, task.links, new Set(task.skipped));
    case "skip":
      return skip(volume, task);
    case "close":
      volume.close();
      volumes.delete(task.volume);
      if (task.removeParts) rmSync(volume.pathOf(PARTS_FILE), { force: true });
      return undefined;
  }
}

/** The bytes are moved by the thread that writes the piece, so after all earlier writes of it. */
function skip(volume: DiskVolume, task: Extract<RequestTask, { kind: "skip" }>): SkipResult {
  const moved = task.move && volume.moveEdge(task.file, task.piece, task.skipped);
  const flags = volume.table.flags[task.file] as number;
  volume.table.flags[task.file] = task.skipped ? flags | task.flag : flags & ~task.flag;
  return moved;
}

function prepare(
  volume: DiskVolume,
  links: readonly { path: string; target: string }[],
  skipped: ReadonlySet<number>,
): PrepareResult {
  const { table, root, spec } = volume;
  if (root === undefined) throw new Error("files to hash are not prepared");
  const firstFolderMade = mkdirSync(root.path, { recursive: true });
  const hadParts = existsSync(volume.pathOf(PARTS_FILE));
  const folders = new Set<string>();
  const written = new Set<number>();
  spec.paths.forEach((path, file) => {
    const flags = table.flags[file] as number;
    if ((flags & fileFlag.virtual) !== 0) return;
    const folder = dirname(path);
    if (!skipped.has(file) && !folders.has(folder)) {
      makeFolders(volume, folder);
      folders.add(folder);
    }
    if (table.lengths[file] === 0) {
      if (!skipped.has(file)) volume.createFile(file);
    } else settleEdges(volume, file, hadParts, written);
  });
  return { firstFolderMade, written: [...written], failedLinks: makeLinks(root, links) };
}

/** A file may be skipped or wanted since it was last in use: its edges are brought to where they are looked for, if nothing is there. */
function settleEdges(volume: DiskVolume, file: number, hadParts: boolean, written: Set<number>): void {
  const edges = volume.table.edges(file);
  if (edges.length === 0) return;
  const hadFile = existsSync(volume.pathOf(file));
  for (const { piece } of edges) {
    const toParts = volume.table.isInParts(file, piece);
    if (toParts === hadParts || toParts !== hadFile) continue;
    if (volume.moveEdge(file, piece, toParts, true)) written.add(toParts ? PARTS_FILE : file);
  }
}

function makeLinks(root: Root, links: readonly { path: string; target: string }[]): DiskFailure[] {
  const failed: DiskFailure[] = [];
  for (const link of links) {
    try {
      const place = join(makeFoldersInside(root, dirname(link.path)), basename(link.path));
      if (lstatSync(place, { throwIfNoEntry: false }) !== undefined) continue;
      symlinkSync(relative(dirname(link.path), link.target) || ".", place);
    } catch (error) {
      failed.push({ code: codeOf(error), path: join(root.path, link.path), operation: "link" });
    }
  }
  return failed;
}

function makeFolders(volume: DiskVolume, folder: string): void {
  try {
    makeFoldersInside(volume.root as { path: string }, folder);
  } catch (error) {
    throw Object.assign(new Error("mkdir"), {
      code: codeOf(error),
      path: join(volume.spec.folder as string, folder),
      syscall: "make",
    });
  }
}
