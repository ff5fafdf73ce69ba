import { seededRandom } from "#/base/random.ts";
import { type HostOptions, Network } from "./network.ts";
import { ScriptedPeer, type ScriptedPeerOptions } from "./scripted-peer.ts";
import { Station, type StationOptions } from "./station.ts";
import { TestTorrent } from "./test-torrent.ts";
import { Timeline } from "./timeline.ts";

type Own = "network" | "torrent" | "ip" | "seed";

/** One torrent, one network, and whoever is put on it; the same seed gives the same course of events. */
export class Scene {
  readonly timeline = new Timeline();
  readonly torrent: TestTorrent;
  readonly network: Network;
  readonly stations: Station[] = [];
  readonly seed: number;
  #hosts = 0;

  constructor(options: { readonly torrent?: TestTorrent; readonly seed?: number } = {}) {
    this.seed = options.seed ?? 1;
    this.torrent = options.torrent ?? new TestTorrent();
    this.network = new Network(this.timeline, seededRandom(this.seed ^ 0x5eed));
  }

  station(options: Omit<StationOptions, Own> = {}): Station {
    const { network, torrent } = this;
    const ip = this.#nextIp();
    const station = new Station({ network, torrent, ip, seed: this.seed * 1000 + this.#hosts, ...options });
    this.stations.push(station);
    return station;
  }

  seeder(options: Omit<StationOptions, Own> = {}): Station {
    return this.station({ have: "all", ...options });
  }

  scripted(options: Omit<ScriptedPeerOptions, Own> & HostOptions = {}): ScriptedPeer {
    const { network, torrent } = this;
    return new ScriptedPeer({ network, torrent, ip: this.#nextIp(), seed: this.seed * 1000 + this.#hosts, ...options });
  }

  /** Lets time pass until all of them have everything they want and their disks are idle. @returns ms; undefined when it took longer */
  runUntilComplete(stations: readonly Station[], limitMs: number): number | undefined {
    const done = (): boolean => stations.every((station) => station.isComplete && station.store.waitingChunks === 0);
    return this.timeline.runUntil(done, limitMs);
  }

  #nextIp(): string {
    this.#hosts++;
    return `10.${this.#hosts >> 8}.${this.#hosts & 255}.1`;
  }
}
