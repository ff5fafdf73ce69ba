import { toHex } from "#/base/bytes.ts";
import type { Metainfo, TorrentFile } from "#/bittorrent/metainfo/index.ts";
import type { Command } from "../command.ts";
import { type CliIo, painter, printable, printJson } from "../io.ts";
import { oneTorrent, readTorrent, refuseMagnet } from "../torrent-file.ts";
import { formatCount, formatSize } from "../units.ts";

interface MetainfoOptions {
  readonly torrent?: string;
  readonly magnet?: string;
}

export const metainfo: Command<MetainfoOptions> = {
  description: "Prints what a torrent says: its name, info hash, size, files and trackers.",
  example: "freshet create . -o - | freshet metainfo -",
  notes: "The numbers of the files are those that `freshet download --files` takes.",
  printsEvents: false,
  define(command) {
    command
      .argument("[torrent]", "torrent file or its URL; - is standard input")
      .option("-t, --torrent <file>", "the same as an option")
      .option("-m, --magnet <link>", "a magnet link, which this version refuses");
  },
  async run([argument], options, io) {
    if (options.magnet !== undefined) throw refuseMagnet(options.magnet);
    const torrent = await readTorrent(oneTorrent(argument, options.torrent), io);
    if (options.json) printJson(io, describe(torrent));
    else printText(torrent, painter(io.stdout, io, options.noColor), io);
    return 0;
  },
};

/** The document of `--json`. */
function describe(torrent: Metainfo): Readonly<Record<string, unknown>> {
  return {
    infoHash: torrent.infoHashHex,
    name: torrent.name,
    totalLength: torrent.totalLength,
    pieceLength: torrent.pieceLength,
    pieceCount: torrent.pieceCount,
    private: torrent.isPrivate,
    singleFile: torrent.singleFile,
    files: torrent.files.map((file, i) => ({
      number: i + 1,
      path: file.path,
      savedAs: file.safePath.join("/"),
      length: file.length,
      offset: file.offset,
      ...(file.padding && { padding: true }),
      ...(file.executable && { executable: true }),
      ...(file.hidden && { hidden: true }),
      ...(file.symlink !== undefined && { symlink: file.symlink.join("/") }),
    })),
    trackers: torrent.trackers,
    webSeeds: torrent.webSeeds,
    httpSeeds: torrent.httpSeeds,
    nodes: torrent.nodes.map(({ host, port }) => ({ host, port })),
    comment: torrent.comment,
    createdBy: torrent.createdBy,
    creationDate: torrent.creationDate?.toISOString(),
    source: torrent.source,
    encoding: torrent.encoding,
    pieces: Array.from({ length: torrent.pieceCount }, (_, piece) => toHex(torrent.pieceHash(piece))),
    issues: torrent.issues,
  };
}

function printText(torrent: Metainfo, paint: ReturnType<typeof painter>, io: CliIo): void {
  const lines: string[] = [];
  const row = (label: string, value: string | undefined): void => {
    if (value !== undefined) lines.push(`${paint("bold", label.padEnd(13))} ${value}`);
  };
  const rows = (label: string, values: readonly string[]): void =>
    values.forEach((value, i) => void row(i === 0 ? label : "", value));
  row("Name", printable(torrent.name));
  row("Info hash", torrent.infoHashHex);
  row("Size", `${formatSize(torrent.totalLength)} (${formatCount(torrent.totalLength)} bytes)`);
  row("Pieces", `${formatCount(torrent.pieceCount)} of ${formatSize(torrent.pieceLength)}`);
  row("Private", torrent.isPrivate ? "yes" : "no");
  row("Created", torrent.creationDate?.toISOString());
  row("Created by", optional(torrent.createdBy));
  row("Comment", optional(torrent.comment));
  row("Source", optional(torrent.source));
  rows(
    "Trackers",
    torrent.trackers.flatMap((tier, i) =>
      tier.map((url) => `${printable(url)}${torrent.trackers.length > 1 ? ` (tier ${i + 1})` : ""}`),
    ),
  );
  rows("Web seeds", [...torrent.webSeeds, ...torrent.httpSeeds].map(printable));
  rows(
    "Nodes",
    torrent.nodes.map(({ host, port }) => printable(`${host}:${port}`)),
  );
  rows(
    "Remarks",
    torrent.issues.map(({ where, what }) => printable(`${where}: ${what}`)),
  );
  const shown = torrent.files.flatMap((file, i) => (file.padding ? [] : [{ file, number: String(i + 1) }]));
  const width = shown.at(-1)?.number.length ?? 1;
  rows(
    "Files",
    shown.map(({ file, number }) => `${number.padStart(width)}  ${formatSize(file.length).padStart(9)}  ${fileText(file)}`),
  );
  io.stdout.write(`${lines.join("\n")}\n`);
}

function optional(text: string | undefined): string | undefined {
  return text === undefined ? undefined : printable(text);
}

function fileText(file: TorrentFile): string {
  const saved = file.safePath.slice(-file.path.length).join("/");
  const own = file.path.join("/");
  const renamed = saved === own ? "" : ` (saved as ${printable(saved)})`;
  const link = file.symlink === undefined ? "" : ` -> ${printable(file.symlink.join("/"))}`;
  return `${printable(own)}${link}${renamed}`;
}
