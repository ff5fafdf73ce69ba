import { resolve } from "node:path";
import { clientVersion } from "#/base/version.ts";
import { buildMetainfo, choosePieceLength, MAX_PIECE_LENGTH, parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import { parseTrackerUrl, parseWebSeedUrl } from "../addresses.ts";
import type { Command } from "../command.ts";
import { type Content, listContent } from "../content.ts";
import { hashContent } from "../content-hash.ts";
import { CliError } from "../errors.ts";
import { checkOutput, writeOutput } from "../files.ts";
import { type CliIo, printable, printJson } from "../io.ts";
import { createCliLogger } from "../log.ts";
import { openProgress } from "../progress.ts";
import { type CommonOptions, optionParser, repeatedOptionParser } from "../settings.ts";
import { formatCount, formatSize, parseSize } from "../units.ts";

interface CreateOptions {
  readonly output?: string;
  readonly force?: true;
  readonly pieceLength?: number;
  readonly tracker?: readonly (readonly string[])[];
  readonly webSeed?: readonly string[];
  readonly private?: true;
  readonly comment?: string;
  readonly source?: string;
  readonly date?: Date;
}

/** A piece is at least one block as peers ask for them. */
const MIN_PIECE_LENGTH = 16_384;

export const create: Command<CreateOptions> = {
  description: "Writes a torrent file for a file or a folder.",
  example: "echo hello > hello.txt && freshet create hello.txt -o hello.torrent --force",
  notes: `
The same input gives the same bytes: files are sorted, and the date is left out unless --date is given. Each --tracker is a tier of
its own; trackers within one tier stand in one --tracker with commas between them. Links are followed.`,
  printsEvents: false,
  define(command) {
    command
      .argument("<path>", "file or folder to make a torrent of")
      .option(
        "-o, --output <file>",
        "torrent to write; - is standard output (default: the name of the path with .torrent behind it)",
      )
      .option("--force", "replace the torrent if it exists")
      .option(
        "--piece-length <size>",
        "power of two from 16k on (default: at most 2,048 pieces)",
        optionParser("--piece-length", parsePieceLength),
      )
      .option("--tracker <url,...>", "announce URL (repeat for further tiers)", repeatedOptionParser("--tracker", parseTier))
      .option("--web-seed <url>", "web server that has the files (repeat)", repeatedOptionParser("--web-seed", parseWebSeedUrl))
      .option("--private", "peers may come from the trackers only")
      .option("--comment <text>", "a comment")
      .option("--source <text>", "a name that makes the info hash another one, as private trackers want it")
      .option(
        "--date <when>",
        "date to write: now, or such as 2026-01-31T12:00:00Z (default: none)",
        optionParser("--date", parseDate),
      );
  },
  async run([path = ""], options, io) {
    const target = options.output;
    if (target === "-" && options.json) {
      throw new CliError("CLI_BAD_VALUE", "--output - and --json would both write to standard output");
    }
    if (target !== undefined) await checkOutput(target, options.force ?? false);
    const content = await listContent(path, target === undefined ? undefined : resolve(target), io.signal);
    const output = target ?? `${content.name}.torrent`;
    if (target === undefined) await checkOutput(output, options.force ?? false);
    const bytes = await makeTorrent(content, options, io);
    await writeOutput(output, bytes, options.force ?? false, io);
    report(bytes, output, options, io);
    return 0;
  },
};

function parsePieceLength(text: string): number {
  const bytes = parseSize(text);
  if (bytes < MIN_PIECE_LENGTH || bytes > MAX_PIECE_LENGTH || !Number.isInteger(Math.log2(bytes))) {
    throw new CliError("CLI_BAD_PIECE_LENGTH", `${text} is not a power of two from 16KiB to ${formatSize(MAX_PIECE_LENGTH)}`);
  }
  return bytes;
}

function parseTier(text: string): readonly string[] {
  return text.split(",").map((url) => parseTrackerUrl(url.trim()));
}

function parseDate(text: string): Date {
  const date = text === "now" ? new Date() : new Date(text);
  if (Number.isNaN(date.getTime()) || date.getTime() < 0)
    throw new CliError("CLI_BAD_VALUE", `"${text}" is not a date such as 2026-01-31T12:00:00Z`);
  return date;
}

async function makeTorrent(content: Content, options: CreateOptions & CommonOptions, io: CliIo): Promise<Uint8Array> {
  const pieceLength = options.pieceLength ?? choosePieceLength(content.totalLength);
  const pieces = await hash(content, pieceLength, options, io);
  return buildMetainfo({
    name: content.name,
    ...(content.singleFile
      ? { length: content.totalLength }
      : { files: content.files.map(({ path, length }) => ({ path, length })) }),
    pieceLength,
    pieces,
    private: options.private ?? false,
    trackers: options.tracker ?? [],
    webSeeds: options.webSeed ?? [],
    createdBy: clientVersion,
    ...(options.comment !== undefined && { comment: options.comment }),
    ...(options.source !== undefined && { source: options.source }),
    ...(options.date !== undefined && { creationDate: options.date }),
  });
}

/** Hashes the content and shows how far it is. */
async function hash(content: Content, pieceLength: number, options: CommonOptions, io: CliIo): Promise<Uint8Array> {
  const started = performance.now();
  let done = 0;
  const row = () => {
    const msLeft = ((content.totalLength - done) * (performance.now() - started)) / done;
    return { name: content.name, state: "hashing", done, total: content.totalLength, timeLeftMs: done === 0 ? undefined : msLeft };
  };
  using progress = await openProgress({ ...options, rows: () => [row()] }, io);
  return await hashContent(content, pieceLength, {
    logger: createCliLogger(options, progress.log),
    signal: io.signal,
    onProgress: (bytes) => {
      done = bytes;
    },
  });
}

/** Says what was made: on stderr when the torrent itself is on stdout. */
function report(bytes: Uint8Array, output: string, options: CreateOptions & CommonOptions, io: CliIo): void {
  const { infoHashHex, name, totalLength, pieceLength, pieceCount, files } = parseMetainfo(bytes);
  if (options.json) {
    printJson(io, { output, infoHash: infoHashHex, name, totalLength, pieceLength, pieceCount, files: files.length });
    return;
  }
  const what = `${formatSize(totalLength)} in ${formatCount(files.length)} ${files.length === 1 ? "file" : "files"}, ${formatCount(pieceCount)} pieces of ${formatSize(pieceLength)}`;
  const text = `${output === "-" ? name : output}: ${what}\ninfo hash ${infoHashHex}`;
  (output === "-" ? io.stderr : io.stdout).write(`${text.split("\n").map(printable).join("\n")}\n`);
}
