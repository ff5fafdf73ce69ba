import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatEndpoint } from "#/base/ip.ts";
import type { Logger } from "#/base/log.ts";
import { buildMetainfo, choosePieceLength, type Metainfo, parseMetainfo } from "#/bittorrent/metainfo/index.ts";
import type { Client, Torrent } from "#/client/index.ts";
import type { Command } from "../command.ts";
import { listContent } from "../content.ts";
import { hashContent } from "../content-hash.ts";
import { firstDifference, writeRandomFiles } from "../demo/files.ts";
import { DemoTracker } from "../demo/tracker.ts";
import { CliError } from "../errors.ts";
import { type CliIo, jsonEvents } from "../io.ts";
import { createCliLogger } from "../log.ts";
import { openProgress } from "../progress.ts";
import { type EmitEvent, orAborted, relayEvents, stoppedError, torrentRow, Watch } from "../session.ts";
import { optionParser } from "../settings.ts";
import { formatCount, formatRate, formatSize, parseSize } from "../units.ts";

interface DemoOptions {
  readonly size: number;
}

const DEFAULT_SIZE = 64 * 1024 * 1024;
const MIN_SIZE = 1024;
const MAX_SIZE = 16 * 1024 ** 3;
/** On loopback nothing takes so long; a demo that hangs is a fault. */
const STALL_MS = 30_000;

export const demo: Command<DemoOptions> = {
  description:
    "Shows Freshet at work: a tracker, a seeder and a leecher in this process, a real download between them over TCP on loopback.",
  example: "freshet demo",
  notes:
    "Needs no network and no data, and leaves nothing behind: files are in the folder for temporary files and removed at the end.",
  printsEvents: true,
  define(command) {
    command.addOption(
      command
        .createOption("--size <size>", "how much to download")
        .argParser(optionParser("--size", parseDemoSize))
        .default(DEFAULT_SIZE, "64MiB"),
    );
  },
  async run(_args, options, io) {
    const emit = options.json ? jsonEvents(io) : undefined;
    const torrents: Torrent[] = [];
    const names = ["seeder", "leecher"];
    const rows = () => torrents.map((torrent, i) => ({ ...torrentRow(torrent), name: names[i] ?? "" }));
    using progress = await openProgress({ ...options, rows }, io);
    const say = (text: string): void => void (emit === undefined && progress.log.write(`${text}\n`));
    const logger = createCliLogger(options, progress.log);
    using folder = makeFolder(io);

    await writeRandomFiles(join(folder.path, "seeder", "freshet-demo"), options.size, io.signal);
    await using tracker = await DemoTracker.open();
    const metainfo = await makeTorrent(join(folder.path, "seeder", "freshet-demo"), tracker.url, logger, io);
    say(`made a torrent of ${formatSize(metainfo.totalLength)} in ${metainfo.files.length} files, and a tracker at ${tracker.url}`);
    emit?.("created", {
      infoHash: metainfo.infoHashHex,
      size: metainfo.totalLength,
      files: metainfo.files.length,
      tracker: tracker.url,
    });

    using watch = new Watch({ torrents: () => torrents, timeoutMs: STALL_MS, emit });
    const signal = AbortSignal.any([io.signal, watch.signal]);
    await using stack = new AsyncDisposableStack();
    const start = async (name: string): Promise<Torrent> => {
      const client = stack.use(await openClient(join(folder.path, name), logger, io));
      say(`${name} listens at ${client.endpoints.map(formatEndpoint).join(" and ")}`);
      return await client.add(metainfo);
    };
    const seeder = await start("seeder");
    torrents.push(seeder);
    await orAborted(whenAnnounced(seeder), signal);
    const leecher = await start("leecher");
    torrents.push(leecher);
    if (emit !== undefined) relayEvents(leecher, emit);
    const started = performance.now();
    try {
      await orAborted(leecher.whenComplete({ signal }), signal);
    } catch (error) {
      throw stoppedError(leecher, error);
    }
    const elapsedMs = performance.now() - started;
    progress.close();
    await compare(metainfo, folder.path, io);
    await stack.disposeAsync();
    folder[Symbol.dispose]();
    report(metainfo, elapsedMs, emit, io);
    return 0;
  },
};

function parseDemoSize(text: string): number {
  const size = parseSize(text);
  if (size < MIN_SIZE || size > MAX_SIZE) {
    throw new CliError("CLI_BAD_SIZE", `${text} is not within ${formatSize(MIN_SIZE)} and ${formatSize(MAX_SIZE)}`);
  }
  return size;
}

interface TemporaryFolder extends Disposable {
  readonly path: string;
}

/** A folder that is gone when it is disposed, and also when the process is ended before. */
function makeFolder(io: CliIo): TemporaryFolder {
  const path = mkdtempSync(join(io.env["TMPDIR"] || tmpdir(), "freshet-demo-"));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  const exit = io.atExit(remove);
  return {
    path,
    [Symbol.dispose]: () => {
      remove();
      exit[Symbol.dispose]();
    },
  };
}

async function makeTorrent(path: string, tracker: string, logger: Logger, io: CliIo): Promise<Metainfo> {
  const content = await listContent(path, undefined, io.signal);
  const pieceLength = choosePieceLength(content.totalLength);
  const pieces = await hashContent(content, pieceLength, { logger, signal: io.signal });
  return parseMetainfo(buildMetainfo({ name: content.name, files: content.files, pieceLength, pieces, trackers: [[tracker]] }));
}

async function openClient(output: string, logger: Logger, io: CliIo): Promise<Client> {
  const { Client: ClientClass } = await import("#/client/index.ts");
  return await ClientClass.open({ hosts: ["127.0.0.1"], ports: [0], output, logger, signal: io.signal });
}

/** Resolves when the tracker knows the torrent. @throws the error of its announce */
function whenAnnounced(torrent: Torrent): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  torrent.on("tracker", (event) => {
    if (event.type === "announced") resolve();
    else if (event.type === "failed") reject(event.error);
  });
  torrent.on("stopped", ({ error }) => reject(error));
  return promise;
}

async function compare(metainfo: Metainfo, folder: string, io: CliIo): Promise<void> {
  for (const { safePath } of metainfo.files) {
    const at = await firstDifference(join(folder, "seeder", ...safePath), join(folder, "leecher", ...safePath), io.signal);
    if (at !== undefined)
      throw new CliError("CLI_DIFFERS", `${safePath.join("/")}: what was downloaded differs from byte ${at} on`);
  }
}

function report(metainfo: Metainfo, elapsedMs: number, emit: EmitEvent | undefined, io: CliIo): void {
  const rate = (metainfo.totalLength / Math.max(elapsedMs, 1)) * 1000;
  const files = metainfo.files.length;
  if (emit !== undefined) {
    emit("done", {
      infoHash: metainfo.infoHashHex,
      size: metainfo.totalLength,
      files,
      same: true,
      seconds: elapsedMs / 1000,
      rate: Math.round(rate),
    });
    return;
  }
  const seconds = (elapsedMs / 1000).toFixed(2);
  io.stdout.write(
    `downloaded ${formatSize(metainfo.totalLength)} in ${seconds} s: ${formatCount(Math.round(rate / 1e6))} MB/s (${formatRate(rate)})\n` +
      `compared ${files} files byte by byte: all are the same; nothing is left behind\n`,
  );
}
