/** A tracker over HTTP that says what a test tells it, and remembers what it was told. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { type Endpoint, encodeCompactEndpoint, ipFamily } from "#/base/ip.ts";

export interface HeardAnnounce {
  readonly event: string | undefined;
  readonly port: number;
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
}

export class HttpTracker {
  readonly url: string;
  readonly heard: HeardAnnounce[] = [];
  /** Whom it names to everybody, the asker included. */
  peers: readonly Endpoint[] = [];
  /** Whether it answers; else it takes what comes and stays silent. */
  answers = true;
  #changed = Promise.withResolvers<void>();

  private constructor(server: Server) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/announce`;
  }

  static async open(t: TestContext): Promise<HttpTracker> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const tracker = new HttpTracker(server);
    server.on("request", (request, response) => {
      tracker.#hear(new URL(request.url ?? "/", tracker.url).searchParams);
      if (tracker.answers) response.end(tracker.#answer());
    });
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    return tracker;
  }

  /** Resolves with the first announce with this event. */
  async heardEvent(event: string): Promise<HeardAnnounce> {
    for (;;) {
      const found = this.heard.find((each) => each.event === event);
      if (found !== undefined) return found;
      await this.#changed.promise;
    }
  }

  async heardTimes(count: number): Promise<void> {
    while (this.heard.length < count) await this.#changed.promise;
  }

  #hear(query: URLSearchParams): void {
    const number = (name: string): number => Number(query.get(name));
    this.heard.push({
      event: query.get("event") ?? undefined,
      port: number("port"),
      uploaded: number("uploaded"),
      downloaded: number("downloaded"),
      left: number("left"),
    });
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers();
    resolve();
  }

  #answer(): Buffer {
    const compact = (family: 4 | 6): Buffer =>
      Buffer.concat(this.peers.filter((peer) => ipFamily(peer.host) === family).map(encodeCompactEndpoint));
    const [v4, v6] = [compact(4), compact(6)];
    return Buffer.concat([
      Buffer.from(`d8:intervali1800e5:peers${v4.byteLength}:`),
      v4,
      Buffer.from(`6:peers6${v6.byteLength}:`),
      v6,
      Buffer.from("e"),
    ]);
  }
}
