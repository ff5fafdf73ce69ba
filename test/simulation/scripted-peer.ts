import { Bitfield } from "#/base/bitfield.ts";
import { type RandomSource, seededRandom } from "#/base/random.ts";
import type { Link } from "#/bittorrent/swarm/index.ts";
import {
  createPeerId,
  encodeHandshake,
  encodeMessage,
  FrameDecoder,
  HandshakeDecoder,
  type WireMessage,
} from "#/bittorrent/wire/index.ts";
import { Host, type HostOptions, type Network } from "./network.ts";
import type { TestTorrent } from "./test-torrent.ts";

const PORT = 7000;

export type MessageOf<Type extends WireMessage["type"]> = WireMessage & { readonly type: Type };
export type RequestMessage = MessageOf<"request">;

/** A connection of a scripted peer, after both handshakes. */
export class ScriptedConnection {
  readonly link: Link;
  readonly peer: ScriptedPeer;
  /** Messages that came, in their order. */
  readonly received: WireMessage[] = [];
  readonly blocks: { readonly piece: number; readonly begin: number; readonly bytes: Uint8Array }[] = [];
  isClosed = false;

  constructor(link: Link, peer: ScriptedPeer) {
    this.link = link;
    this.peer = peer;
  }

  send(...messages: readonly WireMessage[]): void {
    for (const message of messages) this.sendBytes(encodeMessage(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.link.write(bytes);
  }

  /** The right answer to a request. */
  sendBlock(piece: number, begin: number, length: number): void {
    const { torrent } = this.peer;
    this.send({ type: "piece", piece, begin, block: torrent.pieceData(piece).slice(begin, begin + length) });
  }

  of<Type extends WireMessage["type"]>(type: Type): MessageOf<Type>[] {
    return this.received.filter((message): message is MessageOf<Type> => message.type === type);
  }
}

export interface ScriptedPeerOptions extends HostOptions {
  readonly network: Network;
  readonly torrent: TestTorrent;
  readonly ip: string;
  readonly seed: number;
  /** What it says it has. @default everything */
  readonly have?: "all" | Iterable<number>;
  readonly fast?: boolean;
  readonly peerId?: Uint8Array;
  /** The info-hash of its handshake. @default the torrent's */
  readonly torrentSaid?: Uint8Array;
  /** @default it says what it has and unchokes */
  readonly onConnected?: (connection: ScriptedConnection) => void;
  /** @default requests are answered with the right bytes */
  readonly onRequest?: (connection: ScriptedConnection, request: RequestMessage) => void;
  readonly onMessage?: (connection: ScriptedConnection, message: WireMessage) => void;
}

/** A peer that does on the wire what a test tells it, also what no peer should. It listens, and can dial. */
export class ScriptedPeer {
  readonly torrent: TestTorrent;
  readonly host: Host;
  readonly address: string;
  readonly peerId: Uint8Array;
  readonly have: Bitfield;
  readonly random: RandomSource;
  readonly network: Network;
  readonly connections: ScriptedConnection[] = [];
  readonly #options: ScriptedPeerOptions;

  constructor(options: ScriptedPeerOptions) {
    this.#options = options;
    this.torrent = options.torrent;
    this.network = options.network;
    this.host = new Host(options.ip, options);
    this.address = `${options.ip}:${PORT}`;
    this.random = seededRandom(options.seed);
    this.peerId = options.peerId ?? createPeerId(this.random);
    this.have = new Bitfield(this.torrent.pieceCount);
    if (options.have === undefined || options.have === "all") this.have.fill();
    else for (const piece of options.have) this.have.add(piece);
    this.network.listen(this.host, PORT, (link) => this.#open(link));
  }

  /** The connection that was opened last. */
  get connection(): ScriptedConnection {
    return this.connections.at(-1) as ScriptedConnection;
  }

  get openConnections(): ScriptedConnection[] {
    return this.connections.filter((connection) => !connection.isClosed);
  }

  dial(address: string): void {
    this.network.dial(this.host, address, (link) => {
      if (link !== undefined) this.#open(link);
    });
  }

  #open(link: Link): void {
    const connection = new ScriptedConnection(link, this);
    const handshake = new HandshakeDecoder();
    let frames: FrameDecoder | undefined;
    const { torrent, peerId } = this;
    const infoHash = this.#options.torrentSaid ?? torrent.infoHash;
    link.write(encodeHandshake({ infoHash, peerId, fast: this.#options.fast ?? true, extended: true }));
    link.start({
      onBytes: (bytes) => {
        if (frames !== undefined) {
          frames.receive(bytes);
          return;
        }
        const whole = handshake.push(bytes);
        if (whole === undefined) return;
        frames = this.#framesOf(connection);
        this.connections.push(connection);
        (this.#options.onConnected ?? introduce)(connection);
        frames.receive(whole.rest);
      },
      onClose: () => {
        connection.isClosed = true;
        frames?.stop();
      },
    });
  }

  #framesOf(connection: ScriptedConnection): FrameDecoder {
    let block: { piece: number; begin: number; bytes: Uint8Array } | undefined;
    let filled = 0;
    return new FrameDecoder(
      {
        message: (message) => {
          connection.received.push(message.type === "bitfield" ? { ...message, bits: message.bits.slice() } : message);
          this.#options.onMessage?.(connection, message);
          if (message.type === "request") (this.#options.onRequest ?? answer)(connection, message as RequestMessage);
        },
        keepAlive: () => {},
        unknown: () => {},
        blockStart: (piece, begin, length) => {
          block = { piece, begin, bytes: new Uint8Array(length) };
          filled = 0;
        },
        blockData: (bytes) => {
          block?.bytes.set(bytes, filled);
          filled += bytes.byteLength;
        },
        blockEnd: () => {
          if (block !== undefined) connection.blocks.push(block);
        },
      },
      { maxMessageLength: 1_000_000, maxBlockLength: 1_000_000 },
    );
  }
}

/** Says what the peer has. */
export function sayWhatItHas(connection: ScriptedConnection): void {
  connection.send({ type: "bitfield", bits: connection.peer.have.bytes });
}

function introduce(connection: ScriptedConnection): void {
  sayWhatItHas(connection);
  connection.send({ type: "unchoke" });
}

function answer(connection: ScriptedConnection, { piece, begin, length }: RequestMessage): void {
  connection.sendBlock(piece, begin, length);
}
