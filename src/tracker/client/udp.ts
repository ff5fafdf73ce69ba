import { createSocket, type Socket } from "node:dgram";
import type { Clock } from "#/base/clock.ts";
import { formatEndpoint } from "#/base/ip.ts";
import type { RandomSource } from "#/base/random.ts";
import { TrackerError, type UdpAnswer, UdpConnectionId, UdpExchange, type UdpQuestion } from "../protocol/index.ts";

/** A socket is kept this long after its last use, as long as a connection id is good for (BEP 15). */
const IDLE_MS = 60_000;

export interface UdpTrackerAddress {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
}

/**
 * Sockets to UDP trackers, one for each tracker's address, so that its connection id serves all torrents for a minute.
 * Connected sockets: the kernel drops what others send, and tells when nobody listens there. Idle ones do not keep the process alive.
 * BOUNDED: by the addresses asked within the last minute.
 */
export class UdpTrackerSockets implements Disposable {
  readonly #links = new Map<string, Promise<UdpLink>>();

  /**
   * Asks one question, and waits until it is answered, refused, or sent for the ninth time in vain.
   * @throws {TrackerError} TRACKER_UNREACHABLE, TRACKER_TIMEOUT, TRACKER_FAILURE, TRACKER_BAD_ANSWER; the reason of `signal`
   */
  async ask(
    to: UdpTrackerAddress,
    question: UdpQuestion,
    options: { readonly clock: Clock; readonly random: RandomSource; readonly signal: AbortSignal },
  ): Promise<UdpAnswer> {
    const { clock, random, signal } = options;
    signal.throwIfAborted();
    const key = formatEndpoint({ host: to.address, port: to.port });
    let opening = this.#links.get(key);
    if (opening === undefined) {
      const forget = (): void => {
        if (this.#links.get(key) === opening) this.#links.delete(key);
      };
      opening = UdpLink.open(to, forget);
      this.#links.set(key, opening);
      opening.catch(forget);
    }
    const link = await opening;
    const exchange = new UdpExchange(question, { family: to.family, connection: link.connection, random });
    return link.run(exchange, clock, signal);
  }

  /** Closes all sockets; questions under way fail with TRACKER_UNREACHABLE. */
  [Symbol.dispose](): void {
    for (const opening of this.#links.values()) {
      opening.then(
        (link) => link.close(),
        () => {},
      );
    }
    this.#links.clear();
  }
}

/** One connected socket and the exchanges that use it. */
class UdpLink {
  readonly connection = new UdpConnectionId();
  readonly #socket: Socket;
  readonly #to: UdpTrackerAddress;
  readonly #onClosed: () => void;
  readonly #users = new Set<{ receive(datagram: Uint8Array): void; fail(cause: unknown): void }>();
  #idleTimer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(socket: Socket, to: UdpTrackerAddress, onClosed: () => void) {
    this.#socket = socket;
    this.#to = to;
    this.#onClosed = onClosed;
    socket.on("message", (datagram) => {
      for (const user of [...this.#users]) user.receive(datagram);
    });
    socket.on("error", (error) => this.close(error));
  }

  static async open(to: UdpTrackerAddress, onClosed: () => void): Promise<UdpLink> {
    const socket = createSocket(to.family === 4 ? "udp4" : "udp6");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once("error", reject);
    socket.once("connect", resolve);
    socket.connect(to.port, to.address); // a callback would be handed the error that is caught here as an event
    try {
      await promise;
    } catch (error) {
      socket.close();
      throw unreachable(to, error);
    }
    socket.removeListener("error", reject);
    return new UdpLink(socket, to, onClosed);
  }

  async run(exchange: UdpExchange, clock: Clock, signal: AbortSignal): Promise<UdpAnswer> {
    if (this.#closed) throw unreachable(this.#to, undefined);
    const { promise, resolve, reject } = Promise.withResolvers<UdpAnswer>();
    let timer: NodeJS.Timeout | undefined;
    const step = (): void => {
      clearTimeout(timer);
      try {
        const now = clock.now();
        for (let datagram = exchange.pollTransmit(now); datagram !== undefined; datagram = exchange.pollTransmit(now)) {
          this.#socket.send(datagram, (error) => error !== null && this.close(error));
        }
        const event = exchange.pollEvent();
        if (event?.type === "answered") resolve(event.answer);
        else if (event?.type === "failed") reject(event.error);
        else timer = setTimeout(step, (exchange.nextTimeout() ?? now) - now);
      } catch (error) {
        reject(error);
      }
    };
    const user = {
      receive: (datagram: Uint8Array): void => {
        exchange.receive(datagram, clock.now());
        step();
      },
      fail: (cause: unknown): void => reject(unreachable(this.#to, cause)),
    };
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) onAbort();
    this.#enter(user);
    try {
      step();
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      this.#leave(user, signal.aborted);
    }
  }

  #enter(user: { receive(datagram: Uint8Array): void; fail(cause: unknown): void }): void {
    this.#users.add(user);
    this.#socket.ref();
    clearTimeout(this.#idleTimer);
  }

  #leave(user: { receive(datagram: Uint8Array): void; fail(cause: unknown): void }, wasAborted: boolean): void {
    this.#users.delete(user);
    if (this.#users.size > 0 || this.#closed) return;
    if (wasAborted) {
      this.close();
      return;
    }
    this.#socket.unref();
    this.#idleTimer = setTimeout(() => this.close(), IDLE_MS).unref();
  }

  close(cause?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    this.#onClosed();
    this.#socket.close();
    for (const user of this.#users) user.fail(cause);
  }
}

function unreachable(to: UdpTrackerAddress, cause: unknown): TrackerError {
  const reason = (cause as NodeJS.ErrnoException | undefined)?.code ?? "the socket was closed";
  const details = { host: to.address, port: to.port, reason };
  const message = `${formatEndpoint({ host: to.address, port: to.port })}: ${reason}`;
  return new TrackerError("TRACKER_UNREACHABLE", message, { fault: "remote", details, cause });
}
