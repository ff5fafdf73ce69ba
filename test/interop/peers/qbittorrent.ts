import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Bed } from "../bed.ts";
import type { Program } from "../program.ts";
import type { LeechJob, PeerProgram, SeedJob } from "./peer.ts";

const SEEDING = /^(uploading|stalledUP|forcedUP)$/;
const TRACKER_WORKING = 2;

/** qbittorrent-nox, watched through its web API. */
export const qbittorrent: PeerProgram = {
  name: "qBittorrent",
  requirement: { command: ["qbittorrent-nox", "--version"], debianPackage: "qbittorrent-nox" },
  host: "127.0.0.1",
  makesEmptyFiles: true,
  async seed(bed, job) {
    const program = await start(bed, job);
    await program.until("qBittorrent has checked the data", program.complete);
    // It reports seeding a moment before it takes connections, and announces when it does.
    await program.until("qBittorrent has announced", program.announced);
    await program.untilListening(job.endpoint.port);
    return { program, endpoint: job.endpoint };
  },
  async leech(bed, job) {
    const program = await start(bed, job);
    return {
      program,
      endpoint: job.endpoint,
      finished: async () => void (await program.until("qBittorrent is complete", program.complete)),
    };
  },
};

type Watched = Program & { readonly complete: () => Promise<boolean>; readonly announced: () => Promise<boolean> };

async function start(bed: Bed, job: SeedJob | LeechJob): Promise<Watched> {
  const { host, port } = job.endpoint;
  const state = await bed.subfolder("qbittorrent");
  const webPort = bed.port();
  const settings = {
    LegalNotice: { Accepted: "true" },
    BitTorrent: {
      "Session\\Port": port,
      "Session\\Interface": "lo",
      "Session\\InterfaceName": "lo",
      "Session\\InterfaceAddress": host,
      "Session\\DHTEnabled": "false",
      "Session\\LSDEnabled": "false",
      "Session\\PeXEnabled": "false",
      "Session\\Encryption": 2,
      "Session\\MultiConnectionsPerIp": "true",
      "Session\\BTProtocol": "TCP",
      "Session\\QueueingSystemEnabled": "false",
      "Session\\RefreshInterval": 100,
      "Session\\DefaultSavePath": job.folder,
    },
    Network: { PortForwardingEnabled: "false" },
    Preferences: {
      "General\\Locale": "en",
      "WebUI\\Enabled": "true",
      "WebUI\\Address": "127.0.0.1",
      "WebUI\\UseUPnP": "false",
      "WebUI\\LocalHostAuth": "false",
      "Connection\\ResolvePeerCountries": "false",
    },
  };
  const text = Object.entries(settings)
    .map(([section, values]) => [`[${section}]`, ...Object.entries(values).map(([key, value]) => `${key}=${value}`)].join("\n"))
    .join("\n");
  await mkdir(join(state, "qBittorrent", "config"), { recursive: true });
  await writeFile(join(state, "qBittorrent", "config", "qBittorrent.conf"), `${text}\n`);
  const program = bed.start({
    name: "qbittorrent-nox",
    folder: state,
    command: [
      "qbittorrent-nox",
      `--profile=${state}`,
      `--webui-port=${webPort}`,
      `--save-path=${job.folder}`,
      "--add-paused=false",
      "--skip-dialog=true",
      job.torrent.path,
    ],
  });
  const ask = async <T>(path: string): Promise<readonly T[]> => {
    const answer = await fetch(`http://127.0.0.1:${webPort}/api/v2/torrents/${path}`).catch(() => undefined);
    return answer?.status === 200 ? ((await answer.json()) as T[]) : [];
  };
  const complete = async (): Promise<boolean> => {
    const torrents = await ask<{ state: string; progress: number }>("info");
    return torrents.some((torrent) => SEEDING.test(torrent.state) && torrent.progress === 1);
  };
  const announced = async (): Promise<boolean> => {
    const trackers = await ask<{ status: number }>(`trackers?hash=${job.torrent.infoHash}`);
    return trackers.some((tracker) => tracker.status === TRACKER_WORKING);
  };
  return Object.assign(program, { complete, announced });
}
