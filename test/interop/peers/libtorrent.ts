import { join } from "node:path";
import { type Endpoint, formatEndpoint } from "#/base/ip.ts";
import type { Bed } from "../bed.ts";
import type { Program } from "../program.ts";
import type { Torrent } from "../torrent.ts";
import type { PeerProgram } from "./peer.ts";

const SYSTEM_PYTHON = "/usr/bin/python3"; // Debian's binding is built for this one only

/** One torrent of a libtorrent session. */
export interface LibtorrentTorrent {
  readonly torrent: Torrent;
  readonly folder: string;
  /** Whom to connect to, besides those that the tracker names. */
  readonly peers?: readonly Endpoint[];
  /** Takes the data for right without reading it first. */
  readonly trusted?: boolean;
  /** The only pieces wanted; default: all. */
  readonly pieces?: readonly number[];
  /** Bytes a second. */
  readonly uploadLimit?: number;
}

/** A session with any number of torrents on one port. */
export interface LibtorrentSession {
  readonly program: Program;
  readonly endpoint: Endpoint;
  /** Waits until everything wanted of the torrent is on disk. */
  complete(torrent: Torrent): Promise<void>;
}

export async function openLibtorrent(
  bed: Bed,
  endpoint: Endpoint,
  torrents: readonly LibtorrentTorrent[],
  options: { readonly prefersEncryption?: boolean } = {},
): Promise<LibtorrentSession> {
  const job = {
    listen: formatEndpoint(endpoint),
    prefersEncryption: options.prefersEncryption ?? false,
    torrents: torrents.map(({ torrent, peers, ...rest }) => ({
      path: torrent.path,
      peers: peers?.map((peer) => [peer.host, peer.port]) ?? [],
      ...rest,
    })),
  };
  const script = join(import.meta.dirname, "libtorrent_peer.py");
  const folder = await bed.subfolder("libtorrent");
  const program = bed.start({ name: "libtorrent", folder, command: [SYSTEM_PYTHON, script, JSON.stringify(job)] });
  await program.untilLine(/"event": "listening"/);
  return {
    program,
    endpoint,
    complete: async (torrent) => void (await program.untilLine(new RegExp(`"complete", "infoHash": "${torrent.infoHash}"`))),
  };
}

export const libtorrent: PeerProgram = {
  name: "libtorrent",
  requirement: { command: [SYSTEM_PYTHON, "-c", "import libtorrent"], debianPackage: "python3-libtorrent" },
  host: "127.0.0.1",
  makesEmptyFiles: true,
  async seed(bed, job) {
    const session = await openLibtorrent(bed, job.endpoint, [{ torrent: job.torrent, folder: job.folder }]);
    await session.complete(job.torrent);
    return session;
  },
  async leech(bed, job) {
    const session = await openLibtorrent(bed, job.endpoint, [{ torrent: job.torrent, folder: job.folder }]);
    return { ...session, finished: () => session.complete(job.torrent) };
  },
};
