import { join, resolve } from "node:path";
import { Metainfo } from "#/bittorrent/metainfo/index.ts";
import type { Client, FilePriorities, Torrent } from "#/client/index.ts";
import { clientOptions, type NetworkOptions, networkSettings, peerAddresses } from "../client-settings.ts";
import type { Command } from "../command.ts";
import { absentPaths, checkFolder, removeHollow } from "../download-folder.ts";
import { CliError, describeFailure } from "../errors.ts";
import { selectFiles } from "../file-selection.ts";
import { type CliIo, jsonEvents, printable } from "../io.ts";
import { createCliLogger } from "../log.ts";
import { openProgress } from "../progress.ts";
import {
  type EmitEvent,
  orAborted,
  relayEvents,
  type SeedingOptions,
  seedEnough,
  seedingSettings,
  stoppedError,
  torrentRow,
  Watch,
} from "../session.ts";
import { addSettings, type CommonOptions, type SettingValues } from "../settings.ts";
import { readTorrent } from "../torrent-file.ts";
import { formatRate, formatSize, formatTime } from "../units.ts";

interface DownloadOptions
  extends NetworkOptions,
    SeedingOptions,
    SettingValues<"output" | "files" | "sequential" | "check" | "timeout"> {
  readonly torrent?: readonly string[];
}

interface Plan {
  readonly metainfo: Metainfo;
  readonly files: FilePriorities;
}

/** How the download of one torrent went. */
interface Result {
  readonly torrent: Torrent;
  /** Bytes that were there before. */
  readonly before: number;
  readonly elapsedMs: number;
}

export const download: Command<DownloadOptions> = {
  description: "Downloads torrents, each a file, an http(s) URL of one, or standard input.",
  example: "freshet download https://webtorrent.io/torrents/sintel.torrent",
  notes: `
What is there already is verified and kept, so that a download that was stopped goes on where it was. When complete it stops, unless
--seed-ratio, --seed-time or --keep-seeding is given; of a ratio and a time, what is reached first counts.

Events of --json: listening, added, checked, progress (each second), announced, trackerFailed, trackerWarned, peerConnected, peerClosed,
peerBanned, pieceFailed, completed, stopped; the last is done or failed.`,
  printsEvents: true,
  define(command) {
    command
      .argument("[torrent...]", "torrent files or their URLs; - is standard input")
      .option("-t, --torrent <file>", "the same as an option (repeat)", (text: string, previous: string[] = []) => [
        ...previous,
        text,
      ]);
    addSettings(command, ["output", "files", "sequential", "check", "timeout", ...seedingSettings]);
    addSettings(command, networkSettings, "Network:");
  },
  async run(args, options, io) {
    const plans = await readPlans([...args, ...(options.torrent ?? [])], options, io);
    const output = resolve(options.output ?? ".");
    await checkFolder(output, options.output ?? ".");
    const peers = await peerAddresses(options.peer);
    const absentBefore = await absentPaths(plans.map(({ metainfo }) => join(output, metainfo.safeName)));
    try {
      return await downloadAll(plans, { output, peers, options }, io);
    } catch (error) {
      await removeHollow(absentBefore);
      throw error;
    }
  },
};

interface Given {
  readonly output: string;
  readonly peers: readonly string[];
  readonly options: DownloadOptions & CommonOptions;
}

async function downloadAll(plans: readonly Plan[], given: Given, io: CliIo): Promise<number> {
  const { output, options } = given;
  const emit = options.json ? jsonEvents(io) : undefined;

  const torrents: Torrent[] = [];
  using progress = await openProgress({ ...options, rows: () => torrents.map(torrentRow), whole: "all" }, io);
  const logger = createCliLogger(options, progress.log);
  const { Client: ClientClass } = await import("#/client/index.ts");
  await using client = await ClientClass.open(clientOptions(options, io, logger));
  emit?.("listening", { endpoints: client.endpoints });
  using watch = new Watch({ torrents: () => torrents, timeoutMs: options.timeout, emit });
  const signal = AbortSignal.any([io.signal, watch.signal]);
  const running: Promise<Result>[] = [];
  for (const plan of plans) {
    const torrent = await addTorrent(client, plan, given);
    torrents.push(torrent);
    emit?.("added", { infoHash: torrent.infoHash, name: torrent.name, output });
    if (emit !== undefined) relayEvents(torrent, emit);
    const result = finish(torrent, options, signal);
    result.catch(() => {}); // told below, unless adding the next one fails first
    running.push(result);
  }
  const results = await Promise.allSettled(running);
  io.signal.throwIfAborted();
  watch.signal.throwIfAborted();
  progress.close();
  return report(results, output, emit, io);
}

/** Reads all torrents before anything is begun. */
async function readPlans(sources: readonly string[], options: DownloadOptions, io: CliIo): Promise<Plan[]> {
  if (sources.length === 0) {
    throw new CliError("CLI_MISSING_ARGUMENT", "no torrent is given", {
      hint: "name a torrent file, its URL, or - for standard input",
    });
  }
  const plans: Plan[] = [];
  for (const source of sources) {
    const metainfo = await readTorrent(source, io);
    plans.push({ metainfo, files: selectFiles(options.files, metainfo) });
  }
  return plans;
}

async function addTorrent(client: Client, { metainfo, files }: Plan, { output, peers, options }: Given): Promise<Torrent> {
  return await client.add(withTrackers(metainfo, options), {
    output,
    files,
    sequential: options.sequential ?? false,
    peers,
    trackers: options.tracker ?? [],
    check: options.check ?? false,
  });
}

/** The torrent without its own trackers when those are not wanted. */
export function withTrackers(metainfo: Metainfo, { noTracker }: Pick<NetworkOptions, "noTracker">): Metainfo {
  return noTracker ? new Metainfo({ ...metainfo }, { ...metainfo, trackers: [] }) : metainfo;
}

async function finish(torrent: Torrent, options: DownloadOptions, signal: AbortSignal): Promise<Result> {
  const started = performance.now();
  try {
    await orAborted(torrent.whenChecked(), signal);
    const before = torrent.stats().doneBytes;
    await orAborted(torrent.whenComplete({ signal }), signal);
    const elapsedMs = performance.now() - started;
    const { seedRatio, seedTime, keepSeeding } = options;
    if (seedRatio !== undefined || seedTime !== undefined || keepSeeding) await seedEnough(torrent, options, signal);
    return { torrent, before, elapsedMs };
  } catch (error) {
    throw stoppedError(torrent, error);
  }
}

function report(results: readonly PromiseSettledResult<Result>[], output: string, emit: EmitEvent | undefined, io: CliIo): number {
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  const done = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  if (emit === undefined) for (const result of done) io.stdout.write(`${resultText(result, output)}\n`);
  const last = failures.pop();
  for (const failure of failures) {
    const { message, code } = describeFailure(failure);
    io.stderr.write(`freshet: ${printable(message)} [${code}]\n`);
  }
  if (last !== undefined) throw last;
  emit?.("done", {
    torrents: done.map(({ torrent, elapsedMs }) => {
      const { wantedBytes, downloaded, uploaded } = torrent.stats();
      const path = join(output, torrent.metainfo.safeName);
      return {
        infoHash: torrent.infoHash,
        name: torrent.name,
        path,
        size: wantedBytes,
        downloaded,
        uploaded,
        seconds: elapsedMs / 1000,
      };
    }),
  });
  return 0;
}

function resultText({ torrent, before, elapsedMs }: Result, output: string): string {
  const { wantedBytes } = torrent.stats();
  const fetched = wantedBytes - before;
  const place = printable(join(output, torrent.metainfo.safeName));
  const name = printable(torrent.name);
  if (fetched === 0) return `${name}: ${formatSize(wantedBytes)}, was complete, ${place}`;
  return `${name}: ${formatSize(fetched)} in ${formatTime(elapsedMs)}, ${formatRate((fetched / Math.max(elapsedMs, 1)) * 1000)}, ${place}`;
}
