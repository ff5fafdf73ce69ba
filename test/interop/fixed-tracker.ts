/** An HTTP tracker that tells everybody who asks about the peers that the test names, whoever announces. */
import { createServer, type Server } from "node:http";
import { type Endpoint, encodeCompactEndpoint, formatEndpoint, ipFamily } from "#/base/ip.ts";

export class FixedTracker implements AsyncDisposable {
  /** Whom it speaks of. */
  readonly peers: Endpoint[] = [];
  readonly url: string;
  /** Ports that announced, in order. */
  readonly announced: number[] = [];
  readonly #server: Server;

  private constructor(server: Server, endpoint: Endpoint) {
    this.#server = server;
    this.url = `http://${formatEndpoint(endpoint)}/announce`;
  }

  static async open(endpoint: Endpoint): Promise<FixedTracker> {
    const server = createServer((request, response) => {
      const port = Number(new URL(request.url ?? "/", "http://tracker").searchParams.get("port"));
      tracker.announced.push(port);
      response.setHeader("content-type", "text/plain");
      response.end(tracker.#answer(port));
    });
    const tracker = new FixedTracker(server, endpoint);
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(endpoint.port, endpoint.host, resolve);
    });
    return tracker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  /** BEP 3, 7 and 23: the asker, known by its port, is left out. */
  #answer(askerPort: number): Buffer {
    const others = this.peers.filter((peer) => peer.port !== askerPort);
    const compact = (family: 4 | 6): Buffer =>
      Buffer.concat(others.filter((peer) => ipFamily(peer.host) === family).map(encodeCompactEndpoint));
    const v4 = compact(4);
    const v6 = compact(6);
    return Buffer.concat([
      Buffer.from(`d8:completei1e10:incompletei1e8:intervali1800e5:peers${v4.byteLength}:`),
      v4,
      Buffer.from(v6.byteLength === 0 ? "" : `6:peers6${v6.byteLength}:`),
      v6,
      Buffer.from("e"),
    ]);
  }
}
