import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toHex } from "#/base/bytes.ts";
import { type Endpoint, formatEndpoint } from "#/base/ip.ts";
import {
  type AnnounceQuery,
  decodeAnnounceQuery,
  encodeAnnounceAnswer,
  encodeFailure,
  TrackerError,
} from "#/tracker/protocol/index.ts";

const INTERVAL_SECONDS = 1800;
/** Peers that are remembered of all torrents; a loopback tracker of one process needs no more. */
const MAX_PEERS = 64;

interface Member extends Endpoint {
  readonly infoHash: string;
  readonly isSeed: boolean;
}

/** An HTTP tracker (BEP 3, BEP 23) for clients of this machine: announces only, in memory only. */
export class DemoTracker implements AsyncDisposable {
  readonly url: string;
  readonly #owned: AsyncDisposableStack;

  private constructor(url: string, owned: AsyncDisposableStack) {
    this.url = url;
    this.#owned = owned;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async open(): Promise<DemoTracker> {
    const members = new Map<string, Member>(); // BOUNDED by MAX_PEERS
    const server = createServer((request, response) => {
      const { pathname, search } = new URL(request.url ?? "/", "http://tracker.invalid");
      if (pathname !== "/announce") return void response.writeHead(404).end();
      const host = request.socket.remoteAddress ?? "";
      response.setHeader("Content-Type", "text/plain").end(answer(search.slice(1), host, members));
    });
    await using stack = new AsyncDisposableStack();
    stack.adopt(server, async () => {
      server.closeAllConnections();
      await server[Symbol.asyncDispose]();
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    return new DemoTracker(`http://127.0.0.1:${port}/announce`, stack.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

function answer(query: string, host: string, members: Map<string, Member>): Uint8Array {
  let announce: AnnounceQuery;
  try {
    announce = decodeAnnounceQuery(query);
  } catch (error) {
    if (!(error instanceof TrackerError)) throw error;
    return encodeFailure({ reason: error.plainMessage });
  }
  const { event, left, port } = announce;
  const own: Member = { host, port, infoHash: toHex(announce.infoHash), isSeed: left === 0 };
  const key = `${own.infoHash} ${formatEndpoint(own)}`;
  members.delete(key);
  if (event !== "stopped" && members.size < MAX_PEERS) members.set(key, own);
  const others = [...members.values()].filter((member) => member.infoHash === own.infoHash && member !== own);
  const seeders = others.filter(({ isSeed }) => isSeed).length;
  const body = {
    intervalSeconds: INTERVAL_SECONDS,
    seeders,
    leechers: others.length - seeders,
    peers: event === "stopped" ? [] : others,
  };
  return encodeAnnounceAnswer(body, { compact: announce.compact ?? true });
}
