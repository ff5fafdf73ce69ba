/** A peer that says it has everything and sends blocks that are wrong. */
import { createServer, type Server, type Socket } from "node:net";
import { toHex } from "#/base/bytes.ts";
import type { Endpoint } from "#/base/ip.ts";
import { systemRandom } from "#/base/random.ts";
import type { Metainfo } from "#/bittorrent/metainfo/index.ts";
import {
  type BlockMessage,
  createPeerId,
  encodeHandshake,
  encodeMessage,
  FrameDecoder,
  HandshakeDecoder,
} from "#/bittorrent/wire/index.ts";

/** Time between two blocks: so slow that an honest peer has its share of the same piece. */
const BLOCK_INTERVAL_MS = 20;
const BLOCK_LENGTH = 16 << 10;

export class Liar implements AsyncDisposable {
  readonly endpoint: Endpoint;
  /** Blocks sent of each piece. */
  readonly blocksSent = new Map<number, number>();
  /** Connections that got as far as a handshake of ours. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  /** Listens at `endpoint` for peers of the torrent. */
  static async open(endpoint: Endpoint, metainfo: Metainfo): Promise<Liar> {
    const server = createServer((socket) => liar.#serve(socket, metainfo));
    const liar = new Liar(server, endpoint);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(endpoint.port, endpoint.host, resolve);
    });
    return liar;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #serve(socket: Socket, metainfo: Metainfo): void {
    this.#sockets.add(socket);
    const wanted: BlockMessage[] = [];
    const sender = setInterval(() => {
      const request = wanted.shift();
      if (request === undefined) return;
      const { piece, begin, length } = request;
      this.blocksSent.set(piece, (this.blocksSent.get(piece) ?? 0) + 1);
      socket.write(encodeMessage({ type: "piece", piece, begin, block: systemRandom.bytes(length) }));
    }, BLOCK_INTERVAL_MS);
    const nothing = (): void => {};
    const frames = new FrameDecoder(
      {
        message(message) {
          if (message.type === "interested") socket.write(encodeMessage({ type: "unchoke" }));
          else if (message.type === "request") wanted.push(message);
        },
        keepAlive: nothing,
        unknown: nothing,
        blockStart: nothing,
        blockData: nothing,
        blockEnd: nothing,
      },
      { maxMessageLength: 1 << 20, maxBlockLength: BLOCK_LENGTH },
    );
    const handshake = new HandshakeDecoder();
    let isGreeted = false;
    socket.on("error", nothing).on("close", () => {
      clearInterval(sender);
      this.#sockets.delete(socket);
    });
    socket.on("data", (chunk: Uint8Array) => {
      if (isGreeted) return frames.receive(chunk);
      const greeting = handshake.push(chunk);
      if (greeting === undefined || toHex(greeting.handshake.infoHash) !== metainfo.infoHashHex) return;
      isGreeted = true;
      this.connections++;
      socket.write(encodeHandshake({ infoHash: metainfo.infoHash, peerId: createPeerId(systemRandom) }));
      const bits = new Uint8Array(Math.ceil(metainfo.pieceCount / 8));
      for (let piece = 0; piece < metainfo.pieceCount; piece++)
        bits[piece >>> 3] = (bits[piece >>> 3] ?? 0) | (0x80 >> (piece & 7));
      socket.write(encodeMessage({ type: "bitfield", bits }));
      frames.receive(greeting.rest);
    });
  }
}
