import type { Link, LinkListener } from "#/bittorrent/swarm/index.ts";
import { FrameDecoder, type WireMessage } from "#/bittorrent/wire/index.ts";
import { Peer } from "../src/bittorrent/swarm/peer.ts";
import { type ConnectionOwner, PeerConnection } from "../src/bittorrent/swarm/peer-connection.ts";

/** A link that keeps what is written and takes it only when told. */
export class RecordingLink implements Link {
  readonly transport = "recorded";
  readonly address: string;
  readonly host: string;
  readonly writes: Uint8Array[] = [];
  listener: LinkListener | undefined;
  isClosed = false;
  isPaused = false;
  queuedBytes = 0;
  /** Whether written bytes stay queued until `flush`. */
  isBlocked = false;
  readonly #onSent: (() => void)[] = [];

  constructor(address = "10.0.0.9:6881") {
    this.address = address;
    this.host = address.slice(0, address.lastIndexOf(":"));
  }

  start(listener: LinkListener): void {
    this.listener = listener;
  }

  write(bytes: Uint8Array, onSent: () => void = () => {}): void {
    this.writes.push(bytes.slice());
    if (!this.isBlocked) {
      onSent();
      return;
    }
    this.queuedBytes += bytes.byteLength;
    this.#onSent.push(onSent);
  }

  flush(): void {
    this.queuedBytes = 0;
    for (const onSent of this.#onSent.splice(0)) onSent();
  }

  pauseReading(): void {
    this.isPaused = true;
  }

  resumeReading(): void {
    this.isPaused = false;
  }

  close(): void {
    this.isClosed = true;
  }

  /** What was written since the last call, as messages; blocks are whole. */
  messages(): WireMessage[] {
    const messages: WireMessage[] = [];
    let block = new Uint8Array(0);
    let filled = 0;
    const decoder = new FrameDecoder(
      {
        message: (message) => messages.push(message),
        keepAlive: () => {},
        unknown: () => {},
        blockStart: (piece, begin, length) => {
          block = new Uint8Array(length);
          filled = 0;
          messages.push({ type: "piece", piece, begin, block });
        },
        blockData: (bytes) => {
          block.set(bytes, filled);
          filled += bytes.byteLength;
        },
        blockEnd: () => {},
      },
      { maxMessageLength: 1_000_000, maxBlockLength: 1_000_000 },
    );
    for (const bytes of this.writes.splice(0)) decoder.receive(bytes);
    return messages;
  }
}

let ids = 0;

/** A peer, unchoking and unchoked unless told otherwise. */
export function createPeer(options: {
  readonly pieceCount?: number;
  readonly fast?: boolean;
  readonly now?: number;
  readonly has?: "all" | Iterable<number>;
}): Peer {
  const { pieceCount = 8, fast = true, now = 0, has = "all" } = options;
  const id = new Uint8Array(20);
  new DataView(id.buffer).setUint32(16, ++ids);
  const host = `10.1.${ids >> 8}.${ids & 255}`;
  const peer = new Peer({ id, address: `${host}:6881`, host, direction: "incoming", pieceCount, fast, extended: true, now });
  if (has === "all") peer.have.fill();
  else for (const piece of has) peer.have.add(piece);
  peer.isChoking = false;
  peer.amChoking = false;
  peer.isInterested = true;
  peer.amInterested = true;
  return peer;
}

/** What a recorded connection's owner is told; a test overrides what it needs. */
export type OwnerCalls = Partial<Omit<ConnectionOwner, "counters">>;

export function connect(
  peer: Peer,
  calls: OwnerCalls = {},
): { readonly connection: PeerConnection; readonly link: RecordingLink; readonly closed: Error[] } {
  const link = new RecordingLink(peer.address);
  const closed: Error[] = [];
  const connection = new PeerConnection(link, peer, {
    counters: { sentBytes: 0 },
    now: () => 0,
    messageReceived: () => {},
    blockStarted: () => {},
    blockArriving: () => {},
    blockEnded: () => {},
    bytesReceived: () => {},
    connectionClosed: (_, reason) => closed.push(reason),
    ...calls,
  });
  peer.connections.push(connection);
  return { connection, link, closed };
}
