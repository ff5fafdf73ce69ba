/** What the tests ask of a BitTorrent program, whichever it is. */
import type { Endpoint } from "#/base/ip.ts";
import type { Bed, Requirement } from "../bed.ts";
import type { Program } from "../program.ts";
import type { Torrent } from "../torrent.ts";

export interface SeedJob {
  readonly torrent: Torrent;
  /** The folder that holds the file or folder of the torrent. */
  readonly folder: string;
  readonly endpoint: Endpoint;
}

export interface LeechJob {
  readonly torrent: Torrent;
  /** Where the file or folder of the torrent is to appear. */
  readonly folder: string;
  readonly endpoint: Endpoint;
}

export interface RunningPeer {
  readonly program: Program;
  readonly endpoint: Endpoint;
}

export interface LeechingPeer extends RunningPeer {
  /** Waits until the program says that it has everything. */
  finished(): Promise<void>;
}

/** A program as the matrix of tests drives it. It finds its peers through the tracker of the torrent. */
export interface PeerProgram {
  readonly name: string;
  readonly requirement: Requirement;
  /** The address to give it, since not all of them accept 127.0.0.1. */
  readonly host: string;
  /** Whether a download of it has the files of length 0. */
  readonly makesEmptyFiles: boolean;
  /** Returns when the data is checked and the port listens. */
  seed(bed: Bed, job: SeedJob): Promise<RunningPeer>;
  /** Returns when the program runs. */
  leech(bed: Bed, job: LeechJob): Promise<LeechingPeer>;
}
