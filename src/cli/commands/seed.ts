import { formatEndpoint } from "#/base/ip.ts";
import type { Torrent } from "#/client/index.ts";
import { clientOptions, type NetworkOptions, networkSettings, peerAddresses } from "../client-settings.ts";
import type { Command } from "../command.ts";
import { locateData } from "../data-location.ts";
import { CliError } from "../errors.ts";
import { jsonEvents, printable } from "../io.ts";
import { createCliLogger } from "../log.ts";
import { openProgress } from "../progress.ts";
import {
  orAborted,
  progressFields,
  relayEvents,
  type SeedingOptions,
  seedEnough,
  seedingSettings,
  stoppedError,
  torrentRow,
  Watch,
} from "../session.ts";
import { addSettings, type SettingValues } from "../settings.ts";
import { oneTorrent, readTorrent } from "../torrent-file.ts";
import { formatPercent, formatSize, formatTime } from "../units.ts";
import { withTrackers } from "./download.ts";

interface SeedOptions extends NetworkOptions, SeedingOptions, SettingValues<"check"> {
  readonly torrent?: string;
}

export const seed: Command<SeedOptions> = {
  description: "Checks the data of a torrent, then seeds it until Ctrl-C, or until --seed-ratio or --seed-time is reached.",
  example:
    "echo hello > hello.txt && freshet create hello.txt -o hello.torrent --force && freshet seed hello.torrent --seed-time 5s",
  notes: `
\`data\` is the file or folder of the torrent, or the folder that holds it; by default the folder you are in. Files that have not
changed since they were verified are trusted; --check verifies all. Nothing is written to the data. The
events of --json are those of download, and \`seeding\` when peers are served.`,
  printsEvents: true,
  define(command) {
    command
      .argument("[torrent]", "torrent file or its URL; - is standard input")
      .argument("[data]", "the data, or the folder that holds it")
      .option("-t, --torrent <file>", "the torrent as an option");
    addSettings(command, ["check", ...seedingSettings]);
    addSettings(command, networkSettings, "Network:");
  },
  async run(args, options, io) {
    const [argument, data] = options.torrent === undefined ? args : [undefined, ...args];
    const found = await locateData(await readTorrent(oneTorrent(argument, options.torrent), io), data);
    const peers = await peerAddresses(options.peer);
    const emit = options.json ? jsonEvents(io) : undefined;

    const torrents: Torrent[] = [];
    using progress = await openProgress({ ...options, rows: () => torrents.map(torrentRow) }, io);
    const logger = createCliLogger(options, progress.log);
    const { Client } = await import("#/client/index.ts");
    await using client = await Client.open(clientOptions(options, io, logger));
    emit?.("listening", { endpoints: client.endpoints });
    using _watch = new Watch({ torrents: () => torrents, emit });
    const torrent = await client.add(withTrackers(found.metainfo, options), {
      output: found.folder,
      peers,
      trackers: options.tracker ?? [],
      check: options.check ?? false,
      paused: true, // nothing may be downloaded into what is to be seeded
    });
    torrents.push(torrent);
    emit?.("added", { infoHash: torrent.infoHash, name: torrent.name, output: found.folder });
    if (emit !== undefined) relayEvents(torrent, emit);
    const started = performance.now();
    try {
      await orAborted(torrent.whenChecked(), io.signal);
      if (!torrent.isComplete) throw incomplete(torrent, found.folder);
      await torrent.resume();
      emit?.("seeding", { infoHash: torrent.infoHash });
      if (!options.json)
        progress.log.write(`seeding ${printable(torrent.name)} at ${client.endpoints.map(formatEndpoint).join(" and ")}\n`);
      await seedEnough(torrent, options, io.signal);
    } catch (error) {
      throw stoppedError(torrent, error);
    }
    progress.close();
    const { uploaded, wantedBytes } = torrent.stats();
    if (emit === undefined) {
      const ratio = wantedBytes === 0 ? 0 : uploaded / wantedBytes;
      const time = formatTime(performance.now() - started);
      io.stdout.write(`${printable(torrent.name)}: uploaded ${formatSize(uploaded)} in ${time}, ratio ${ratio.toFixed(2)}\n`);
    } else emit("done", { torrents: [progressFields(torrent)] });
    return 0;
  },
};

function incomplete(torrent: Torrent, folder: string): CliError {
  const { doneBytes, wantedBytes } = torrent.stats();
  const share = formatPercent(doneBytes, wantedBytes);
  return new CliError("CLI_DIFFERS", `${torrent.name}: only ${share} of the data in ${folder} is right`, {
    hint: "freshet check lists the files that are not whole; freshet download completes them",
  });
}
