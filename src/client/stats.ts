import type { Peer, SwarmCounters } from "#/bittorrent/swarm/index.ts";

export type TorrentState = "checking" | "downloading" | "seeding" | "paused" | "stopped" | "closed";

/** One look at a torrent. Sizes are bytes, rates bytes a second. */
export interface TorrentStats {
  readonly name: string;
  readonly infoHash: string;
  readonly state: TorrentState;
  /** The code of what stopped it. */
  readonly stoppedBy: string | undefined;
  readonly totalBytes: number;
  /** Of the files that are wanted. */
  readonly wantedBytes: number;
  /** Of what is wanted, verified on disk. */
  readonly doneBytes: number;
  readonly pieces: {
    readonly total: number;
    readonly have: number;
    readonly wantedLeft: number;
    readonly underWay: number;
    readonly hashing: number;
  };
  /** Share of the check that is done, 0 to 1; 1 when none is under way. */
  readonly checked: number;
  readonly downRate: number;
  readonly upRate: number;
  /** Payload over all sessions. */
  readonly downloaded: number;
  readonly uploaded: number;
  readonly peers: PeerCounts;
  /** Addresses that are known, connected or not. */
  readonly knownAddresses: number;
  /** Requests under way to peers, and waiting here from peers. */
  readonly requestsToPeers: number;
  readonly requestsFromPeers: number;
  readonly uploadSlots: number;
  /** Seconds until it is done at the present rate; undefined when it does not move. */
  readonly secondsLeft: number | undefined;
  readonly counters: Readonly<SwarmCounters>;
}

export interface PeerCounts {
  readonly connected: number;
  readonly seeds: number;
  readonly incoming: number;
  readonly outgoing: number;
  /** Peers that send to us, and that we send to. */
  readonly unchokingUs: number;
  readonly unchokedByUs: number;
  readonly interestedInUs: number;
  readonly snubbed: number;
  /** By what carries the connection. */
  readonly byTransport: Readonly<Record<string, number>>;
}

export function countPeers(peers: Iterable<Peer>): PeerCounts {
  const counts = {
    connected: 0,
    seeds: 0,
    incoming: 0,
    outgoing: 0,
    unchokingUs: 0,
    unchokedByUs: 0,
    interestedInUs: 0,
    snubbed: 0,
    byTransport: {} as Record<string, number>,
  };
  for (const peer of peers) {
    counts.connected++;
    if (peer.isSeed) counts.seeds++;
    if (peer.direction === "incoming") counts.incoming++;
    else counts.outgoing++;
    if (!peer.isChoking) counts.unchokingUs++;
    if (!peer.amChoking) counts.unchokedByUs++;
    if (peer.isInterested) counts.interestedInUs++;
    if (peer.isSnubbed) counts.snubbed++;
    for (const { link } of peer.connections) counts.byTransport[link.transport] = (counts.byTransport[link.transport] ?? 0) + 1;
  }
  return counts;
}

/** One look at a peer. */
export interface PeerStats {
  readonly address: string;
  readonly client: string;
  readonly direction: "incoming" | "outgoing";
  readonly transports: readonly string[];
  /** Share of the torrent that it has, 0 to 1. */
  readonly progress: number;
  readonly downRate: number;
  readonly upRate: number;
  readonly downloaded: number;
  readonly uploaded: number;
  readonly isChoking: boolean;
  readonly isInterested: boolean;
  readonly amChoking: boolean;
  readonly amInterested: boolean;
  readonly isSnubbed: boolean;
  readonly isOptimistic: boolean;
  readonly requestsToIt: number;
  readonly requestsFromIt: number;
  readonly hashFailures: number;
}

export function peerStats(peer: Peer): PeerStats {
  let requestsFromIt = 0;
  for (const connection of peer.connections) requestsFromIt += connection.requested.size;
  return {
    address: peer.address,
    client: peer.clientName,
    direction: peer.direction,
    transports: peer.connections.map(({ link }) => link.transport),
    progress: peer.have.length === 0 ? 1 : peer.have.count / peer.have.length,
    downRate: peer.downloaded.rateBytesPerSecond,
    upRate: peer.uploaded.rateBytesPerSecond,
    downloaded: peer.downloaded.total,
    uploaded: peer.uploaded.total,
    isChoking: peer.isChoking,
    isInterested: peer.isInterested,
    amChoking: peer.amChoking,
    amInterested: peer.amInterested,
    isSnubbed: peer.isSnubbed,
    isOptimistic: peer.isOptimistic,
    requestsToIt: peer.pendingRequests,
    requestsFromIt,
    hashFailures: peer.hashFailures,
  };
}
