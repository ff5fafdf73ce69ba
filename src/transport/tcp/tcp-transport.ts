import { once } from "node:events";
import { connect, createServer, type Server, Socket } from "node:net";
import { type Endpoint, formatEndpoint, ipFamily, tryParseEndpoint } from "#/base/ip.ts";
import { TransportError } from "./errors.ts";
import { type ReadTarget, readInto, TcpLink } from "./tcp-link.ts";

/** How often the system is asked for a port that is free on every host. */
const CHOICES_OF_SYSTEM = 8;

/** Dials peers over TCP, IPv4 and IPv6. */
export class TcpTransport {
  readonly name = "tcp";
  readonly #connectTimeoutMs: number;

  constructor(options: { /** @default 10_000 */ readonly connectTimeoutMs?: number } = {}) {
    this.#connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  }

  canDial(address: string): boolean {
    const endpoint = tryParseEndpoint(address);
    return endpoint !== undefined && ipFamily(endpoint.host) !== undefined;
  }

  /**
   * Connects to `host:port` or `[v6]:port`.
   * @throws {TransportError} TRANSPORT_BAD_ADDRESS for anything but an IP address; TRANSPORT_UNREACHABLE when it is refused, not routed
   * or not answered; the signal's reason when aborted
   */
  async dial(address: string, options: { readonly signal: AbortSignal }): Promise<TcpLink> {
    options.signal.throwIfAborted();
    const endpoint = tryParseEndpoint(address);
    if (endpoint === undefined || ipFamily(endpoint.host) === undefined) {
      throw new TransportError("TRANSPORT_BAD_ADDRESS", `not an address: ${address}`, { fault: "local" });
    }
    const target: ReadTarget = { deliver: () => {} };
    const socket = connect({ host: endpoint.host, port: endpoint.port, onread: readInto(target) });
    socket.pause();
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(this.#connectTimeoutMs)]);
    try {
      await once(socket, "connect", { signal });
    } catch (cause) {
      socket.destroy();
      options.signal.throwIfAborted();
      throw new TransportError("TRANSPORT_UNREACHABLE", `${address} could not be reached`, { fault: "remote", cause });
    }
    return new TcpLink(socket, target);
  }
}

/** Listening TCP sockets on one port. */
export class TcpListener implements AsyncDisposable {
  readonly #servers: readonly Server[];
  /** Where peers may connect. */
  readonly endpoints: readonly Endpoint[];

  private constructor(servers: readonly Server[]) {
    this.#servers = servers;
    this.endpoints = servers.map((server) => {
      const address = server.address();
      if (address === null || typeof address === "string") throw new TypeError("a TCP server has an address");
      return { host: address.address, port: address.port };
    });
  }

  get port(): number {
    return this.endpoints[0]?.port ?? 0;
  }

  /**
   * Listens on one port of each host. Hosts of a family that the system does not have are left out, unless that leaves none.
   * @param options.ports tried in turn until one is free on every host; 0 lets the system choose
   * @throws {TransportError} TRANSPORT_CANNOT_LISTEN
   */
  static async open(options: {
    readonly hosts: readonly string[];
    readonly ports: readonly number[];
    readonly onLink: (link: TcpLink) => void;
  }): Promise<TcpListener> {
    let failure: unknown;
    // A port that the system chose on the first host may be taken on the next one.
    const tries = options.ports.flatMap((port) => new Array<number>(port === 0 ? CHOICES_OF_SYSTEM : 1).fill(port));
    for (const port of tries) {
      const servers: Server[] = [];
      try {
        let bound = port;
        for (const host of options.hosts) {
          const server = await listen(host, bound, options.onLink).catch((error: unknown) => {
            if (codeOf(error) !== "EAFNOSUPPORT") throw error;
            failure = error;
          });
          if (server === undefined) continue;
          servers.push(server);
          const address = server.address();
          if (bound === 0 && address !== null && typeof address !== "string") bound = address.port;
        }
        if (servers.length > 0) return new TcpListener(servers);
      } catch (error) {
        failure = error;
        for (const server of servers) server.close();
        if (codeOf(error) !== "EADDRINUSE") break;
      }
    }
    const where = options.hosts.map((host) => formatEndpoint({ host, port: options.ports[0] ?? 0 })).join(", ");
    throw new TransportError("TRANSPORT_CANNOT_LISTEN", `cannot listen on ${where}`, { fault: "local", cause: failure });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

async function listen(host: string, port: number, onLink: (link: TcpLink) => void): Promise<Server> {
  const server = createServer({ pauseOnConnect: true }, (accepted) => {
    const target: ReadTarget = { deliver: () => {} };
    onLink(new TcpLink(adopt(accepted, target), target));
  });
  server.listen({ host, port, ipv6Only: host.includes(":"), backlog: 1024 });
  await once(server, "listening");
  server.on("error", () => {}); // a failed accept concerns that connection only
  return server;
}

/**
 * The same connection as a socket that reads into the shared buffer. `net.Server` cannot be told to make such sockets, and reading
 * without it costs a receiver twice the processor time. Where the handle is not to be had, the socket is used as it is.
 */
function adopt(accepted: Socket, target: ReadTarget): Socket {
  const owner = accepted as unknown as { _handle: unknown };
  const handle = owner._handle;
  if (handle === null || handle === undefined) {
    accepted.on("data", (bytes) => target.deliver(bytes as Uint8Array));
    accepted.pause();
    return accepted;
  }
  owner._handle = null;
  const options: unknown = { handle, onread: readInto(target), readable: true, writable: true, pauseOnCreate: true };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  accepted.destroy();
  return socket;
}
