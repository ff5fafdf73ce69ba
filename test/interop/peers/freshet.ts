/** Freshet's own command line as a program under test. */
import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { type Endpoint, formatEndpoint } from "#/base/ip.ts";
import type { Bed } from "../bed.ts";
import type { Program } from "../program.ts";
import type { Torrent } from "../torrent.ts";

const LAUNCHER = resolve(import.meta.dirname, "../../../bin/freshet.js");
const INTERRUPTED = 130;

/** A line of `--json` output. */
export interface FreshetEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** A running `freshet` with `--json`. */
export class Freshet {
  readonly program: Program;
  readonly endpoint: Endpoint;

  constructor(program: Program, endpoint: Endpoint) {
    this.program = program;
    this.endpoint = endpoint;
  }

  /** Everything it said so far. */
  events(): FreshetEvent[] {
    return this.program.output.map((line) => JSON.parse(line) as FreshetEvent);
  }

  /** Waits for an event of that name whose fields, as far as they are named, are those given. */
  until(event: string, fields: Readonly<Record<string, unknown>> = {}, timeoutMs?: number): Promise<FreshetEvent> {
    const wanted = Object.entries({ event, ...fields });
    const matches = (said: FreshetEvent): boolean => wanted.every(([name, value]) => said[name] === value);
    return this.program.until(JSON.stringify({ event, ...fields }), () => this.events().find(matches), timeoutMs);
  }

  /** Waits until a download that was not told to go on has ended by itself, with success. */
  async finished(): Promise<void> {
    await this.until("done");
    assert.equal(await this.program.ended, 0, "exit status after the last event");
    assert.equal(this.events().at(-1)?.event, "done");
  }

  /** Ctrl-C. */
  async interrupt(): Promise<void> {
    assert.equal(await this.program.stop("SIGINT"), INTERRUPTED, `exit status after Ctrl-C\n${this.program.tail()}`);
  }
}

/** Runs a freshet command to its end, which has to be a good one. */
export async function runFreshet(bed: Bed, args: readonly string[]): Promise<void> {
  const folder = await bed.subfolder("freshet");
  const program = bed.start({ name: "freshet", folder, command: [process.execPath, LAUNCHER, ...args] });
  assert.equal(await program.ended, 0, program.tail());
}

/** Starts a freshet command with `--json`, listening at `endpoint`. */
export async function startFreshet(bed: Bed, endpoint: Endpoint, args: readonly string[], stateFolder?: string): Promise<Freshet> {
  const folder = await bed.subfolder("freshet");
  const [command = "", ...rest] = args;
  const state = stateFolder ?? join(folder, "state");
  const program = bed.start({
    name: "freshet",
    folder,
    command: [process.execPath, LAUNCHER, command, ...rest, "--json", "--listen", formatEndpoint(endpoint), "--state", state],
  });
  return new Freshet(program, endpoint);
}

/** Starts `freshet download` with the peers given and no tracker. */
export function freshetDownload(
  bed: Bed,
  job: {
    readonly torrents: readonly Torrent[];
    readonly folder: string;
    readonly endpoint: Endpoint;
    readonly peers: readonly Endpoint[];
  },
  more: readonly string[] = [],
  stateFolder?: string,
): Promise<Freshet> {
  const peers = job.peers.flatMap((peer) => ["--peer", formatEndpoint(peer)]);
  const torrents = job.torrents.map((torrent) => torrent.path);
  return startFreshet(
    bed,
    job.endpoint,
    ["download", ...torrents, "-o", job.folder, "--no-tracker", ...peers, ...more],
    stateFolder,
  );
}

/** Starts `freshet seed` without a tracker; returns when the data is checked and peers are served. `folder` holds the torrent's file or folder. */
export async function freshetSeed(
  bed: Bed,
  job: { readonly torrent: Torrent; readonly folder: string; readonly endpoint: Endpoint },
  more: readonly string[] = [],
  stateFolder?: string,
): Promise<Freshet> {
  const data = join(job.folder, job.torrent.name);
  const freshet = await startFreshet(bed, job.endpoint, ["seed", job.torrent.path, data, "--no-tracker", ...more], stateFolder);
  await freshet.until("seeding");
  return freshet;
}
