import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Endpoint, formatEndpoint } from "#/base/ip.ts";
import { BencodeDictionary, decode } from "#/bittorrent/bencode/index.ts";
import type { Bed, Requirement } from "../bed.ts";
import type { Program } from "../program.ts";
import type { Torrent } from "../torrent.ts";

export const opentrackerRequirement: Requirement = { command: ["opentracker", "-h"], debianPackage: "opentracker" };

/** Announce URLs of a tracker that is about to listen there. */
export function trackerUrls(endpoint: Endpoint): { readonly http: string; readonly udp: string } {
  const address = formatEndpoint(endpoint);
  return { http: `http://${address}/announce`, udp: `udp://${address}/announce` };
}

export interface SwarmCounts {
  readonly complete: number;
  readonly incomplete: number;
  readonly downloaded: number;
}

/** opentracker for the torrents given: Debian's serves those on its list only. */
export class Opentracker {
  readonly program: Program;
  readonly #endpoint: Endpoint;

  private constructor(program: Program, endpoint: Endpoint) {
    this.program = program;
    this.#endpoint = endpoint;
  }

  static async open(bed: Bed, endpoint: Endpoint, torrents: readonly Torrent[]): Promise<Opentracker> {
    const folder = await bed.subfolder("opentracker");
    await writeFile(join(folder, "list"), torrents.map((torrent) => `${torrent.infoHash}\n`).join(""));
    const address = ["-i", endpoint.host, "-p", `${endpoint.port}`, "-P", `${endpoint.port}`];
    // It does not run as root, which the namespace may know as the only user: so it gets another user in one more namespace.
    const asUser = ["unshare", "--user", "--map-user=1000", "--map-group=1000"] as const;
    const command = [...asUser, "opentracker", ...address, "-d", folder, "-w", "list"] as const;
    const program = bed.start({ name: "opentracker", folder, command });
    await program.untilListening(endpoint.port, "tcp");
    await program.untilListening(endpoint.port, "udp");
    return new Opentracker(program, endpoint);
  }

  /** What it knows of a torrent, by an HTTP scrape. */
  async counts(torrent: Torrent): Promise<SwarmCounts> {
    const query = torrent.infoHash.replace(/../g, "%$&");
    const answer = await fetch(`http://${formatEndpoint(this.#endpoint)}/scrape?info_hash=${query}`);
    const number = (dictionary: BencodeDictionary | undefined, key: string): number => Number(dictionary?.get(key) ?? 0);
    const files = asDictionary(asDictionary(decode(await answer.bytes()))?.get("files"));
    const entry = asDictionary([...(files?.entries() ?? [])][0]?.[1]);
    return {
      complete: number(entry, "complete"),
      incomplete: number(entry, "incomplete"),
      downloaded: number(entry, "downloaded"),
    };
  }

  /** Waits until it counts so many peers, as far as they are named. */
  async until(torrent: Torrent, wanted: Partial<SwarmCounts>): Promise<void> {
    await this.program.until(`a scrape of ${JSON.stringify(wanted)}`, async () => {
      const counts = await this.counts(torrent);
      return Object.entries(wanted).every(([name, value]) => counts[name as keyof SwarmCounts] === value);
    });
  }
}

function asDictionary(value: unknown): BencodeDictionary | undefined {
  return value instanceof BencodeDictionary ? value : undefined;
}
