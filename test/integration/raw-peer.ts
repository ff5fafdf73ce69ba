/** A peer that does on a real socket what a test tells it, also what no peer should. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { tryParseEndpoint } from "#/base/ip.ts";
import { systemRandom } from "#/base/random.ts";
import {
  createPeerId,
  decodeExtensionHandshake,
  type ExtensionHandshake,
  encodeHandshake,
  encodeMessage,
  FrameDecoder,
  HandshakeDecoder,
  type WireMessage,
} from "#/bittorrent/wire/index.ts";
import { BLOCK, type Sample } from "./bed.ts";

export interface RawPeerOptions {
  readonly sample: Sample;
  readonly peerId?: Uint8Array;
  /** @default true */
  readonly fast?: boolean;
  /** Whether the connection is read from the start; else nothing is, not even the handshake. @default true */
  readonly reads?: boolean;
}

type MessageOf<Type extends WireMessage["type"]> = WireMessage & { readonly type: Type };

/** One connection, seen from the test's side. */
export class RawPeer {
  readonly socket: Socket;
  readonly sample: Sample;
  readonly peerId: Uint8Array;
  /** Messages without blocks, in their order. */
  readonly received: WireMessage[] = [];
  readonly blocks: { readonly piece: number; readonly begin: number; readonly length: number }[] = [];
  onMessage: ((message: WireMessage) => void) | undefined;
  isClosed = false;
  hasHandshake = false;
  readonly #fast: boolean;
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket, options: RawPeerOptions) {
    this.socket = socket;
    this.sample = options.sample;
    this.peerId = options.peerId ?? createPeerId(systemRandom);
    this.#fast = options.fast ?? true;
    const handshakes = new HandshakeDecoder();
    const frames = new FrameDecoder(this, { maxMessageLength: 2 ** 20, maxBlockLength: 2 ** 17 });
    socket.on("data", (chunk: Buffer) => {
      if (this.hasHandshake) frames.receive(chunk);
      else {
        const whole = handshakes.push(chunk);
        if (whole === undefined) return;
        this.hasHandshake = true;
        frames.receive(whole.rest);
      }
      this.#wake();
    });
    if (options.reads === false) socket.pause();
    socket.on("error", () => {}); // a reset is one way to be dropped
    socket.on("close", () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  /** Connects and sends nothing. */
  static async connect(t: TestContext, address: string, options: RawPeerOptions): Promise<RawPeer> {
    const endpoint = tryParseEndpoint(address);
    if (endpoint === undefined) throw new RangeError(address);
    const socket = connect({ ...endpoint, noDelay: true });
    t.after(() => socket.destroy());
    const peer = new RawPeer(socket, options);
    await once(socket, "connect");
    return peer;
  }

  /** Connects and sends the handshake. */
  static async dial(t: TestContext, address: string, options: RawPeerOptions): Promise<RawPeer> {
    const peer = await RawPeer.connect(t, address, options);
    peer.sendHandshake();
    return peer;
  }

  /** What the other side said in its extension handshake, if it did. */
  get extension(): ExtensionHandshake | undefined {
    const message = this.of("extended").find(({ id }) => id === 0);
    return message === undefined ? undefined : decodeExtensionHandshake(message.payload);
  }

  of<Type extends WireMessage["type"]>(type: Type): MessageOf<Type>[] {
    return this.received.filter((message): message is MessageOf<Type> => message.type === type);
  }

  sendHandshake(infoHash = this.sample.metainfo.infoHash): void {
    this.socket.write(encodeHandshake({ infoHash, peerId: this.peerId, fast: this.#fast, extended: true }));
  }

  send(...messages: readonly WireMessage[]): void {
    for (const message of messages) this.socket.write(encodeMessage(message));
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** From then on requests are answered with the right blocks, in their order. */
  serve(): void {
    this.onMessage = (message) => {
      if (message.type !== "request") return;
      const { piece, begin, length } = message;
      this.send({ type: "piece", piece, begin, block: this.sample.pieceContent(piece).subarray(begin, begin + length) });
    };
  }

  /** Resolves when the condition holds; looks whenever something came or the connection closed. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.isClosed) throw new Error("the connection was closed");
      await this.#changed.promise;
    }
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await this.#changed.promise;
  }

  message(message: WireMessage): void {
    this.received.push(message.type === "extended" ? { ...message, payload: Uint8Array.from(message.payload) } : message);
    this.onMessage?.(message);
  }

  keepAlive(): void {}

  unknown(): void {}

  blockStart(piece: number, begin: number, length: number): void {
    this.blocks.push({ piece, begin, length });
  }

  blockData(): void {}

  blockEnd(): void {}

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }
}

/** Accepts connections of clients; what it does with each is the test's. */
export class RawListener {
  readonly peers: RawPeer[] = [];
  readonly address: string;
  readonly port: number;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    const { address, port } = server.address() as AddressInfo;
    this.port = port;
    this.address = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  }

  static async open(
    t: TestContext,
    options: RawPeerOptions & { readonly host?: string; readonly onPeer?: (peer: RawPeer) => void },
  ): Promise<RawListener> {
    const server = createServer({ pauseOnConnect: options.reads === false }).listen(0, options.host ?? "127.0.0.1");
    await once(server, "listening");
    const listener = new RawListener(server);
    server.on("connection", (socket: Socket) => {
      t.after(() => socket.destroy());
      const peer = new RawPeer(socket, options);
      listener.peers.push(peer);
      options.onPeer?.(peer);
    });
    t.after(() => server.close());
    return listener;
  }

  /** A seeder that answers every request at once, in order. */
  static seeder(t: TestContext, sample: Sample, host?: string): Promise<RawListener> {
    const onPeer = (peer: RawPeer): void => {
      peer.serve();
      peer.sendHandshake();
      peer.send({ type: "haveAll" }, { type: "unchoke" });
    };
    return RawListener.open(t, { sample, onPeer, ...(host === undefined ? {} : { host }) });
  }

  close(): void {
    this.#server.close();
  }
}

/** Requests for all blocks of a torrent, in order. */
export function* allRequests(sample: Sample): Generator<MessageOf<"request">> {
  const { pieceCount } = sample.metainfo;
  for (let piece = 0; piece < pieceCount; piece++) {
    const size = sample.metainfo.pieceSize(piece);
    for (let begin = 0; begin < size; begin += BLOCK) {
      yield { type: "request", piece, begin, length: Math.min(BLOCK, size - begin) };
    }
  }
}
