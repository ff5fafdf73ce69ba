/** Everything that is counted of a torrent or, added up, of a client. All values only grow. */
export interface SwarmCounters {
  /** Payload: bytes of blocks that were asked for and kept, or served. */
  downloadedBytes: number;
  uploadedBytes: number;
  /** All bytes of connections, with message headers and what is not payload. */
  receivedBytes: number;
  sentBytes: number;
  /** Blocks that came although their requests were taken back, and those that nobody asked for: not kept. */
  redundantBytes: number;
  unsolicitedBytes: number;
  /** Kept blocks of pieces that failed their hash, and those given up for another reason. The other kept ones are verified or under way. */
  failedBytes: number;
  abandonedBytes: number;
  verifiedPieces: number;
  hashFailures: number;
  requestsSent: number;
  requestsReceived: number;
  requestsRejected: number;
  cancelsSent: number;
  cancelsReceived: number;
  endGameRequests: number;
  requestTimeouts: number;
  memoryWaits: number;
  dialsStarted: number;
  dialsFailed: number;
  connectionsAccepted: number;
  handshakesCompleted: number;
  handshakesFailed: number;
  peersDropped: number;
  peersBanned: number;
  unchokes: number;
  chokes: number;
}

export function createCounters(): SwarmCounters {
  return {
    downloadedBytes: 0,
    uploadedBytes: 0,
    receivedBytes: 0,
    sentBytes: 0,
    redundantBytes: 0,
    unsolicitedBytes: 0,
    failedBytes: 0,
    abandonedBytes: 0,
    verifiedPieces: 0,
    hashFailures: 0,
    requestsSent: 0,
    requestsReceived: 0,
    requestsRejected: 0,
    cancelsSent: 0,
    cancelsReceived: 0,
    endGameRequests: 0,
    requestTimeouts: 0,
    memoryWaits: 0,
    dialsStarted: 0,
    dialsFailed: 0,
    connectionsAccepted: 0,
    handshakesCompleted: 0,
    handshakesFailed: 0,
    peersDropped: 0,
    peersBanned: 0,
    unchokes: 0,
    chokes: 0,
  };
}

/** Adds each counter of `from` to `into`. */
export function addCounters(into: SwarmCounters, from: SwarmCounters): void {
  for (const key of Object.keys(from) as (keyof SwarmCounters)[]) into[key] += from[key];
}
