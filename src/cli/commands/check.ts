import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Bitfield } from "#/base/bitfield.ts";
import type { Metainfo, TorrentFile } from "#/bittorrent/metainfo/index.ts";
import type { Command } from "../command.ts";
import { type DataLocation, locateData } from "../data-location.ts";
import { type CliIo, painter, printable, printJson } from "../io.ts";
import { createCliLogger } from "../log.ts";
import { openProgress } from "../progress.ts";
import type { CommonOptions } from "../settings.ts";
import { oneTorrent, readTorrent } from "../torrent-file.ts";
import { formatCount, formatPercent, formatSize } from "../units.ts";

interface CheckOptions {
  readonly torrent?: string;
}

/** Memory that the disk threads share; checking needs none of it. */
const POOL_BYTES = 262_144;

interface FileResult {
  readonly file: TorrentFile;
  readonly state: "whole" | "damaged" | "missing" | "longer";
  readonly pieces: number;
  readonly wrongPieces: number;
}

export const check: Command<CheckOptions> = {
  description: "Verifies data against a torrent and lists the files that are damaged or missing.",
  example: "echo hello > hello.txt && freshet create hello.txt -o hello.torrent --force && freshet check hello.torrent",
  notes: `
\`data\` is the file or folder of the torrent, or the folder that holds it; by default the folder you are in. The exit status is 0 when
everything is there and right, and 1 when not.`,
  printsEvents: false,
  define(command) {
    command
      .argument("[torrent]", "torrent file or its URL; - is standard input")
      .argument("[data]", "the data, or the folder that holds it")
      .option("-t, --torrent <file>", "the torrent as an option");
  },
  async run(args, options, io) {
    const [argument, data] = options.torrent === undefined ? args : [undefined, ...args];
    const torrent = await readTorrent(oneTorrent(argument, options.torrent), io);
    const location = await locateData(torrent, data);
    const right = await checkPieces(location, options, io);
    const results = await fileResults(location, right);
    if (options.json) printJson(io, describe(location, right, results));
    else printText(location, right, results, painter(io.stdout, io, options.noColor), io);
    return results.every(({ state }) => state === "whole") ? 0 : 1;
  },
};

/** The pieces that are right. */
async function checkPieces({ metainfo, folder }: DataLocation, options: CommonOptions, io: CliIo): Promise<Bitfield> {
  const { ChunkPool, DiskPool, TorrentStorage } = await import("#/bittorrent/storage/index.ts");
  const right = new Bitfield(metainfo.pieceCount);
  let checkedPieces = 0;
  const checkedBytes = (): number => Math.min(checkedPieces * metainfo.pieceLength, metainfo.totalLength);
  const row = () => ({ name: metainfo.name, state: "checking", done: checkedBytes(), total: metainfo.totalLength });
  using progress = await openProgress({ ...options, rows: () => [row()] }, io);
  const logger = createCliLogger(options, progress.log);
  await using disk = await DiskPool.open({ pool: new ChunkPool({ bytes: POOL_BYTES }), logger });
  await using storage = await TorrentStorage.open({
    disk,
    layout: metainfo,
    folder,
    onChunkWritten: () => {},
    onPieceChecked: () => {},
    onFault: ({ code, plainMessage }) => logger.warn(plainMessage, { code }),
  });
  await storage.check({
    signal: io.signal,
    onPiece: (piece, ok) => void (ok && right.add(piece)),
    onProgress: (done) => {
      checkedPieces = done;
    },
  });
  return right;
}

async function fileResults({ metainfo, folder }: DataLocation, right: Bitfield): Promise<FileResult[]> {
  const results: FileResult[] = [];
  for (const file of metainfo.files) {
    if (file.padding) continue;
    const stats = await stat(join(folder, ...file.safePath)).catch(() => undefined);
    const { pieces, wrongPieces } = countPieces(metainfo, file, right);
    const present = file.symlink === undefined ? stats?.isFile() === true : stats !== undefined;
    const longer = file.symlink === undefined && (stats?.size ?? 0) > file.length;
    const state = !present ? "missing" : wrongPieces > 0 ? "damaged" : longer ? "longer" : "whole";
    results.push({ file, state, pieces, wrongPieces });
  }
  return results;
}

function countPieces(
  metainfo: Metainfo,
  file: TorrentFile,
  right: Bitfield,
): { readonly pieces: number; readonly wrongPieces: number } {
  if (file.length === 0) return { pieces: 0, wrongPieces: 0 };
  const first = Math.floor(file.offset / metainfo.pieceLength);
  const last = Math.floor((file.offset + file.length - 1) / metainfo.pieceLength);
  let wrongPieces = 0;
  for (let piece = first; piece <= last; piece++) if (!right.has(piece)) wrongPieces++;
  return { pieces: last - first + 1, wrongPieces };
}

function rightBytes(metainfo: Metainfo, right: Bitfield): number {
  let bytes = 0;
  for (const piece of right) bytes += metainfo.pieceSize(piece);
  return bytes;
}

function describe(
  { metainfo, folder }: DataLocation,
  right: Bitfield,
  results: readonly FileResult[],
): Readonly<Record<string, unknown>> {
  return {
    infoHash: metainfo.infoHashHex,
    name: metainfo.name,
    folder,
    whole: results.every(({ state }) => state === "whole"),
    pieceCount: metainfo.pieceCount,
    rightPieces: right.count,
    totalLength: metainfo.totalLength,
    rightLength: rightBytes(metainfo, right),
    files: results.map(({ file, state, pieces, wrongPieces }) => ({
      number: file.index + 1,
      path: file.safePath.join("/"),
      length: file.length,
      state,
      pieces,
      wrongPieces,
    })),
  };
}

function printText(
  location: DataLocation,
  right: Bitfield,
  results: readonly FileResult[],
  paint: ReturnType<typeof painter>,
  io: CliIo,
): void {
  const { metainfo } = location;
  const bad = results.filter(({ state }) => state !== "whole");
  const lines = bad.map(({ file, state, pieces, wrongPieces }) => {
    const detail =
      state === "damaged"
        ? ` (${wrongPieces} of ${pieces} pieces are wrong)`
        : state === "longer"
          ? ` (longer than ${formatSize(file.length)})`
          : "";
    return `${paint("red", state.padEnd(7))}  ${printable(file.safePath.join("/"))}${detail}`;
  });
  const share = formatPercent(rightBytes(metainfo, right), metainfo.totalLength);
  const counted = `${formatCount(right.count)} of ${formatCount(metainfo.pieceCount)} pieces`;
  const files = bad.length === 0 ? wholeText(results.length) : `${bad.length} of ${results.length} files are not whole`;
  lines.push(`${printable(metainfo.name)}: ${share} right (${counted}), ${files}`);
  io.stdout.write(`${lines.join("\n")}\n`);
}

function wholeText(files: number): string {
  return files === 1 ? "the file is whole" : `all ${formatCount(files)} files are whole`;
}
