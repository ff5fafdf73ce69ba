import { toHex, tryFromHex } from "#/base/bytes.ts";
import { CodedError } from "#/base/errors.ts";
import type { ScrapeEntry } from "#/tracker/client/index.ts";
import { parseTrackerUrl } from "../addresses.ts";
import type { Command } from "../command.ts";
import { CliError, describeFailure, NamedError } from "../errors.ts";
import { type CliIo, painter, printable, printJson } from "../io.ts";
import { createCliLogger } from "../log.ts";
import { type CommonOptions, optionParser, repeatedOptionParser } from "../settings.ts";
import { readTorrent } from "../torrent-file.ts";
import { formatCount, parseTime } from "../units.ts";

interface ScrapeOptions {
  readonly tracker?: readonly string[];
  readonly infoHash?: readonly (readonly Uint8Array[])[];
  readonly timeout: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;

/** What one tracker answered. */
interface TrackerResult {
  readonly tracker: string;
  readonly entries: readonly (ScrapeEntry | undefined)[];
  readonly error: CodedError | undefined;
}

export const scrape: Command<ScrapeOptions> = {
  description: "Asks trackers how many seeders and leechers a torrent has, and how many have completed it.",
  example: "freshet scrape -t udp://tracker.opentrackr.org:1337/announce -i 08ada5a7a6183aae1e09d831df6748d566095a10",
  notes: "Without -t the trackers of the torrent are asked. The exit status is 1 when no tracker answered.",
  printsEvents: false,
  define(command) {
    command
      .argument("[torrent]", "torrent file or its URL; - is standard input")
      .option("-t, --tracker <url>", "tracker to ask (repeat)", repeatedOptionParser("--tracker", parseTrackerUrl))
      .option(
        "-i, --info-hash <hash,...>",
        "info hashes in hexadecimal (repeat)",
        repeatedOptionParser("--info-hash", parseInfoHashes),
      )
      .addOption(
        command
          .createOption("--timeout <t>", "how long to wait for a tracker")
          .argParser(optionParser("--timeout", parseTime))
          .default(DEFAULT_TIMEOUT_MS, "60s"),
      );
  },
  async run([source], options, io) {
    const torrent = source === undefined ? undefined : await readTorrent(source, io);
    const infoHashes = [...(torrent === undefined ? [] : [torrent.infoHash]), ...(options.infoHash ?? []).flat()];
    const trackers = options.tracker ?? [...new Set<string>(torrent?.trackers.flat() ?? [])];
    if (infoHashes.length === 0) {
      throw new CliError("CLI_MISSING_ARGUMENT", "no torrent to ask for", { hint: "name a torrent file, or info hashes with -i" });
    }
    if (trackers.length === 0) {
      const which = source === undefined ? "no tracker to ask" : `${source} names no tracker to ask`;
      throw new CliError("CLI_MISSING_ARGUMENT", which, { hint: "name one with -t" });
    }
    const results = await askAll(trackers, infoHashes, options, io);
    const failed = results.filter(({ error }) => error !== undefined);
    const [first] = failed;
    if (first?.error !== undefined && failed.length === results.length) throw new NamedError(first.tracker, first.error);
    if (options.json) printJson(io, { trackers: results.map((result) => describe(result, infoHashes)) });
    else printText(results, infoHashes, painter(io.stdout, io, options.noColor), io);
    return 0;
  },
};

function parseInfoHashes(text: string): readonly Uint8Array[] {
  return text.split(",").map((part) => {
    const bytes = tryFromHex(part.trim());
    if (bytes?.byteLength !== 20) throw new CliError("CLI_BAD_INFO_HASH", `"${part}" is not an info hash of 40 hexadecimal digits`);
    return bytes;
  });
}

async function askAll(
  trackers: readonly string[],
  infoHashes: readonly Uint8Array[],
  options: ScrapeOptions & CommonOptions,
  io: CliIo,
): Promise<TrackerResult[]> {
  const { scrape: ask } = await import("#/tracker/client/index.ts");
  const logger = createCliLogger(options, io.stderr);
  return await Promise.all(
    trackers.map(async (tracker) => {
      try {
        const entries = await ask(tracker, infoHashes, { signal: io.signal, timeoutMs: options.timeout, logger });
        return { tracker, entries, error: undefined };
      } catch (error) {
        if (io.signal.aborted || !(error instanceof CodedError)) throw error;
        return { tracker, entries: [], error };
      }
    }),
  );
}

function describe(
  { tracker, entries, error }: TrackerResult,
  infoHashes: readonly Uint8Array[],
): Readonly<Record<string, unknown>> {
  if (error !== undefined) return { url: tracker, error: { code: error.code, message: error.plainMessage } };
  return {
    url: tracker,
    torrents: infoHashes.map((infoHash, i) => {
      const entry = entries[i];
      return { infoHash: toHex(infoHash), known: entry !== undefined, ...entry };
    }),
  };
}

function printText(
  results: readonly TrackerResult[],
  infoHashes: readonly Uint8Array[],
  paint: ReturnType<typeof painter>,
  io: CliIo,
): void {
  const lines: string[] = [];
  for (const { tracker, entries, error } of results) {
    lines.push(paint("bold", printable(tracker)));
    if (error !== undefined) {
      const { message, code } = describeFailure(error);
      lines.push(`  ${printable(message)} [${code}]`);
      continue;
    }
    infoHashes.forEach((infoHash, i) => {
      const entry = entries[i];
      const numbers =
        entry === undefined
          ? "not known to this tracker"
          : `${formatCount(entry.seeders)} seeders, ${formatCount(entry.leechers)} leechers, ${formatCount(entry.completed)} completed`;
      lines.push(`  ${toHex(infoHash)}  ${numbers}`);
    });
  }
  io.stdout.write(`${lines.join("\n")}\n`);
}
